"""Cars and vans built from a few solids each: parked ones, and the two that drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from raycast import Cut, Material, Solid, Vector
from street import (
    DARK,
    END,
    HEAD_LAMP,
    JUNCTION,
    PAINTS,
    RED_LAMP,
    WHITE,
    ZEBRAS,
    Span,
    ball,
    box,
)

PARKED_X = 4.0
LANE_X = 1.6
LEAD_START, LEAD_SPEED = 17.0, 9.2
"""Metres ahead of the camera at first, and metres per second: the car in our lane."""
ONCOMING_START, ONCOMING_SPEED = 74.0, 8.5
"""The same for the car that comes towards us."""


@dataclass(frozen=True)
class Model:
    """The measures of a kind of car, metres."""

    half_length: float
    belt: float
    """Height of the lower edge of the windows."""
    roof: float
    bonnet: float
    rear_lean: float
    """The lean of the rear window, in metres forward per metre of height."""


HATCHBACK = Model(half_length=2.1, belt=0.88, roof=1.46, bonnet=0.95, rear_lean=0.55)
VAN = Model(half_length=2.4, belt=1.15, roof=2.05, bonnet=0.5, rear_lean=0.1)


@dataclass(frozen=True)
class Place:
    """The place of a car, which faces +z (heading 1) or -z (heading -1)."""

    x: float
    z: float
    heading: int

    def box(
        self,
        material: Material,
        across: Span,
        height: Span,
        ahead: Span,
        colour: Vector,
        cuts: tuple[Cut, ...] = (),
    ) -> Solid:
        """A box from intervals in the car's own axes."""
        x = (self.x + across[0], self.x + across[1])
        z = (self.z + self.heading * ahead[0], self.z + self.heading * ahead[1])
        return box(material, x, height, z, colour, cuts=cuts)

    def slope(self, end: int, ahead: float, height: float, lean: float) -> Cut:
        """A front (end 1) or rear (-1) plane that leans inwards by `lean` metres per metre."""
        length = float(np.hypot(1, lean))
        normal = (0.0, lean / length, end * self.heading / length)
        z = self.z + self.heading * ahead
        return normal, normal[1] * height + normal[2] * z

    def side_slope(self, edge: int, height: float, lean: float) -> Cut:
        """The plane of the side windows, left (-1) or right (1)."""
        length = float(np.hypot(1, lean))
        return (edge / length, lean / length, 0.0), (edge * self.x + 0.86 + lean * height) / length


def car(place: Place, paint: Vector, model: Model = HATCHBACK) -> list[Solid]:
    """A car centred on its place."""
    half, belt = model.half_length, model.belt
    body = (place.slope(1, half, 0.62, 0.25), place.slope(-1, -half, 0.7, 0.2))
    windows = (
        place.slope(1, half - model.bonnet, belt, 0.9),
        place.slope(-1, 0.15 - half, belt, model.rear_lean),
        place.side_slope(-1, belt, 0.16),
        place.side_slope(1, belt, 0.16),
    )
    width, length, bumpers = (-0.88, 0.88), (-half, half), (-half - 0.04, half + 0.04)
    parts = [
        place.box(Material.PAINT, width, (0.3, belt), length, paint, body),
        place.box(Material.CABIN, width, (belt - 0.02, model.roof), length, paint, windows),
        place.box(Material.PLAIN, (-0.9, 0.9), (0.26, 0.45), bumpers, DARK),
        place.box(Material.PLAIN, (-0.26, 0.26), (0.46, 0.57), (-half - 0.05, half + 0.05), WHITE),
    ]
    for edge in (-1, 1):
        lights, mirror = (edge * 0.84, edge * 0.58), (edge * 0.9, edge * 1.08)
        front, rear = (half - 0.2, half + 0.02), (0.2 - half, -half - 0.02)
        parts.append(place.box(Material.LAMP, lights, (0.56, 0.7), front, HEAD_LAMP))
        parts.append(place.box(Material.LAMP, lights, (0.6, 0.8), rear, RED_LAMP))
        parts.append(place.box(Material.PAINT, mirror, (belt, belt + 0.14), (0.72, 0.84), paint))
        for axle in (-0.63 * half, 0.63 * half):
            centre = (place.x + edge * 0.78, 0.32, place.z + axle)
            parts.append(ball(Material.WHEEL, centre, (0.15, 0.33, 0.33), DARK))
    return parts


def parked_cars(seed: int) -> list[Solid]:
    """Cars along both kerbs, clear of the crossings and the junction."""
    rng = np.random.default_rng(seed)
    keep_clear = [*ZEBRAS, JUNCTION]
    parts: list[Solid] = []
    for side in (-1, 1):
        for z in np.arange(-6.0, END - 5, 6.2):
            clear = all(z + 3.5 < start or z - 3.5 > end for start, end in keep_clear)
            paint = PAINTS[rng.integers(len(PAINTS))]
            model = VAN if rng.random() < 0.15 else HATCHBACK
            if rng.random() < 0.72 and clear:
                parts += car(Place(side * PARKED_X, float(z), side), paint, model)
    return parts


def traffic(seconds: float) -> list[Solid]:
    """The two cars that drive, at a time in the clip."""
    lead = Place(LANE_X, LEAD_START + LEAD_SPEED * seconds, 1)
    oncoming = Place(-LANE_X, ONCOMING_START - ONCOMING_SPEED * seconds, -1)
    return car(lead, PAINTS[0]) + car(oncoming, PAINTS[3])
