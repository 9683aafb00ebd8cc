"""What a folder of data holds, and what of it is for training and what for validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dehaze.runtime.datasets.artefacts import HEIGHT
from dehaze.runtime.errors import InputError, UsageError
from dehaze.runtime.media.formats import IMAGE_SUFFIXES

from .packed_file import load_collections, save_collections
from .pictures import decoded, scaled_down
from .reside import HazyPair, depth_pairs, find_pairs, match_pairs
from .store import Collection, Picture, coded_depth

BORDER = 10
"""Pixels cut off each side of NYU and FRIDA2, as in RESIDE: NYU's frame has a white margin."""
MOST_BORDER = 20
"""Rows or columns that a clear picture may have more than its hazy one, in all: RESIDE cuts 10
pixels off each side of NYU's 640x480, in some releases from the hazy pictures alone."""
HELD_OUT = 0.05
"""Share of the clear scenes that are held out, where a layout does not say how many."""
DECIMETRES = 10.0
"""Units of a depth file of roads and streets in a metre."""
SKY = 500.0
"""Depth is cut here, in metres: FRIDA2's sky."""


ALL = -1
"""Held out as a whole."""


class Layout(NamedTuple):
    """A data set that is known by the name of its folder."""

    kind: str
    held_out: int
    """The last scenes, which training never sees."""
    finer: bool = False
    """Whether the files are small copies, so that their thumbnails are taken at half the scale."""


LAYOUTS = {
    "nyu": Layout("rooms", 50),
    "frida2": Layout("roads", 10),
    "street": Layout("streets", 60, finer=True),
    "o-haze": Layout("pairs", 5, finer=True),
    "i-haze": Layout("pairs", 5, finer=True),
    "clear-photos": Layout("photographs", 15, finer=True),
    "real-hazy": Layout("unpaired", ALL),
}
"""A folder that holds some of these by name is opened as all of them."""


@dataclass
class Data:
    """What is trained on and what is held out."""

    trained: list[Collection] = field(default_factory=list)
    held_out: list[Collection] = field(default_factory=list)


def open_data(entries: Sequence[str], scale: int, *, training: bool = True) -> Data:
    """Opens each `FOLDER`, `FOLDER=SHARE`, `HAZY:CLEAR` or packed file, whatever layout it has.

    A folder holds data sets by name (`LAYOUTS`), clear pictures in `image/` or `clear/` with
    `depth/`, hazy and clear ones as in RESIDE and the NTIRE sets (see `reside.find_pairs`), or
    nothing but clear photographs. `HAZY:CLEAR` are any two folders whose files have the same names.

    Args:
        scale: pixels of the files per training pixel, along each axis.
        training: whether to load what is trained on, too: of NYU 2 GB at full size.

    Raises:
        InputError: no such folder, nothing in it to train on, or too little.
        UsageError: a share that is no positive number.
    """
    data = Data()
    for entry in entries:
        name, equals, number = entry.rpartition("=")
        name, share = (name, _positive(number, entry)) if equals else (entry, 1.0)
        hazy, colon, clear = name.partition(":")
        if Path(name).is_file():
            parts = load_collections(Path(name))
            data.trained += parts.get("trained", [])
            data.held_out += parts.get("held out", [])
            continue
        if colon:
            found = [_pairs(match_pairs(hazy, clear), scale, Path(hazy).name)]
        else:
            found = _data_sets(Path(name), scale)
        for data_set in found:
            _add(data, data_set, share, training)
    return data


def pack_data(data: Data, path: Path) -> None:
    """Writes all of it as one file, which `open_data` takes in place of the folders."""
    save_collections(path, {"trained": data.trained, "held out": data.held_out})


class _DataSet(NamedTuple):
    """Files of one kind, in the order in which they are trained on or held out."""

    name: str
    kind: str
    files: Sequence[Any]
    load: Callable[[Any], Picture]
    held_out: int
    """How many of the last files, whole scenes, are held out."""


def _add(data: Data, found: _DataSet, share: float, training: bool) -> None:
    held_out = len(found.files) if found.held_out == ALL else found.held_out
    cut = len(found.files) - held_out
    if cut < 1 and found.held_out != ALL:
        raise InputError(
            f"{found.name}: expected more than {found.held_out} pictures, of which to hold out "
            f"{found.held_out}, got {len(found.files)}"
        )
    for collections, files in (
        (data.trained, found.files[:cut] if training else []),
        (data.held_out, found.files[cut:]),
    ):
        if files:
            with ThreadPoolExecutor(torch.get_num_threads()) as pool:
                pictures = list(pool.map(found.load, files))
            collections.append(Collection(found.kind, pictures, share, found.name))


