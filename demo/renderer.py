"""Turns the street into clear frames with their depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lights import Lights, sky
from materials import TEXTURES
from patterns import Surface
from raycast import MAX_SLABS, Floats, Hits, Ints, Solid, cast
from views import Camera

SKY_DEPTH = 500.0
"""Metres; far enough for the fog to hide the sky completely."""


class Renderer:
    """Holds the still part of the scene and its shadows, which do not change with the camera."""

    def __init__(self, still: Sequence[Solid]) -> None:
        self.still = list(still)
        self.lights = Lights.among(still)

    def frame(self, camera: Camera, moving: Sequence[Solid]) -> tuple[Floats, Floats]:
        """(H, W, 3) float32 RGB in [0, 1], display encoded, and (H, W) float32 depth in metres."""
        solids = [*self.still, *moving]
        hits = Hits.nothing(*camera.size)
        cast(solids, camera, hits)
        lights = self.lights.joined_by(moving)

        directions = camera.direction.reshape(3, -1)
        light = np.empty_like(directions)
        index = hits.solid.ravel()
        empty = np.flatnonzero(index < 0)
        light[:, empty] = sky(directions[:, empty], clouds=True)
        table = SolidTable(solids)
        material = np.where(index < 0, -1, table.material[index])
        for kind, texture in TEXTURES.items():
            chosen = np.flatnonzero(material == kind)
            if chosen.size:
                surface = table.surface(hits, camera, chosen)
                light[:, chosen] = lights.shade(kind, surface, *texture(surface))
        depth = np.minimum(hits.depth, np.float32(SKY_DEPTH))
        return display_from_linear(light).T.reshape(*camera.size, 3), depth


def display_from_linear(light: Floats) -> Floats:
    """Display values in [0, 1]: almost linear below middle grey, and a soft shoulder to white."""
    exposed = np.maximum(light, 0) * np.float32(0.95)
    rolled = exposed / (1 + exposed**2.5) ** np.float32(1 / 2.5)
    display: Floats = rolled ** np.float32(1 / 2.2)
    return display


class SolidTable:
    """The solids' fields as arrays, to be looked up by many rays at once."""

    def __init__(self, solids: Sequence[Solid]) -> None:
        self.columns = {
            name: np.array([getattr(solid, name) for solid in solids]).T
            for name in ("low", "high", "colour", "accent", "bay", "seed")
        }
        self.material: Ints = np.array([solid.material for solid in solids], np.int64)
        self.ellipsoid = np.array([solid.ellipsoid for solid in solids])
        self.normals = np.zeros((3, len(solids), MAX_SLABS), np.float32)
        for index, solid in enumerate(solids):
            for face, (normal, _, _) in enumerate(solid.slabs()):
                self.normals[:, index, face] = normal

    def surface(self, hits: Hits, camera: Camera, chosen: Ints) -> Surface:
        """The points that the chosen rays (flat indices) met."""
        index = hits.solid.ravel()[chosen]
        depth = hits.depth.ravel()[chosen]
        direction = camera.direction.reshape(3, -1)[:, chosen]
        point = camera.eye[:, None] + depth * direction
        values: dict[str, Any] = {
            name: column[..., index].astype(np.int64 if name == "seed" else np.float32)
            for name, column in self.columns.items()
        }
        normal = self.normals[:, index, hits.face.ravel()[chosen]]
        if self.ellipsoid[index].any():
            radius = (values["high"] - values["low"]) / 2
            outward = (point - values["low"] - radius) / (radius * radius)
            outward /= np.sqrt((outward * outward).sum(axis=0))
            normal = np.where(self.ellipsoid[index], outward, normal)
        normal = normal * -np.sign((normal * direction).sum(axis=0))
        return Surface(point, direction, normal, depth / np.float32(camera.focal), **values)
