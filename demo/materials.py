"""Procedural textures, anchored to the world so that nothing swims as the camera moves.

A texture reads a `Surface` and returns (3, N) linear RGB albedo and (N,) mirror reflectance in
[0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from facade import facade, railing
from patterns import NOISE, Surface, mix, pulse, rgb, span
from raycast import Floats, Material
from street import JUNCTION, ROAD_HALF, ZEBRAS

Texture = Callable[[Surface], tuple[Floats, Floats]]


def _matt(surface: Surface) -> Floats:
    return np.zeros_like(surface.spread)


def road(surface: Surface) -> tuple[Floats, Floats]:
    """Asphalt with wheel tracks, lane and parking lines, and zebra crossings."""
    x, _, z = surface.point
    wx, wz = surface.width(0), surface.width(2)
    grain = NOISE(x, z, 2.5, np.maximum(wx, wz * 0.5))
    patches = NOISE(x, z, 61.0, wz)
    tracks = np.exp(-np.square((np.abs(np.abs(x) - 1.6) - 0.75) / 0.28))
    albedo = surface.colour * (1 + 0.2 * grain + 0.1 * patches - 0.14 * tracks)
    street = span(x, -ROAD_HALF, ROAD_HALF, wx)
    lines = span(x, -0.07, 0.07, wx) * pulse(z / 6, 0.5, wz / 6)
    lines += span(np.abs(x), 3.0, 3.1, wx) * pulse(z / 1.2, 0.6, wz / 1.2)
    lines *= 1 - span(z, JUNCTION[0] - 6, JUNCTION[1] + 6, wz)
    for start, end in ZEBRAS:
        crossing = span(z, start - 0.8, end + 0.8, wz)
        stripes = pulse(x / 1.0, 0.5, wx) * span(z, start, end, wz)
        lines = np.where(crossing > 0, stripes, lines)
    paint = np.clip(lines * street, 0, 1) * (0.88 + 0.12 * np.clip(grain + patches, -1, 1))
    return mix(albedo, rgb(0.82, 0.81, 0.76), paint), _matt(surface)


def pavement(surface: Surface) -> tuple[Floats, Floats]:
    """Square slabs behind a kerb of pale stone."""
    x, _, z = surface.point
    wx, wz = surface.width(0), surface.width(2)
    joints = 1 - pulse(x / 0.8, 0.95, wx / 0.8) * pulse(z / 0.8, 0.95, wz / 0.8)
    detail = np.clip(1.5 - wz / 0.8, 0, 1)
    tint = (NOISE.of_cell(np.floor(x / 0.8), np.floor(z / 0.8)) - 0.5) * detail
    shade = 0.62 + 0.16 * tint + 0.1 * NOISE(x, z, 9.0, wz) - 0.25 * joints
    kerb = span(np.abs(x), ROAD_HALF - 1, ROAD_HALF + 0.22, wx)
    return surface.colour * mix(shade, 0.9, kerb), _matt(surface)


def roof(surface: Surface) -> tuple[Floats, Floats]:
    """Courses of tiles."""
    _, y, z = surface.point
    courses = pulse(y / 0.25, 0.8, surface.width(1) / 0.25)
    stains = NOISE(z, y * 2, 19.0, surface.width(2))
    return surface.colour * (0.75 + 0.25 * courses + 0.15 * stains), _matt(surface)


def awning(surface: Surface) -> tuple[Floats, Floats]:
    stripes = pulse(surface.point[2] / 0.8, 0.5, surface.width(2) / 0.8)
    return mix(surface.colour, 0.85, stripes), _matt(surface)


def plain(surface: Surface) -> tuple[Floats, Floats]:
    stains = NOISE(surface.point[2] + surface.point[0], surface.point[1], 7.0, surface.spread * 2)
    return surface.colour * (1 + 0.08 * stains), _matt(surface)


def paint(surface: Surface) -> tuple[Floats, Floats]:
    """Car lacquer."""
    return surface.colour, np.full_like(surface.spread, 0.28)


def cabin(surface: Surface) -> tuple[Floats, Floats]:
    """The glazed upper part of a car: painted roof and pillars, dark glass between them."""
    x, y, z = surface.point
    height = (y - surface.low[1]) / (surface.high[1] - surface.low[1])
    sideways = np.abs(surface.normal[0]) > 0.5
    pillars = pulse((z - surface.low[2]) / 1.15 + 0.04, 0.08, surface.width(2) / 1.15)
    edge = np.minimum(x - surface.low[0], surface.high[0] - x)
    frame = np.where(sideways, pillars, edge < 0.16 + 0.13 * height)
    glass = (1 - frame) * ((height > 0.06) & (height < 0.88)) * (surface.normal[1] < 0.9)
    glass = glass.astype(np.float32)
    return mix(surface.colour, 0.02, glass), 0.28 + 0.5 * glass


def wheel(surface: Surface) -> tuple[Floats, Floats]:
    """A grey rim in a black tyre."""
    middle = (surface.low + surface.high) / 2
    radius = np.hypot(surface.point[1] - middle[1], surface.point[2] - middle[2])
    return mix(0.02, 0.30, radius < 0.18), _matt(surface)


def leaves(surface: Surface) -> tuple[Floats, Floats]:
    """Clumps of leaves: noise from each of three sides, by how far the surface faces it."""
    x, y, z = surface.point
    weight = surface.normal * surface.normal
    clumps = weight[0] * NOISE(z, y, 1.3, surface.spread)
    clumps += weight[1] * NOISE(x, z, 1.3, surface.spread)
    clumps += weight[2] * NOISE(x, y, 1.3, surface.spread)
    return surface.colour * np.clip(1 + 0.9 * clumps, 0.2, 2.3), _matt(surface)


def lamp(surface: Surface) -> tuple[Floats, Floats]:
    """Light sources; an albedo over 1 stands for their own light."""
    return surface.colour * np.float32(1.4), _matt(surface)


TEXTURES: dict[Material, Texture] = {
    Material.PLAIN: plain,
    Material.ROAD: road,
    Material.PAVEMENT: pavement,
    Material.FACADE: facade,
    Material.ROOF: roof,
    Material.AWNING: awning,
    Material.RAILING: railing,
    Material.PAINT: paint,
    Material.CABIN: cabin,
    Material.WHEEL: wheel,
    Material.LEAVES: leaves,
    Material.LAMP: lamp,
}
