"""Opens folders of data: what is for training and what for validation, as thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dehaze.runtime.datasets.artefacts import HEIGHT
from dehaze.runtime.datasets.border import without_border
from dehaze.runtime.datasets.data_sets import DataSet, find_data_sets, two_folders
from dehaze.runtime.datasets.pairs import DepthScene, HazyPair
from dehaze.runtime.errors import InputError, UsageError

from .packed_file import load_collections, save_collections
from .pictures import decoded, scaled_down
from .store import Collection, Picture, coded_depth

DECIMETRES = 10.0
"""Units of a depth file of roads and streets in a metre."""
SKY = 500.0
"""Depth is cut here, in metres: FRIDA2's sky."""


@dataclass
class Data:
    """The pictures to train on and those that are held out."""

    trained: list[Collection] = field(default_factory=list)
    held_out: list[Collection] = field(default_factory=list)


def open_data(entries: Sequence[str], scale: int, *, training: bool = True) -> Data:
    """Opens each `FOLDER`, `FOLDER=SHARE`, `HAZY:CLEAR` or packed file, whatever layout it has.

    For what a folder may hold see `find_data_sets`; `HAZY:CLEAR` are any two folders whose files
    have the same names.

    Args:
        scale: pixels of the files per training pixel, along each axis.
        training: False to load the held-out pictures alone; NYU is 2 GB at full size.

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
            parts = load_collections(Path(name), scale)
            trained = parts.get("trained", [])
            data.trained += [replace(some, share=share * some.share) for some in trained]
            data.held_out += parts.get("held out", [])
            continue
        for found in [two_folders(hazy, clear)] if colon else find_data_sets(Path(name)):
            _add(data, found, scale, share, training)
    return data


def pack_data(data: Data, path: Path, scale: int) -> None:
    """Writes all data into one file, which `open_data` takes in place of the folders.

    Args:
        scale: that of `open_data`; the file can be opened at no other.
    """
    save_collections(path, {"trained": data.trained, "held out": data.held_out}, scale)


def _add(data: Data, found: DataSet, scale: int, share: float, training: bool) -> None:
    trained, held_out = _parted(found)
    if not trained and found.kind != "unpaired":
        raise InputError(
            f"{found.name}: expected more than {found.held_out} pictures, of which to hold out "
            f"{found.held_out}, got {len(found.files)}"
        )
    load = _loader(found, max(1, scale // 2) if found.finer else scale)
    for collections, files in (
        (data.trained, trained if training else []),
        (data.held_out, held_out),
    ):
        if files:
            with ThreadPoolExecutor(torch.get_num_threads()) as pool:
                pictures = list(pool.map(load, files))
            collections.append(Collection(found.kind, pictures, share, found.name))


def _parted(found: DataSet) -> tuple[list[Any], list[Any]]:
    """The files to train on and those to hold out.

    Scenes follow each other as they were taken, so the last ones are held out. Photographs are
    sorted by what they show, so those are spread.
    """
    files, count = list(found.files), found.held_out
    if found.kind != "photographs" or not 0 < count < len(files):
        cut = len(files) - count
        return files[: max(cut, 0)], files[max(cut, 0) :]
    held_out = {(2 * index + 1) * len(files) // (2 * count) for index in range(count)}
    return (
        [file for index, file in enumerate(files) if index not in held_out],
        [file for index, file in enumerate(files) if index in held_out],
    )


def _loader(found: DataSet, scale: int) -> Callable[[Any], Picture]:
    """What reads one of the data set's files, a pair, a scene or a photograph, as thumbnails."""
    if found.kind == "pairs":
        return lambda pair: _pair(pair, scale)
    if found.kind == "photographs":
        return lambda path: Picture(_thumbnail(path, scale))
    if found.kind == "unpaired":
        return _unpaired
    return lambda scene: _scene(scene, scale, found)


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


def _pair(files: HazyPair, scale: int) -> Picture:
    hazy, clear = decoded(files.hazy), decoded(files.clear)
    clear = without_border(clear, hazy.shape, files)
    if min(hazy.shape[:2]) < scale:
        height, width = hazy.shape[:2]
        raise InputError(
            f"{files.hazy}: expected {scale} pixels a side or more, got {width}x{height}"
        )
    return Picture(scaled_down(clear, scale), scaled_down(hazy, scale))


def _scene(files: DepthScene, scale: int, found: DataSet) -> Picture:
    """A clear picture with its depth: in rooms a share of the scene's largest, else in metres."""
    pixels = decoded(files.clear, cv2.IMREAD_COLOR_RGB)
    depth = decoded(files.depth, cv2.IMREAD_UNCHANGED).astype(np.float32)
    if pixels.shape[:2] != depth.shape:
        raise InputError(f"{files.depth}: expected one depth per pixel of {files.clear.name}")
    is_room = found.kind == "rooms"
    unit = 1.0 if is_room else SKY
    depth = depth / max(depth.max(), 1) if is_room else depth / DECIMETRES
    depth = scaled_down(_inside(np.minimum(depth, unit), found.border), scale)
    clear = np.ascontiguousarray(scaled_down(_inside(pixels, found.border), scale))
    return Picture(clear, None, coded_depth(depth, unit), unit)


def _thumbnail(path: Path, scale: int) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.ascontiguousarray(scaled_down(decoded(path), scale))
    return pixels


def _inside(pixels: NDArray[Any], border: int) -> NDArray[Any]:
    return pixels[border : len(pixels) - border, border : pixels.shape[1] - border]
