"""Hazy pictures with their clear ones, and clear pictures with depth, found by folder and name.

Which folders hold what, as the releases unpack:

    ITS (standard)              hazy/1399_10_0.74031.png          clear/1399.png
    ITS (v0)                    ITS_haze/, haze/                  ITS_clear/, clear/
    OTS                         haze/part1/0001_0.8_0.2.jpg       clear/clear_images/0001.jpg
    SOTS-indoor                 hazy/1400_1.png                   gt/1400.png
    SOTS-outdoor                hazy/0001_0.8_0.2.jpg             gt/0001.png
    Haze4K                      IN/1_0.5_0.9.png                  GT/1.png
    RESIDE-6K and the like      input/51.png, hazy/51.png         target/51.png, clear/51.png, GT/
    I-, O-HAZE, Dense-Haze      hazy/01_outdoor_hazy.jpg          GT/01_outdoor_GT.jpg
    NH-HAZE                     01_hazy.png                       01_GT.png, beside it
    BeDDE                       CITY/fog/CITY_1.png               CITY/gt/CITY_clear.png

Upper and lower case do not matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .file_names import (
    HazyName,
    clear_scene,
    hazy_scenes,
    is_clear_name,
    is_hazy_name,
    is_picture,
    natural_order,
    parse_hazy_name,
    pictures_in,
)

__all__ = [
    "DepthScene",
    "HazyPair",
    "content_of",
    "depth_scenes",
    "find_pairs",
    "is_part",
    "match_pairs",
]

_FORM = r"(?:_(?:images?|jpe?g|png))?\d*"
_HAZY_FOLDER = re.compile(rf"(?:its_)?(?:hazy|haze){_FORM}|ots|input|in|fog", re.IGNORECASE)
_CLEAR_FOLDER = re.compile(rf"(?:its_)?(?:clear|clean|gt){_FORM}|target", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(rf"images?|{_CLEAR_FOLDER.pattern}", re.IGNORECASE)
_DEPTH_FOLDER = re.compile(r"depths?", re.IGNORECASE)
_CITY_FOLDER = "fog"
"""BeDDE's folders of hazy pictures; the cities beside one another are one data set."""


class HazyPair(NamedTuple):
    """A hazy file and the clear one of the same scene."""

    hazy: Path
    clear: Path
    name: HazyName


class DepthScene(NamedTuple):
    """A clear file and the one of its depth."""

    clear: Path
    depth: Path


class _Place(NamedTuple):
    """A folder that holds hazy and clear files."""

    folder: Path
    hazy: list[Path]
    clear: list[Path]
    is_city: bool


def find_pairs(folder: Path) -> list[HazyPair]:
    """The hazy pictures in `folder` or below with their clear ones, by scene and then by name.

    A clear picture belongs to the hazy ones of the same name, of the same name but for `_hazy` and
    `_GT`, or of the same index; the file formats may differ.

    Raises:
        InputError: no pairs, several data sets, or a hazy picture without its clear one.
    """
    return _matched(*_hazy_and_clear(folder))


def match_pairs(hazy: str, clear: str) -> list[HazyPair]:
    """The pictures of two folders of any name, matched as `find_pairs` does.

    Raises:
        InputError: no pictures, or a hazy one without its clear one.
    """
    files = [_pictures([Path(folder)]) for folder in (hazy, clear)]
    for folder, found in zip((hazy, clear), files, strict=True):
        if not found:
            raise InputError(f"{folder}: expected pictures, got {content_of(Path(folder))}")
    return _matched(*files)


