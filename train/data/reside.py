"""Where RESIDE and data sets like it keep their pictures, and what RESIDE's file names say.

Which folders hold what, as the releases unpack:

    ITS (standard)              hazy/1399_10_0.74031.png          clear/1399.png
    ITS (v0)                    ITS_haze/, haze/                  ITS_clear/, clear/
    OTS                         haze/part1/0001_0.8_0.2.jpg       clear/clear_images/0001.jpg
    SOTS                        hazy/1400_1.png                   gt/1400.png
    I-, O-HAZE, Dense-Haze      hazy/01_outdoor_hazy.jpg          GT/01_outdoor_GT.jpg
    NH-HAZE                     01_hazy.png                       01_GT.png, beside it
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.formats import IMAGE_SUFFIXES

ITS_AIRLIGHT = (0.7, 1.0)
"""RESIDE's range of A indoors; the largest scattering coefficient of OTS is 0.2."""

_FORM = r"(?:_(?:images?|jpe?g|png))?\d*"
_HAZY_FOLDER = re.compile(rf"(?:its_)?(?:hazy|haze){_FORM}|ots|input", re.IGNORECASE)
_CLEAR_FOLDER = re.compile(rf"(?:its_)?(?:clear|clean|gt){_FORM}|target", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(rf"images?|{_CLEAR_FOLDER.pattern}", re.IGNORECASE)
_DEPTH_FOLDER = re.compile(r"depths?", re.IGNORECASE)
_HAZY_STEM = re.compile(r"(.+)_(?:hazy|haze)", re.IGNORECASE)
_CLEAR_STEM = re.compile(r"(.+)_(?:gt|clear)", re.IGNORECASE)
_RESIDE_STEM = re.compile(r"(\d+)_(\d+(?:\.\d+)?)(?:_(\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class HazyName:
    """What the name of a hazy file says."""

    index: str
    """The clear scene, as its file is named."""
    level: int | None = None
    """Which of the scene's indoor hazes, from 1; in SOTS beta is 0.5 + 0.1 * level."""
    airlight: float | None = None
    beta: float | None = None
    """The scattering coefficient."""


class HazyPair(NamedTuple):
    """A hazy file and the clear one of the same scene."""

    hazy: Path
    clear: Path
    name: HazyName


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


def find_pairs(folder: Path) -> list[HazyPair]:
    """Every hazy picture in `folder` or below with its clear one, by scene and then by name.

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
            raise InputError(f"{folder}: expected pictures, got {_content(Path(folder))}")
    return _matched(*files)


def _matched(hazy: list[Path], clear: list[Path]) -> list[HazyPair]:
    clear_of: dict[str, Path] = {}
    for path in clear:
        first = clear_of.setdefault(_without_ending(path.stem, _CLEAR_STEM), path)
        if first is not path:
            raise InputError(f"{path}: expected one clear picture a scene, got {first} too")
    pairs, alone = [], []
    for path in hazy:
        name = parse_hazy_name(path.stem)
        scenes = (path.stem, _without_ending(path.stem, _HAZY_STEM), name.index)
        found = next((clear_of[scene] for scene in scenes if scene in clear_of), None)
        if found is None:
            alone.append(path)
        else:
            pairs.append(HazyPair(path, found, name))
    if alone:
        scene = parse_hazy_name(alone[0].stem).index
        raise InputError(_missing(alone, f"its clear picture {scene}.* near {clear[0].parent}"))
    return sorted(pairs, key=lambda pair: (_natural(pair.clear.stem), _natural(pair.hazy.stem)))


def depth_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """(clear, depth) files of the same name in `image/` or `clear/` and `depth/`, by name.

    Raises:
        InputError: no such files, or a clear picture without depth.
    """
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    clear = _pictures(path for path in inside if _IMAGE_FOLDER.fullmatch(path.name))
    depth = _pictures(path for path in inside if _DEPTH_FOLDER.fullmatch(path.name))
    if not clear or not depth:
        raise InputError(
            f"{folder}: expected pictures in image/ (or clear/) and in depth/, "
            f"got {_content(folder)}"
        )
    depth_of = {path.stem: path for path in depth}
    alone = [path for path in clear if path.stem not in depth_of]
    if alone:
        raise InputError(_missing(alone, f"its depth {alone[0].stem}.* in {depth[0].parent}"))
    clear.sort(key=lambda path: _natural(path.stem))
    return [(path, depth_of[path.stem]) for path in clear]


def _hazy_and_clear(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of the one data set in `folder` or below."""
    found = list(_data_sets(folder))
    if not found:
        raise InputError(
            f"{folder}: expected pictures in hazy/ and in clear/ (or gt/), or named *_hazy and "
            f"*_GT, got {_content(folder)}"
        )
    if len(found) > 1:  # RESIDE unpacked in one place: its test half is not to train on
        places = " and ".join(str(root) for root, _, _ in found[:2])
        raise InputError(
            f"{folder}: expected one data set, got {len(found)}, {places} for example; name one"
        )
    return found[0][1:]


def _data_sets(folder: Path) -> Iterator[tuple[Path, list[Path], list[Path]]]:
    """(where, hazy files, clear files) of every folder that has both."""
    for place, folders, files in os.walk(folder):
        root = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        hazy = _pictures(root / name for name in folders if _HAZY_FOLDER.fullmatch(name))
        clear = _pictures(root / name for name in folders if _CLEAR_FOLDER.fullmatch(name))
        if hazy and clear:
            folders.clear()
        else:
            pictures = [root / name for name in sorted(files) if _is_picture(name)]
            hazy = [path for path in pictures if _HAZY_STEM.fullmatch(path.stem)]
            clear = [path for path in pictures if _CLEAR_STEM.fullmatch(path.stem)]
        if hazy and clear:
            yield root, hazy, clear


def _pictures(folders: Iterable[Path]) -> list[Path]:
    return [
        Path(place, name)
        for folder in folders
        for place, _, names in os.walk(folder)
        for name in sorted(names)
        if _is_picture(name)
    ]


def _is_picture(name: str) -> bool:
    hidden = name.startswith(".")  # macOS's archives hold a ._NAME beside each NAME
    return not hidden and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _without_ending(stem: str, pattern: re.Pattern[str]) -> str:
    match = pattern.fullmatch(stem)
    return match[1] if match else stem


def _missing(alone: list[Path], expected: str) -> str:
    others = f", nor for {len(alone) - 1} others" if len(alone) > 1 else ""
    return f"{alone[0]}: expected {expected}, found none{others}"


def _content(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "") or "an empty folder"


def _natural(name: str) -> list[str | int]:
    """Sorts 2 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
