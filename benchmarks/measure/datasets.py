"""Pictures to measure on: which folders and names of a data set hold what.

    SOTS-indoor    hazy/1400_1.png              clear/1400.png (or gt/); _1 ... _10 is the haze
    SOTS-outdoor   hazy/0001_0.8_0.2.jpg        clear/0001.png (or gt/); airlight, then beta
    Haze4K         IN/1_0.5_0.9.png (or haze/)  GT/1.png; airlight, then beta
    O-HAZE         hazy/01_outdoor_hazy.jpg     GT/01_outdoor_GT.jpg
    I-HAZE         hazy/01_indoor_hazy.jpg      GT/01_indoor_GT.jpg
    Dense-Haze     hazy/01_hazy.png             GT/01_GT.png
    NH-HAZE        01_hazy.png                  01_GT.png beside it
    photographs    any pictures in the folder itself, without references

The first layout whose names fit counts; upper and lower case of folders do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.formats import IMAGE_SUFFIXES

__all__ = ["PHOTOGRAPHS", "DataSet", "Haze", "Item", "find_data_set", "pictures_in"]

PHOTOGRAPHS = "photographs"


class Haze(NamedTuple):
    """How much haze a file's name announces."""

    beta: float
    """The scattering coefficient, per largest depth of the scene indoors."""
    label: str
    """For a table."""


class Item(NamedTuple):
    """One hazy picture."""

    hazy: Path
    clear: Path | None
    """None for a photograph without reference."""
    haze: Haze | None = None


@dataclass(frozen=True)
class DataSet:
    """What was found in a folder."""

    layout: str
    """A name from the top of this module."""
    items: tuple[Item, ...]
    """By scene, then by haze."""
    left_out: int = 0
    """Pictures beside the hazy ones whose names do not say which scene they show."""

    @property
    def has_references(self) -> bool:
        return self.layout != PHOTOGRAPHS


def _level(match: re.Match[str]) -> Haze:
    level = int(match["level"])
    return Haze(0.5 + 0.1 * level, f"_{level} (beta {0.5 + 0.1 * level:.1f})")


def _beta(match: re.Match[str]) -> Haze:
    return Haze(float(match["beta"]), f"beta {float(match['beta']):g}")


def _rounded_beta(match: re.Match[str]) -> Haze:
    """Haze4K draws a beta for every picture."""
    beta = round(float(match["beta"]), 1)
    return Haze(beta, f"beta {beta:.1f}")


@dataclass(frozen=True)
class _Layout:
    name: str
    hazy_folders: tuple[str, ...]
    """In lower case; none where the pictures lie in the folder itself."""
    hazy_stem: str
    """With the groups `scene` and, where the name says it, `level` or `beta`."""
    clear_folders: tuple[str, ...]
    clear_stem: str
    """`{}` stands for the scene."""
    haze: Callable[[re.Match[str]], Haze] | None = None


_AIRLIGHT_AND_BETA = r"(?P<scene>\d+)_\d+(?:\.\d+)?_(?P<beta>\d+(?:\.\d+)?)"
_LAYOUTS = (
    _Layout(
        "SOTS-indoor",
        ("hazy",),
        r"(?P<scene>\d+)_(?P<level>[1-9]|10)",
        ("clear", "gt"),
        "{}",
        _level,
    ),
    _Layout("SOTS-outdoor", ("hazy",), _AIRLIGHT_AND_BETA, ("clear", "gt"), "{}", _beta),
    _Layout("Haze4K", ("in", "haze"), _AIRLIGHT_AND_BETA, ("gt",), "{}", _rounded_beta),
    _Layout("O-HAZE", ("hazy",), r"(?P<scene>\d+)_outdoor_hazy", ("gt",), "{}_outdoor_GT"),
    _Layout("I-HAZE", ("hazy",), r"(?P<scene>\d+)_indoor_hazy", ("gt",), "{}_indoor_GT"),
    _Layout("Dense-Haze", ("hazy",), r"(?P<scene>\d+)_hazy", ("gt",), "{}_GT"),
    _Layout("NH-HAZE", (), r"(?P<scene>\d+)_hazy", (), "{}_GT"),
)


_FOLDERS = {name for layout in _LAYOUTS for name in layout.hazy_folders}


def find_data_set(folder: Path) -> DataSet:
    """Recognises the layout of a folder from its files. Nothing is decoded yet.

    Raises:
        InputError: no pictures, or a hazy picture without its clear one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of pictures, found none")
    for layout in _LAYOUTS:
        if found := _find(folder, layout):
            used = {path for item in found for path in (item.hazy, item.clear)}
            left_out = len({*_in(folder, layout.hazy_folders)} - used)
            return DataSet(layout.name, found, left_out)
    if alone := pictures_in(folder):
        items = tuple(Item(path, None) for path in sorted(alone, key=_natural))
        return DataSet(PHOTOGRAPHS, items)
    names = ", ".join(sorted(path.name for path in folder.iterdir())[:4]) or "an empty folder"
    places = sorted(path for path in folder.glob("*/*") if path.is_dir())
    inside = [path.parent for path in places if path.name.lower() in _FOLDERS]
    hint = f"; name one of its folders, {inside[0]} for example" if inside else ""
    raise InputError(
        f"{folder}: expected pictures, or hazy/ with names as in SOTS, O-HAZE, I-HAZE, "
        f"Dense-Haze or Haze4K and clear/ or GT/ beside it, found {names}{hint}"
    )


def _find(folder: Path, layout: _Layout) -> tuple[Item, ...]:
    """Every hazy picture with its clear one; nothing where no picture is named so."""
    hazy = {
        path: match
        for path in _in(folder, layout.hazy_folders)
        if (match := re.fullmatch(layout.hazy_stem, path.stem, re.IGNORECASE))
    }
    if not hazy:
        return ()
    stems: dict[str, Path] = {}
    for path in hazy:
        if (first := stems.setdefault(path.stem, path)) is not path:
            raise InputError(f"{path}: expected each name once, got {first} too")
    clear: dict[str, Path] = {}
    for path in _in(folder, layout.clear_folders):
        if (first := clear.setdefault(path.stem.lower(), path)) is not path:
            raise InputError(f"{path}: expected one clear picture a scene, got {first} too")
    items, missing = [], []
    for path, match in hazy.items():
        stem = layout.clear_stem.format(match["scene"])
        if reference := clear.get(stem.lower()):
            items.append(Item(path, reference, layout.haze(match) if layout.haze else None))
        else:
            missing.append((path, stem))
    if missing:
        path, stem = missing[0]
        place = " or ".join(f"{folder}/{name}/" for name in layout.clear_folders) or f"{folder}/"
        others = f", nor for {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(
            f"{path}: expected its clear picture {stem}.* in {place} ({layout.name}), "
            f"found none{others}"
        )
    return tuple(sorted(items, key=lambda item: _natural(item.hazy)))


def _in(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The pictures of the folder's folders of these names; of itself where there are no names."""
    if not names:
        return pictures_in(folder)
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir())
    return [
        picture for path in inside if path.name.lower() in names for picture in pictures_in(path)
    ]


def pictures_in(folder: Path) -> list[Path]:
    """By name, without the ._NAME that macOS's archives hold beside each NAME."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.is_dir()
    ]


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Sorts 2 before 10."""
    parts = re.split(r"(\d+)", path.stem)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