def depth_scenes(folder: Path) -> list[DepthScene]:
    """The files of the same name in `image/` or `clear/` and `depth/`, by name.

    Raises:
        InputError: no such files, or a clear picture without depth.
    """
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    clear = _pictures(path for path in inside if _IMAGE_FOLDER.fullmatch(path.name))
    depth = _pictures(path for path in inside if _DEPTH_FOLDER.fullmatch(path.name))
    if not clear or not depth:
        raise InputError(
            f"{folder}: expected pictures in image/ (or clear/) and in depth/, "
            f"got {content_of(folder)}"
        )
    depth_of = {path.stem: path for path in depth}
    alone = [path for path in clear if path.stem not in depth_of]
    if alone:
        raise InputError(_missing(alone, f"its depth {alone[0].stem}.* in {depth[0].parent}"))
    clear.sort(key=lambda path: natural_order(path.stem))
    return [DepthScene(path, depth_of[path.stem]) for path in clear]


def is_part(name: str) -> bool:
    """Returns whether a folder of this name holds a side of a data set: hazy/, GT/, depth/ ..."""
    return any(form.fullmatch(name) for form in (_HAZY_FOLDER, _IMAGE_FOLDER, _DEPTH_FOLDER))


def content_of(folder: Path) -> str:
    """The first names in a folder, for an error."""
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "") or "an empty folder"


def _matched(hazy: list[Path], clear: list[Path]) -> list[HazyPair]:
    clear_of: dict[str, Path] = {}
    for path in clear:
        first = clear_of.setdefault(clear_scene(path.stem), path)
        if first is not path:
            raise InputError(f"{path}: expected one clear picture a scene, got {first} too")
    pairs, alone = [], []
    for path in hazy:
        found = next((clear_of[s] for s in hazy_scenes(path.stem) if s in clear_of), None)
        if found is None:
            alone.append(path)
        else:
            pairs.append(HazyPair(path, found, parse_hazy_name(path.stem)))
    if alone:
        scene = parse_hazy_name(alone[0].stem).index
        raise InputError(_missing(alone, f"its clear picture {scene}.* near {clear[0].parent}"))

    def order(pair: HazyPair) -> tuple[list[str | int], list[str | int]]:
        return natural_order(pair.clear.stem), natural_order(pair.hazy.stem)

    return sorted(pairs, key=order)


def _hazy_and_clear(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of the one data set in `folder` or below."""
    found = list(_places(folder))
    if not found:
        raise InputError(
            f"{folder}: expected pictures in hazy/ and in clear/ (or GT/), or named *_hazy and "
            f"*_GT, got {content_of(folder)}"
        )
    first = found[0].folder
    cities = all(place.is_city and place.folder.parent == first.parent for place in found)
    if len(found) > 1 and not cities:
        # RESIDE unpacked in one place: its test half is not to train on
        raise InputError(
            f"{folder}: expected one data set, got {len(found)}, {first} and {found[1].folder} "
            f"for example; name one"
        )
    hazy = [path for place in found for path in place.hazy]
    return hazy, [path for place in found for path in place.clear]


def _places(folder: Path) -> Iterator[_Place]:
    for place, folders, _ in os.walk(folder):
        root = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        hazy_folders = [name for name in folders if _HAZY_FOLDER.fullmatch(name)]
        hazy = _pictures(root / name for name in hazy_folders)
        clear = _pictures(root / name for name in folders if _CLEAR_FOLDER.fullmatch(name))
        is_city = [name.lower() for name in hazy_folders] == [_CITY_FOLDER]
        if hazy and clear:
            folders.clear()
        else:
            pictures = pictures_in(root)
            hazy = [path for path in pictures if is_hazy_name(path.stem)]
            clear = [path for path in pictures if is_clear_name(path.stem)]
        if hazy and clear:
            yield _Place(root, hazy, clear, is_city)


def _pictures(folders: Iterable[Path]) -> list[Path]:
    return [
        Path(place, name)
        for folder in folders
        for place, _, names in os.walk(folder)
        for name in sorted(names)
        if is_picture(name)
    ]


def _missing(alone: list[Path], expected: str) -> str:
    others = f", nor for {len(alone) - 1} others" if len(alone) > 1 else ""
    return f"{alone[0]}: expected {expected}, found none{others}"
