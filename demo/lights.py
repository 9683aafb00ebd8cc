"""The light of the street: the sun and its shadows, the sky, and reflections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from patterns import NOISE, Surface, mix, rgb
from raycast import Floats, Hits, Material, Solid, cast
from street import FACADE_X, linear
from views import GroundGrid

SUN = np.array([0.416, 0.735, -0.535], np.float32)
"""Unit vector to the sun: behind the camera and to the right, so the left side is lit."""
SUN_COLOUR = rgb(2.35, 2.05, 1.60)
SKYLIGHT = rgb(0.50, 0.60, 0.76)
BOUNCE = rgb(0.26, 0.22, 0.18)
ZENITH, HORIZON = (rgb(*linear(code)) for code in ("2f73c8", "b5d6ee"))


def sky(direction: Floats, clouds: bool = False) -> Floats:
    """(3, N) linear RGB of the sky in (3, N) unit directions."""
    height = np.maximum(direction[1], 0.02)
    colour = mix(HORIZON, ZENITH, np.minimum(height * 2.2, 1) ** 0.6)
    if clouds:
        # A flat layer of cloud; dividing by height gives it perspective.
        u, v = direction[0] / (height + 0.12), direction[2] / (height + 0.12)
        cover = NOISE(u, v, 9.0, np.full_like(u, 0.01))
        colour = mix(colour, 1.0, 0.85 * np.clip(cover * 1.1 + 0.1, 0, 1))
    return colour


@dataclass(frozen=True)
class Shadows:
    """The distance to the nearest solid along each ray of a distant light."""

    grid: GroundGrid
    hits: Hits

    def joined_by(self, solids: Sequence[Solid]) -> Shadows:
        hits = self.hits.copy()
        cast(solids, self.grid, hits)
        return Shadows(self.grid, hits)


def _near_ground(solid: Solid) -> bool:
    """Returns whether a solid stands close over the ground and darkens it, as a car does."""
    return solid.low[1] < 0.6 and solid.high[1] < 2.3 and solid.high[0] - solid.low[0] < 3


class Lights:
    """Sun, sky and reflected light, with what stands in their way."""

    def __init__(self, sun: Shadows, overhead: Shadows) -> None:
        self.sun, self.overhead = sun, overhead
        covered = np.isfinite(overhead.hits.depth).astype(np.float32)
        self.covered = cv2.GaussianBlur(covered, (0, 0), 2.5)

    @classmethod
    def among(cls, solids: Sequence[Solid]) -> Lights:
        """The lights of a scene that stands still."""
        sun_grid = GroundGrid(SUN, (-15.0, -21.0), (215.0, 15.0), 0.06)
        up = np.array([0, 1, 0], np.float32)
        sky_grid = GroundGrid(up, (-15.0, -12.0), (215.0, 12.0), 0.12)
        nothing = (Shadows(grid, Hits.nothing(*grid.size)) for grid in (sun_grid, sky_grid))
        return cls(*nothing).joined_by(solids)

    def joined_by(self, solids: Sequence[Solid]) -> Lights:
        """The lights after more solids have come to stand in their way."""
        low = [solid for solid in solids if _near_ground(solid)]
        return Lights(self.sun.joined_by(solids), self.overhead.joined_by(low))

    def shade(self, kind: Material, surface: Surface, albedo: Floats, gloss: Floats) -> Floats:
        """(3, N) linear RGB of the light that leaves each point."""
        if kind == Material.LAMP:
            return albedo
        normal, direction = surface.normal, surface.direction
        facing = np.tensordot(SUN, normal, 1)
        if kind == Material.LEAVES:
            facing = 0.35 + 0.65 * facing  # light also passes through leaves
        sunlight = np.maximum(facing, 0) * self._sunlit(surface)
        openness = self._openness(surface)
        ambient = SKYLIGHT * (0.62 + 0.38 * normal[1]) + BOUNCE * (0.6 - 0.4 * normal[1])
        light: Floats = albedo * (SUN_COLOUR * sunlight + ambient * openness)
        if not gloss.any():
            return light
        along = (direction * normal).sum(axis=0)
        mirrored = direction - 2 * along * normal
        open_sky = np.clip((mirrored[1] - 0.02) / 0.3, 0, 1)
        seen = mix(rgb(0.10, 0.09, 0.08), sky(mirrored), open_sky)
        fresnel = 0.12 + 0.88 * (1 - np.abs(along)) ** 3
        return mix(light, seen, gloss * fresnel)

    def _sunlit(self, surface: Surface) -> Floats:
        """(N,) share of sunlight that arrives, blended from the four nearest shadow rays."""
        # Lifted off the surface by more than a grid step, or it would shade itself.
        point = surface.point + surface.normal * np.float32(0.09)
        row, column = self.sun.grid.outline(point)
        distance = self.sun.grid.distance(point)
        top, left = np.floor(row), np.floor(column)
        height, width = self.sun.grid.size
        lit: Floats = np.zeros_like(row)
        for down in (0, 1):
            for right in (0, 1):
                r = np.clip(top.astype(np.int32) + down, 0, height - 1)
                c = np.clip(left.astype(np.int32) + right, 0, width - 1)
                weight = np.abs(1 - down - (row - top)) * np.abs(1 - right - (column - left))
                lit += weight * (self.sun.hits.depth[r, c] > distance - np.float32(0.08))
        return lit

    def _openness(self, surface: Surface) -> Floats:
        """(N,) share of the sky's light that arrives: less beside walls and under cars."""
        x, y, _ = surface.point
        open_share = 1 - 0.38 * np.exp(-np.maximum(y, 0) / 1.6)
        upward = np.clip(surface.normal[1], 0, 1)
        beside_wall = 1 - 0.4 * np.exp(-np.maximum(FACADE_X - np.abs(x), 0) / 1.2)
        row, column = np.rint(self.overhead.grid.outline(surface.point)).astype(np.int32)
        height, width = self.overhead.grid.size
        under = self.covered[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        under = under * (y < 0.3) * (np.abs(x) < 10)
        share: Floats = mix(open_share, beside_wall, upward) * (1 - 0.85 * under * upward)
        return share
