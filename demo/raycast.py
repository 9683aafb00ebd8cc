"""Convex solids with a material, and the ray caster that finds which one each ray meets first.

World axes: x to the right, y up, z along the street, metres. Every array of vectors or colours
keeps its three components first, `(3, ...)`, because numpy works fastest on whole planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Vector = tuple[float, float, float]
Window = tuple[slice, slice]
Cut = tuple[Vector, float]

Entry = tuple[Floats, npt.NDArray[np.int8]]

MAX_SLABS = 7
"""Three pairs of box faces and up to four cuts."""


class Material(IntEnum):
    """The material of a solid; `materials.py` holds a texture for each."""

    PLAIN = 0
    ROAD = 1
    PAVEMENT = 2
    FACADE = 3
    ROOF = 4
    AWNING = 5
    RAILING = 6
    PAINT = 7
    CABIN = 8
    WHEEL = 9
    LEAVES = 10
    LAMP = 11


@dataclass(frozen=True)
class Solid:
    """A box from `low` to `high`, trimmed by `cuts`; or the ellipsoid that fills that box."""

    material: Material
    low: Vector
    high: Vector
    colour: Vector
    """Linear RGB albedo in [0, 1]."""
    accent: Vector = (1.0, 1.0, 1.0)
    """Linear RGB of the second colour: window trim, shop sign, stripe."""
    cuts: tuple[Cut, ...] = ()
    """Half spaces to keep: each `(normal, offset)` keeps the points with normal . p <= offset."""
    ellipsoid: bool = False
    bay: float = 1.0
    """Width of one column of windows, metres."""
    seed: int = 0
    """Decides brick or plaster, shop or dwelling, and which windows are lit."""

    def slabs(self) -> list[tuple[Vector, float, float]]:
        """`(normal, low, high)` of every pair of parallel planes that bounds the solid."""
        axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        box = list(zip(axes, self.low, self.high, strict=True))
        return box + [(normal, -1e6, offset) for normal, offset in self.cuts]


@dataclass(frozen=True)
class Hits:
    """The first hit of each ray; `cast` updates the arrays in place."""

    depth: Floats
    """(H, W) metres along the ray; infinity where nothing was met."""
    solid: npt.NDArray[np.int32]
    """(H, W) index of the solid, -1 for none."""
    face: npt.NDArray[np.int8]
    """(H, W) index of the slab whose plane was met; 0 on ellipsoids."""

    @classmethod
    def nothing(cls, height: int, width: int) -> Hits:
        """The state before any solid has been cast."""
        size = (height, width)
        depth = np.full(size, np.inf, np.float32)
        return cls(depth, np.full(size, -1, np.int32), np.zeros(size, np.int8))

    def copy(self) -> Hits:
        return Hits(self.depth.copy(), self.solid.copy(), self.face.copy())


class View(Protocol):
    """A grid of rays, and the way from a point in space back to that grid."""

    size: tuple[int, int]
    """(H, W) in rays."""

    def rays(self, window: Window) -> tuple[Floats, Floats]:
        """Origins and unit directions in a window, each (3, h, w) or (3, 1, 1)."""

    def outline(self, points: Floats) -> Floats:
        """(2, M) fractional rows and columns that enclose the hull of (3, N) points in view.

        M is 0 when the hull lies behind the view.
        """


def window_of(solid: Solid, view: View) -> Window | None:
    """The rows and columns whose rays can meet the solid, None when no ray can."""
    corners = np.array(list(product(*zip(solid.low, solid.high, strict=True))), np.float32).T
    position = view.outline(corners)
    if not position.size:
        return None
    first = np.maximum(np.floor(position.min(axis=1)), 0).astype(int)
    last = np.minimum(np.ceil(position.max(axis=1)) + 1, view.size).astype(int)
    if (first >= last).any():
        return None
    return slice(first[0], last[0]), slice(first[1], last[1])


def _meet_slabs(solid: Solid, origin: Floats, direction: Floats) -> Entry:
    """Depth (infinity for a miss) and slab index where each ray enters the solid."""
    shape = np.broadcast_shapes(origin.shape[1:], direction.shape[1:])
    enter = np.full(shape, -np.inf, np.float32)
    leave = np.full(shape, np.inf, np.float32)
    face = np.zeros(shape, np.int8)
    for index, (normal, low, high) in enumerate(solid.slabs()):
        terms = [axis for axis in range(3) if normal[axis]]
        inverse = 1 / sum(normal[axis] * direction[axis] for axis in terms)
        start = sum(normal[axis] * origin[axis] for axis in terms)
        to_low, to_high = (low - start) * inverse, (high - start) * inverse
        near = np.minimum(to_low, to_high)
        face[near > enter] = index
        np.maximum(enter, near, out=enter)
        np.minimum(leave, np.maximum(to_low, to_high), out=leave)
    enter[(enter >= leave) | (enter <= 0)] = np.inf
    return enter, face


def _meet_ellipsoid(solid: Solid, origin: Floats, direction: Floats) -> Entry:
    """Intersects rays with the ellipsoid in a solid's box; the slab index is always 0."""
    low, high = np.array([solid.low, solid.high], np.float32)[:, :, None, None]
    radius = (high - low) / 2
    start = (origin - (high + low) / 2) / radius
    step = direction / radius
    square = (step * step).sum(axis=0)
    half = (step * start).sum(axis=0)
    root = half * half - square * ((start * start).sum(axis=0) - 1)
    depth = (-half - np.sqrt(np.maximum(root, 0))) / square
    if solid.material == Material.LEAVES:
        # Ragged outline: leaves thin out where the ray only grazes the crown.
        point = origin + depth * direction
        ripple = np.sin(9 * point[0] + 5 * point[1]) * np.sin(8 * point[2] - 6 * point[1])
        ripple += np.sin(23 * point[1] + 17 * point[2]) * np.sin(21 * point[0])
        root = root - np.float32(0.22) * square * np.maximum(ripple, 0)
    depth = np.where((root > 0) & (depth > 0), depth, np.float32(np.inf))
    return depth, np.zeros(depth.shape, np.int8)


def cast(solids: Sequence[Solid], view: View, hits: Hits) -> None:
    """Meets every ray of the view with every solid and keeps the nearest in `hits`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        for index, solid in enumerate(solids):
            window = window_of(solid, view)
            if window is None:
                continue
            meet = _meet_ellipsoid if solid.ellipsoid else _meet_slabs
            depth, face = meet(solid, *view.rays(window))
            nearer = depth < hits.depth[window]
            np.copyto(hits.depth[window], depth, where=nearer)
            np.copyto(hits.solid[window], np.int32(index), where=nearer)
            np.copyto(hits.face[window], face, where=nearer)
