"""Builds the demo's street: houses, trees, lamps, parked and moving cars.

The street runs along +z with its middle at x = 0; traffic keeps to the right (+x).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from raycast import Cut, Material, Solid, Vector

ROAD_HALF = 5.0
FACADE_X = 8.6
KERB_HEIGHT = 0.14
GROUND_FLOOR = 3.8
STOREY = 3.1
START, END = -14.0, 190.0
"""The street's extent in z, metres."""
JUNCTION = (72.0, 82.0)
ZEBRAS = ((25.0, 28.5), (67.5, 70.5), (83.5, 86.5))
"""(start, end) in z of each zebra crossing, metres."""

Span = tuple[float, float]


def linear(code: str) -> Vector:
    """Linear RGB from an sRGB hex code such as "c8553d"."""
    red, green, blue = (int(code[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red**2.2, green**2.2, blue**2.2


def palette(codes: str) -> list[Vector]:
    return [linear(code) for code in codes.split()]


WALLS = palette("b04a30 e8a73f d97a68 7aa5c9 f0d9a4 8fb37a cc6a3c f3e8d6 984434 dcb482")
ACCENTS = palette("1f6b52 9c1f2b 1d4480 c9822b 36454f 6a2a5a")
ROOFS = palette("a8503a 5b6372 8b4534 4d4f5a")
PAINTS = palette("c61f2a 1d62b8 e8e8ea f2b41f 2c7f5a b9bec4 24272e de6c1a")
LEAF = palette("5f9433 73a83a 4c8031 8cb03c")
COATS = palette("b3262f 23528f e2b33c 3c3f46 7a4a8c d8d4cc")
DARK, STONE, WHITE, SKIN = palette("24262b dccfb8 f4f2ee d8a583")
RED_LAMP, HEAD_LAMP = palette("ff2418 fff4d8")


def box(
    material: Material,
    x: Span,
    y: Span,
    z: Span,
    colour: Vector,
    accent: Vector = WHITE,
    cuts: tuple[Cut, ...] = (),
    bay: float = 1.0,
    seed: int = 0,
) -> Solid:
    """A box from its interval along each axis, ends in either order."""
    low = min(x), min(y), min(z)
    high = max(x), max(y), max(z)
    return Solid(material, low, high, colour, accent, cuts, bay=bay, seed=seed)


def ball(material: Material, centre: Vector, radius: Vector, colour: Vector) -> Solid:
    """An ellipsoid from its centre and its three radii."""
    (x, y, z), (a, b, c) = centre, radius
    return Solid(material, (x - a, y - b, z - c), (x + a, y + b, z + c), colour, ellipsoid=True)


def gable(x: Span, z: Span, eaves: float, rise: float, colour: Vector) -> Solid:
    """A pitched roof whose ridge runs along z."""
    middle, half = (x[0] + x[1]) / 2, abs(x[1] - x[0]) / 2
    length = float(np.hypot(half, rise))
    side, up = rise / length, half / length
    offset = up * (eaves + rise)
    cuts = (((side, up, 0.0), offset + side * middle), ((-side, up, 0.0), offset - side * middle))
    return box(Material.ROOF, x, (eaves, eaves + rise), z, colour, cuts=cuts)


def building(
    rng: np.random.Generator, side: int, start: float, width: float, storeys: int
) -> list[Solid]:
    """A town house on the left (-1) or right (+1), with its trim, roof, awning and balconies."""
    front, back = side * (FACADE_X + rng.uniform(0, 0.25)), side * (FACADE_X + 12)
    z = (start, start + width)
    top = GROUND_FLOOR + storeys * STOREY + 0.5
    wall = WALLS[rng.integers(len(WALLS))]
    accent = ACCENTS[rng.integers(len(ACCENTS))]
    bay = width / round(width / 2.7)
    seed = int(rng.integers(1000))
    shop = seed % 2 == 0

    def strip(y: Span, out: float, colour: Vector = STONE) -> Solid:
        return box(Material.PLAIN, (front - side * out, back), y, z, colour)

    parts = [box(Material.FACADE, (front, back), (0, top), z, wall, accent, bay=bay, seed=seed)]
    parts += [strip((top - 0.25, top + 0.05), 0.35), strip((3.62, 3.8), 0.12)]
    roof = ROOFS[rng.integers(len(ROOFS))]
    parts.append(gable((front - side * 0.35, back), z, top + 0.05, rng.uniform(2.2, 3.6), roof))
    chimney = start + rng.uniform(0.2, 0.8) * width
    parts.append(
        box(
            Material.PLAIN,
            (front + side * 3, front + side * 4),
            (top, top + 4.2),
            (chimney, chimney + 1.4),
            WALLS[0],
        )
    )
    if shop:
        parts.append(awning(front, side, (start + 0.5, start + width - 0.5), accent))
    if seed % 3 != 0:
        for column in range(1, round(width / bay), 2):
            middle = start + (column + 0.5) * bay
            for storey in range(1, storeys):
                floor = GROUND_FLOOR + storey * STOREY + 0.35
                parts += balcony(front, side, (middle - 1.0, middle + 1.0), floor)
    return parts


def awning(front: float, side: int, z: Span, colour: Vector) -> Solid:
    """A striped sloping canopy over a shop window."""
    edge = front - side * 1.5
    slope = (-side * 0.45, 0.893, 0.0)
    offset = slope[0] * front + slope[1] * 3.25
    return box(Material.AWNING, (front, edge), (2.35, 3.3), z, colour, cuts=((slope, offset),))


def balcony(front: float, side: int, z: Span, floor: float) -> list[Solid]:
    edge = front - side * 0.8
    return [
        box(Material.PLAIN, (front, edge), (floor - 0.12, floor), z, STONE),
        box(Material.RAILING, (front, edge), (floor, floor + 0.95), z, DARK),
    ]


def terrace(rng: np.random.Generator, side: int) -> list[Solid]:
    """A side of the street: houses from START to END, with a gap at the junction."""
    parts: list[Solid] = []
    for first, last in ((START, JUNCTION[0]), (JUNCTION[1], END)):
        widths = rng.uniform(8, 14, round((last - first) / 11))
        starts = first + np.cumsum([0, *widths]) * (last - first) / widths.sum()
        for start, end in pairwise(starts.tolist()):
            storeys = int(rng.integers(2, 5))
            parts += building(rng, side, start, end - start, storeys)
        pavement = (side * ROAD_HALF, side * (FACADE_X + 1))
        span = (first + (0 if first == START else 1), last - 1)
        parts.append(box(Material.PAVEMENT, pavement, (-1, KERB_HEIGHT), span, STONE))
    # The side street: its two long walls, and a block that closes the view.
    for z in ((JUNCTION[0] - 14, JUNCTION[0]), (JUNCTION[1], JUNCTION[1] + 14)):
        parts.append(
            box(Material.FACADE, (side * 20.7, side * 60), (0, 13.5), z, WALLS[4], bay=2.7, seed=5)
        )
    parts.append(
        box(Material.FACADE, (side * 62, side * 74), (0, 16), (40, 115), WALLS[2], bay=2.7, seed=7)
    )
    return parts


def town_hall() -> list[Solid]:
    """The building with a clock tower that closes the far end of the street."""
    z, spire = (END + 14, END + 26), linear("4f7f78")
    slopes = tuple(
        ((x * 0.95, 0.3123, dz * 0.95), 0.3123 * 48 + 0.95 * dz * (END + 17))
        for x, dz in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
    )
    return [
        box(Material.FACADE, (-42, 42), (0, 16.7), z, WALLS[9], bay=3, seed=9),
        box(Material.FACADE, (-4, 4), (0, 29), (END + 13, END + 21), WALLS[7], bay=2, seed=9),
        box(Material.PLAIN, (-4.4, 4.4), (29, 30), (END + 12.6, END + 21.4), STONE),
        box(Material.PLAIN, (-5, 5), (30, 48), (END + 12, END + 22), spire, cuts=slopes),
        gable((-42, 42), z, 16.7, 5, ROOFS[2]),
    ]


def tree(rng: np.random.Generator, x: float, z: float) -> list[Solid]:
    """A trunk and a crown of overlapping ellipsoids."""
    height = rng.uniform(4.6, 5.8)
    parts = [ball(Material.PLAIN, (x, 0.8, z), (0.17, 4.0, 0.17), linear("6b4f3a"))]
    for _ in range(12):
        dx, dy, dz = rng.uniform(-1, 1, 3) * (0.95, 1.1, 1.2)
        radius = rng.uniform(0.6, 1.05)
        leaf = LEAF[rng.integers(len(LEAF))]
        centre = (x + dx, height + dy, z + dz)
        parts.append(ball(Material.LEAVES, centre, (radius, radius * 0.85, radius), leaf))
    return parts


def lamp_post(side: int, z: float) -> list[Solid]:
    x, reach = side * 5.5, side * 4.0
    return [
        box(Material.PLAIN, (x - 0.06, x + 0.06), (0, 6.2), (z - 0.06, z + 0.06), DARK),
        box(Material.PLAIN, (x, reach), (6.1, 6.2), (z - 0.04, z + 0.04), DARK),
        box(Material.PLAIN, (reach - 0.4, reach + 0.3), (6.0, 6.14), (z - 0.15, z + 0.15), DARK),
        box(Material.LAMP, (reach - 0.35, reach + 0.25), (5.95, 6), (z - 0.1, z + 0.1), WHITE),
    ]


def road_sign(side: int, z: float) -> list[Solid]:
    """A round red-and-white sign that faces the camera."""
    x = side * 5.4
    return [
        box(Material.PLAIN, (x - 0.04, x + 0.04), (0, 2.9), (z - 0.04, z + 0.04), DARK),
        ball(Material.PLAIN, (x, 2.6, z - 0.07), (0.36, 0.36, 0.03), linear("d0202a")),
        ball(Material.PLAIN, (x, 2.6, z - 0.09), (0.25, 0.25, 0.03), WHITE),
    ]


def traffic_light(side: int, z: float) -> list[Solid]:
    x = side * 5.35
    parts = [
        box(Material.PLAIN, (x - 0.06, x + 0.06), (0, 3.4), (z - 0.06, z + 0.06), DARK),
        box(Material.PLAIN, (x - 0.2, x + 0.2), (2.4, 3.5), (z - 0.2, z), DARK),
    ]
    for height, colour in ((3.27, "4a1512"), (2.95, "4a3a12"), (2.63, "35ff90")):
        centre = (x, height, z - 0.2)
        parts.append(ball(Material.LAMP, centre, (0.13, 0.13, 0.04), linear(colour)))
    return parts


def person(x: float, z: float, coat: Vector) -> list[Solid]:
    return [
        box(Material.PLAIN, (x - 0.15, x + 0.15), (0.1, 0.9), (z - 0.1, z + 0.1), DARK),
        ball(Material.PLAIN, (x, 1.15, z), (0.26, 0.42, 0.2), coat),
        ball(Material.PLAIN, (x, 1.68, z), (0.12, 0.15, 0.13), SKIN),
    ]


def street(seed: int) -> list[Solid]:
    """Everything that stands still."""
    rng = np.random.default_rng(seed)
    parts = [box(Material.ROAD, (-80, 80), (-2, 0), (-40, 260), linear("6a6b70"))]
    parts += town_hall()
    for side in (-1, 1):
        parts += terrace(rng, side)
        for z in np.arange(-4 + 5 * side, END, 13.0):
            if not JUNCTION[0] - 3 < z < JUNCTION[1] + 3:
                parts += tree(rng, side * 6.4, float(z))
        for z in np.arange(3.0 + 4 * side, END, 26.0):
            parts += lamp_post(side, float(z))
        for distance in (21.0, 62.0, 110.0):
            parts += road_sign(side, distance)
        parts += traffic_light(side, ZEBRAS[1][0] - 1)
        for z in rng.uniform(5, 120, 12):
            parts += person(side * rng.uniform(7, 8), float(z), COATS[rng.integers(len(COATS))])
    return parts
