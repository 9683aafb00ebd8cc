"""Textures of upright house fronts: masonry, windows, shops, doors and railings."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from patterns import NOISE, Surface, centred, mix, pulse, rgb, span
from raycast import Floats
from street import GROUND_FLOOR, STOREY


@dataclass(frozen=True)
class Wall:
    """(N,) coordinates on upright faces: metres, and counts of window bays and storeys."""

    u: Floats
    u_width: Floats
    v: Floats
    v_width: Floats
    column: Floats
    column_width: Floats
    storey: Floats
    storey_width: Floats
    chance: Floats
    """A random number in [0, 1] for each bay of each storey."""

    @classmethod
    def of(cls, surface: Surface) -> Wall:
        across, (x, y, z) = np.abs(surface.normal[0]) > 0.5, surface.point
        u = np.where(across, z - surface.low[2], x - surface.low[0])
        u_width = np.where(across, surface.width(2), surface.width(0))
        v_width = surface.width(1)
        column, storey = u / surface.bay, (y - GROUND_FLOOR) / STOREY
        widths = u_width / surface.bay, v_width / STOREY
        chance = NOISE.of_cell(np.floor(column), np.floor(storey), surface.seed)
        return cls(u, u_width, y, v_width, column, widths[0], storey, widths[1], chance)


def _masonry(surface: Surface, wall: Wall) -> Floats:
    """(3, N) bricks where the seed leaves 1 when divided by 3, weathered plaster elsewhere."""
    stains = NOISE(wall.u + surface.low[2], wall.v, 17.0, np.maximum(wall.u_width, wall.v_width))
    row = np.floor(wall.v / 0.14)
    column = wall.u / 0.42 + 0.5 * (row % 2)
    widths = wall.u_width / 0.42, wall.v_width / 0.14
    joints = 1 - pulse(column, 0.93, widths[0]) * pulse(wall.v / 0.14, 0.86, widths[1])
    detail = np.clip(1.6 - widths[1], 0, 1) * np.clip(1.6 - widths[0], 0, 1)
    tint = (NOISE.of_cell(np.floor(column), row, surface.seed) - 0.5) * detail
    bricks = mix(surface.colour * (1 + 0.55 * tint), surface.colour * 0.3 + 0.25, 0.8 * joints)
    albedo: Floats = np.where(surface.seed % 3 == 1, bricks, surface.colour) * (1 + 0.11 * stains)
    return albedo


@dataclass(frozen=True)
class Openings:
    """The doors and windows of a wall: where they are, and what is seen in them."""

    trim: Floats
    """(N,) share of the surround, which the glass then covers, in [0, 1]."""
    trim_colour: Floats
    """(3, N) or (3, 1) linear RGB."""
    glass: Floats
    """(N,) share of the panes and doors, in [0, 1]."""
    glass_colour: Floats
    """(3, N) linear RGB."""
    gloss: Floats
    """(N,) reflectance of the panes and doors."""
    below_lintel: Floats
    """(N,) metres down from the top of the opening."""

    def where(self, chosen: npt.NDArray[np.bool_], other: Openings) -> Openings:
        """Mixes these values at the chosen points with the others elsewhere."""
        names = [field.name for field in fields(self)]
        pairs = [(getattr(self, name), getattr(other, name)) for name in names]
        return Openings(*(np.where(chosen, mine, theirs) for mine, theirs in pairs))


def _upper_windows(wall: Wall) -> Openings:
    """Adds a window with glazing bars in each bay and storey; some have curtains or are lit."""
    storey, height = wall.storey - 0.02, wall.storey_width
    bars = np.maximum(
        pulse(wall.column * 2 + 0.03, 0.06, wall.column_width * 2),
        pulse(wall.storey * 2 + 0.33, 0.035, height * 2),
    )
    trim = centred(storey, 0.70, height) * centred(wall.column, 0.54, wall.column_width)
    glass = centred(storey, 0.58, height) * centred(wall.column, 0.44, wall.column_width)
    inside = np.where(wall.chance > 0.8, 0.30, np.where(wall.chance > 0.55, 0.10, 0.025))
    below_lintel = (0.81 - (wall.storey - np.floor(wall.storey))) * STOREY
    return Openings(
        trim,
        rgb(0.86, 0.83, 0.77),
        glass * (1 - bars),
        rgb(1.0, 0.93, 0.82) * inside,
        np.full_like(trim, 0.75),
        below_lintel,
    )


def _shop_front(wall: Wall, accent: Floats) -> Openings:
    """Wide panes under a coloured board for the shop's name."""
    trim = span(wall.v, 0, 3.6, wall.v_width)
    glass = span(wall.v, 0.5, 2.75, wall.v_width) * centred(wall.column, 0.9, wall.column_width)
    warm = rgb(0.20, 0.14, 0.085) * (0.4 + wall.chance)
    return Openings(trim, accent, glass, warm, np.full_like(trim, 0.75), 2.8 - wall.v)


def _dwelling_front(wall: Wall, accent: Floats) -> Openings:
    """Windows, and a painted door in every third bay."""
    door = np.floor(wall.column) % 3 == 1
    rows = np.where(
        door, span(wall.v, 0.2, 2.6, wall.v_width), span(wall.v, 1.2, 2.9, wall.v_width)
    )
    trim = rows * centred(wall.column, 0.54, wall.column_width)
    glass = rows * centred(wall.column, 0.44, wall.column_width)
    inside = np.where(door, accent * 0.6, rgb(0.06, 0.055, 0.05))
    return Openings(trim, accent, glass, inside, np.where(door, 0.05, 0.75), 2.8 - wall.v)


def facade(surface: Surface) -> tuple[Floats, Floats]:
    """A wall with rows of windows over shops (even seeds) or dwellings with doors (odd seeds)."""
    wall = Wall.of(surface)
    shop = _shop_front(wall, surface.accent)
    ground = shop.where(surface.seed % 2 == 0, _dwelling_front(wall, surface.accent))
    openings = ground.where(wall.v < GROUND_FLOOR, _upper_windows(wall))
    albedo = mix(_masonry(surface, wall), openings.trim_colour, openings.trim)
    # The lintel shades the top of the pane, which is what makes a window look set in.
    shade = np.clip(openings.below_lintel / 0.35, 0, 1)
    albedo = mix(albedo, openings.glass_colour * (0.35 + 0.65 * shade), openings.glass)
    return albedo, openings.glass * openings.gloss * (0.2 + 0.8 * shade)


def railing(surface: Surface) -> tuple[Floats, Floats]:
    """Iron bars before a dim wall; see-through bars would need a second ray."""
    wall = Wall.of(surface)
    rail = span(wall.v, surface.high[1] - 0.07, surface.high[1] + 1, wall.v_width)
    bars = np.maximum(pulse(wall.u / 0.16, 0.3, wall.u_width / 0.16), rail)
    return mix(rgb(0.20, 0.18, 0.15), surface.colour, bars), np.zeros_like(wall.u)
