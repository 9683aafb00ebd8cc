"""Finds the data sets in a folder, and the pictures of them that are held out from training."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ..errors import InputError
from .file_names import pictures_in
from .pairs import DepthScene, HazyPair, content_of, depth_scenes, find_pairs, match_pairs

__all__ = ["KNOWN", "PHOTOGRAPHS", "DataSet", "find_data_sets", "known_data_set", "two_folders"]

HELD_OUT = 0.05
"""Share of the clear scenes that are held out, where a data set does not say how many."""
NYU_BORDER = 10
"""Pixels cut off each side of NYU and FRIDA2, as in RESIDE: NYU's frame has a white margin."""
PHOTOGRAPHS = "photographs"
"""The layout of pictures alone."""
MOST_BETA_OUTDOORS = 0.2
"""The largest scattering coefficient of RESIDE's outdoor halves; Haze4K's begin at 0.5."""

Kind: TypeAlias = Literal["pairs", "photographs", "unpaired", "rooms", "roads", "streets"]


class Known(NamedTuple):
    """The properties of a data set that lies in a folder of its own name."""

    kind: Kind
    held_out: int | None
    """Number of scenes that are held out: at the end, of photographs spread; None for all."""
    finer: bool = False
    """True if the files are small copies, so that training takes them at half the scale."""


KNOWN = {
    "nyu": Known("rooms", 50),
    "frida2": Known("roads", 10),
    "street": Known("streets", 60, finer=True),
    "o-haze": Known("pairs", 5, finer=True),
    "i-haze": Known("pairs", 5, finer=True),
    "clear-photos": Known("photographs", 15, finer=True),
    "real-hazy": Known("unpaired", None),
}
"""A folder that holds some of these by name is opened as all of them."""


@dataclass(frozen=True)
class DataSet:
    """The files of one data set."""

    name: str
    kind: Kind
    """`pairs` of hazy and clear pictures; clear pictures with depth, `rooms` of which the depth is
    relative, `roads` and `streets` in decimetres; `photographs`, nothing but clear pictures, or
    `unpaired` hazy ones."""
    layout: str
    """The naming of the files, such as `SOTS-indoor`; `pairs` where they follow no known set."""
    files: Sequence[HazyPair] | Sequence[DepthScene] | Sequence[Path]
    """The pictures by scene, then by haze."""
    held_out: int
    """Number of files that training never sees: at the end, of pairs whole scenes; of photographs
    spread."""
    finer: bool = False
    border: int = 0
    """Pixels to cut off each side."""

    @property
    def pairs(self) -> list[HazyPair]:
        return [files for files in self.files if isinstance(files, HazyPair)]

    @property
    def scenes(self) -> list[DepthScene]:
        return [files for files in self.files if isinstance(files, DepthScene)]

    @property
    def photographs(self) -> list[Path]:
        return [files for files in self.files if isinstance(files, Path)]