def _data_sets(folder: Path, scale: int) -> list[_DataSet]:
    """The data sets of a folder: all that are known by name, or the one of another layout."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of training data; see --data")
    known = [name for name in LAYOUTS if (folder / name).is_dir()]
    if known:
        return [_known(folder / name, LAYOUTS[name], scale) for name in known]
    names = {path.name.lower() for path in folder.iterdir()}
    if "depth" in names and not names & {"hazy", "haze", "input"}:  # OTS has both, in Matlab's form
        return [_scenes(folder, scale, "rooms", border=0)]
    if _pictures_in(folder) and not _has_pairs(folder):
        return [_photographs(folder, scale)]
    return [_pairs(find_pairs(folder), scale, folder.name)]


def _known(folder: Path, layout: Layout, scale: int) -> _DataSet:
    scale = max(1, scale // 2) if layout.finer else scale
    if layout.kind == "pairs":
        return _pairs(find_pairs(folder), scale, folder.name, layout.held_out)
    if layout.kind == "photographs":
        return _photographs(folder, scale, layout.held_out)
    if layout.kind == "unpaired":
        return _DataSet(folder.name, "unpaired", _pictures_in(folder), _unpaired, ALL)
    border = 0 if layout.kind == "streets" else BORDER
    return _scenes(folder, scale, layout.kind, border, layout.held_out)


def _has_pairs(folder: Path) -> bool:
    try:
        return bool(find_pairs(folder))
    except InputError:
        return False


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _unpaired(path: Path) -> Picture:
    """A hazy photograph about as high as the figures of photographs are measured at."""
    pixels = decoded(path)
    scale = max(1, round(len(pixels) / HEIGHT))
    return Picture(np.ascontiguousarray(scaled_down(pixels, scale)))


def _positive(number: str, entry: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(f"--data {entry}: expected FOLDER=SHARE, the share a positive number")
    return value


def _held_out(scenes: int) -> int:
    return max(1, round(scenes * HELD_OUT))


def _photographs(folder: Path, scale: int, last: int | None = None) -> _DataSet:
    files = _pictures_in(folder)
    last = _held_out(len(files)) if last is None else last
    return _DataSet(
        folder.name, "photographs", files, lambda path: Picture(_thumbnail(path, scale)), last
    )


def _pairs(pairs: Sequence[HazyPair], scale: int, name: str, last: int | None = None) -> _DataSet:
    """Given pairs; a clear scene that is held out is so with all of its haze."""
    scenes = list(dict.fromkeys(pair.clear for pair in pairs))
    later = set(scenes[len(scenes) - (_held_out(len(scenes)) if last is None else last) :])
    ordered = sorted(pairs, key=lambda pair: pair.clear in later)  # stable: by scene, then by name
    held_out = sum(pair.clear in later for pair in pairs)
    return _DataSet(name, "pairs", ordered, lambda pair: _pair(pair, scale), held_out)


def _pair(files: HazyPair, scale: int) -> Picture:
    hazy, clear = decoded(files.hazy), decoded(files.clear)
    clear = _without_border(clear, hazy.shape, files)
    if min(hazy.shape[:2]) < scale:
        height, width = hazy.shape[:2]
        raise InputError(
            f"{files.hazy}: expected {scale} pixels a side or more, got {width}x{height}"
        )
    return Picture(scaled_down(clear, scale), scaled_down(hazy, scale))


def _without_border(
    clear: NDArray[np.uint8], size: Sequence[int], pair: HazyPair
) -> NDArray[np.uint8]:
    """The middle of `clear`, as large as the hazy picture."""
    rows, columns = clear.shape[0] - size[0], clear.shape[1] - size[1]
    if any(extra % 2 or not 0 <= extra <= MOST_BORDER for extra in (rows, columns)):
        raise InputError(
            f"{pair.hazy}: expected the size of {pair.clear}, {clear.shape[1]}x{clear.shape[0]}, "
            f"got {size[1]}x{size[0]}"
        )
    top, left = rows // 2, columns // 2
    return clear[top : top + size[0], left : left + size[1]]


def _scenes(folder: Path, scale: int, kind: str, border: int, last: int | None = None) -> _DataSet:
    """Clear pictures with depth.

    Args:
        kind: `rooms`, whose depth becomes a share of the scene's largest, or another, whose depth
            is in decimetres.
        border: pixels to cut off each side.
    """

    def load(files: tuple[Path, Path]) -> Picture:
        pixels = decoded(files[0], cv2.IMREAD_COLOR_RGB)
        depth = decoded(files[1], cv2.IMREAD_UNCHANGED).astype(np.float32)
        if pixels.shape[:2] != depth.shape:
            raise InputError(f"{files[1]}: expected one depth per pixel of {files[0].name}")
        unit = 1.0 if kind == "rooms" else SKY
        depth = depth / max(depth.max(), 1) if kind == "rooms" else depth / DECIMETRES
        depth = scaled_down(_inside(np.minimum(depth, unit), border), scale)
        clear = np.ascontiguousarray(scaled_down(_inside(pixels, border), scale))
        return Picture(clear, None, coded_depth(depth, unit), unit)

    files = depth_pairs(folder)
    last = _held_out(len(files)) if last is None else last
    return _DataSet(folder.name, kind, files, load, last)


def _thumbnail(path: Path, scale: int) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.ascontiguousarray(scaled_down(decoded(path), scale))
    return pixels


def _inside(pixels: NDArray[Any], border: int) -> NDArray[Any]:
    return pixels[border : len(pixels) - border, border : pixels.shape[1] - border]
