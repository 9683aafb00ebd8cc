"""File names of data sets: which are pictures, in which order, and what RESIDE's names say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..media.formats import IMAGE_SUFFIXES

__all__ = [
    "HazyName", "clear_scene", "hazy_scenes", "is_clear_name", "is_hazy_name", "is_picture",
    "natural_order", "parse_hazy_name", "pictures_in",
]  # fmt: skip

ITS_AIRLIGHT = (0.7, 1.0)
"""RESIDE's range of A indoors; the largest scattering coefficient of OTS is 0.2."""

_HAZY_STEM = re.compile(r"(.+)_(?:hazy|haze)", re.IGNORECASE)
_CLEAR_STEM = re.compile(r"(.+)_(?:gt|clear)", re.IGNORECASE)
_NUMBERED_STEM = re.compile(r"(.+)_\d+")
_RESIDE_STEM = re.compile(r"(\d+)_(\d+(?:\.\d+)?)(?:_(\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class HazyName:
    """The haze that the name of a hazy file states."""

    index: str
    """The clear scene, as its file is named."""
    level: int | None = None
    """The number of the indoor haze, from 1; in SOTS beta is 0.5 + 0.1 * level."""
    airlight: float | None = None
    beta: float | None = None
    """The scattering coefficient."""


def parse_hazy_name(stem: str) -> HazyName:
    """Index, level and airlight of ITS, index and level of SOTS-indoor, index, A and beta outdoors.

    `0240_1_0.08` of OTS has A = 1, `240_1_0.74` of ITS is its level 1: the last number tells them
    apart. A name of another form is all index, but for a final `_hazy`.
    """
    match = _RESIDE_STEM.fullmatch(stem)
    if match is None:
        return HazyName(_without_ending(stem, _HAZY_STEM))
    index, first, last = match.groups()
    if last is None:
        return HazyName(index, int(first)) if first.isdecimal() else HazyName(index)
    if first.isdecimal() and ITS_AIRLIGHT[0] <= float(last) <= ITS_AIRLIGHT[1]:
        return HazyName(index, int(first), float(last))
    return HazyName(index, None, float(first), float(last))


def is_hazy_name(stem: str) -> bool:
    """Returns whether a name ends in `_hazy` or `_haze`."""
    return _HAZY_STEM.fullmatch(stem) is not None


def is_clear_name(stem: str) -> bool:
    """Returns whether a name ends in `_GT` or `_clear`."""
    return _CLEAR_STEM.fullmatch(stem) is not None


def hazy_scenes(stem: str) -> list[str]:
    """The scenes that a hazy file may show, in lower case, the likeliest first.

    The same name as the clear file's, the name without `_hazy`, RESIDE's index, and the name
    without a final number, as in BeDDE.
    """
    numbered = _without_ending(stem, _NUMBERED_STEM)
    names = (stem, _without_ending(stem, _HAZY_STEM), parse_hazy_name(stem).index, numbered)
    return [name.lower() for name in names]


def clear_scene(stem: str) -> str:
    """The scene that a clear file shows, in lower case: its name without `_GT` or `_clear`."""
    return _without_ending(stem, _CLEAR_STEM).lower()


def natural_order(name: str) -> list[str | int]:
    """A key for sorting that puts 2 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def is_picture(name: str) -> bool:
    """Returns whether a name is that of a picture; macOS's archives hold a ._NAME beside each."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder itself, by name."""
    return [path for path in sorted(folder.iterdir()) if is_picture(path.name) and path.is_file()]


def _without_ending(stem: str, pattern: re.Pattern[str]) -> str:
    match = pattern.fullmatch(stem)
    return match[1] if match else stem