def find_data_sets(folder: Path) -> list[DataSet]:
    """Finds the data sets that are known by name (`KNOWN`), or the one of another name.

    The latter is clear pictures in `image/` or `clear/` with `depth/`, pictures alone, or hazy and
    clear ones, in the folder or below.

    Raises:
        InputError: no such folder, no data set, several of other names, or a picture without its
            partner.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of pictures, got {content_of(folder)}")
    if known := [name for name in KNOWN if (folder / name).is_dir()]:
        return [known_data_set(folder / name) for name in known]
    names = {path.name.lower() for path in folder.iterdir()}
    if "depth" in names and not names & {"hazy", "haze", "input"}:  # OTS has both, in Matlab's form
        return [_depth(folder, "rooms")]
    if pictures_in(folder) and not _has_pairs(folder):
        return [_photographs(folder)]
    return [_pairs(find_pairs(folder), folder.name)]


def two_folders(hazy: str, clear: str) -> DataSet:
    """The pairs of two folders of any names, whose files have the same names.

    Raises:
        InputError: no pictures, or a hazy one without its clear one.
    """
    return _pairs(match_pairs(hazy, clear), Path(hazy).name)


def known_data_set(folder: Path) -> DataSet:
    """The data set in a folder whose name is one of `KNOWN`.

    Raises:
        InputError: the files that this data set consists of are not there.
    """
    known = KNOWN[folder.name]
    if known.kind == "pairs":
        return _pairs(find_pairs(folder), folder.name, known.held_out, finer=known.finer)
    if known.kind == "unpaired":
        files = pictures_in(folder)
        return DataSet(folder.name, known.kind, PHOTOGRAPHS, files, len(files))
    if known.kind == "photographs":
        return _photographs(folder, known.held_out, finer=known.finer)
    border = 0 if known.kind == "streets" else NYU_BORDER
    return _depth(folder, known.kind, known.held_out, finer=known.finer, border=border)


def _pairs(
    pairs: Sequence[HazyPair], name: str, last: int | None = None, *, finer: bool = False
) -> DataSet:
    scenes = list(dict.fromkeys(pair.clear for pair in pairs))
    held_out = set(scenes[max(0, len(scenes) - _held_out(len(scenes), last)) :])
    ordered = sorted(pairs, key=lambda pair: pair.clear in held_out)
    count = sum(pair.clear in held_out for pair in pairs)
    return DataSet(name, "pairs", layout_of(pairs), ordered, count, finer)


def _photographs(folder: Path, last: int | None = None, *, finer: bool = False) -> DataSet:
    files = pictures_in(folder)
    held_out = _held_out(len(files), last)
    return DataSet(folder.name, "photographs", PHOTOGRAPHS, files, held_out, finer)


def _depth(
    folder: Path, kind: Kind, last: int | None = None, *, finer: bool = False, border: int = 0
) -> DataSet:
    files = depth_scenes(folder)
    held_out = _held_out(len(files), last)
    layout = "clear pictures with depth"
    return DataSet(folder.name, kind, layout, files, held_out, finer, border)


def _held_out(scenes: int, last: int | None) -> int:
    return max(1, round(scenes * HELD_OUT)) if last is None else last


def _has_pairs(folder: Path) -> bool:
    try:
        return bool(find_pairs(folder))
    except InputError:
        return False


def layout_of(pairs: Sequence[HazyPair]) -> str:
    """The data set whose names these are; `pairs` where they are no known ones."""
    names = [pair.name for pair in pairs]
    if all(name.level and name.airlight is None for name in names):
        return "SOTS-indoor" if all(1 <= (name.level or 0) <= 10 for name in names) else "pairs"
    if all(name.level and name.airlight for name in names):
        return "ITS"
    if all(name.airlight is not None for name in names):
        if max(name.beta or 0 for name in names) > MOST_BETA_OUTDOORS:
            return "Haze4K"
        return "SOTS-outdoor" if len({name.index for name in names}) == len(names) else "OTS"
    return next((name for name, fits in _BY_NAME.items() if all(map(fits, pairs))), "pairs")


def _named(hazy: str, *, beside: bool = False) -> Callable[[HazyPair], bool]:
    """Returns whether a hazy file's name has this form, and its clear one lies in its folder."""

    def fits(pair: HazyPair) -> bool:
        form = re.fullmatch(hazy, pair.hazy.stem, re.IGNORECASE)
        return form is not None and (pair.hazy.parent == pair.clear.parent) == beside

    return fits


_BY_NAME: dict[str, Callable[[HazyPair], bool]] = {
    "O-HAZE": _named(r"\d+_outdoor_hazy"),
    "I-HAZE": _named(r"\d+_indoor_hazy"),
    "Dense-Haze": _named(r"\d+_hazy"),
    "NH-HAZE": _named(r"\d+_hazy", beside=True),
    "BeDDE": lambda pair: pair.hazy.parent.name.lower() == "fog",
}
