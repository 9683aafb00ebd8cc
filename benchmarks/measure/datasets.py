"""Pictures to measure on: the one data set of a folder, and how much haze their names announce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dehaze.runtime.datasets.data_sets import PHOTOGRAPHS, find_data_sets
from dehaze.runtime.datasets.pairs import HazyPair
from dehaze.runtime.errors import InputError

__all__ = ["Haze", "Item", "Measured", "pictures_to_measure"]


class Haze(NamedTuple):
    """The haze that a file's name announces."""

    beta: float
    """The scattering coefficient, per largest depth of the scene indoors."""
    label: str
    """The haze as text, for a table."""


class Item(NamedTuple):
    """A hazy picture and its clear one."""

    hazy: Path
    pair: HazyPair | None = None
    """The clear picture; None for a photograph without reference."""
    haze: Haze | None = None

    @property
    def clear(self) -> Path | None:
        return self.pair.clear if self.pair else None


@dataclass(frozen=True)
class Measured:
    """The pictures of a folder and their layout."""

    layout: str
    """See `DataSet.layout`."""
    items: Sequence[Item]
    """The pictures by scene, then by haze."""

    @property
    def has_references(self) -> bool:
        return self.layout != PHOTOGRAPHS


def pictures_to_measure(folder: Path) -> Measured:
    """Finds the pairs or photographs of a folder. Nothing is decoded yet.

    Raises:
        InputError: none, several data sets, a hazy picture without its clear one, or a name twice.
    """
    found = find_data_sets(folder)
    if len(found) > 1:
        names = " and ".join(str(folder / data_set.name) for data_set in found[:2])
        raise InputError(
            f"{folder}: expected one data set, got {len(found)}, {names} for example; name one"
        )
    data_set = found[0]
    if data_set.scenes:
        raise InputError(
            f"{folder}: expected hazy pictures, got clear ones with depth; they are for training"
        )
    items = [Item(pair.hazy, pair, _haze(pair, data_set.layout)) for pair in data_set.pairs]
    items += [Item(path) for path in data_set.photographs]
    stems: dict[str, Path] = {}
    for item in items:
        if (first := stems.setdefault(item.hazy.stem, item.hazy)) is not item.hazy:
            raise InputError(f"{item.hazy}: expected each name once, got {first} too")
    return Measured(data_set.layout, items)


def _haze(pair: HazyPair, layout: str) -> Haze | None:
    level, beta = pair.name.level, pair.name.beta
    if layout == "SOTS-indoor" and level:
        return Haze(0.5 + 0.1 * level, f"_{level} (beta {0.5 + 0.1 * level:.1f})")
    if beta is None:
        return None
    if layout == "Haze4K":  # which draws a beta for every picture
        return Haze(round(beta, 1), f"beta {beta:.1f}")
    return Haze(beta, f"beta {beta:g}")
