"""Writes and reads pictures to train on as one file that travels to another machine.

They are JPEG streams (colours) and PNG streams (depth), one after the other, in NumPy's archive of
arrays. The whole mixture of the shipped student takes less than 45 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError
from dehaze.runtime.output_file import finished_output

from .store import Collection, Picture, Pixels

FORMAT = 1
"""Raised when an older version could no longer read a newer file."""
JPEG_QUALITY = 93
"""Nothing of it is visible in thumbnails, whose colours are not subsampled here."""


def save_collections(
    path: Path, parts: Mapping[str, Sequence[Collection]], scale: int
) -> None:
    """Writes pictures as one file that travels: JPEG for colours, PNG for depth.

    Args:
        parts: collections to train on and to score, by name.
        scale: pixels of the files per pixel here, along each axis.
    """
    table: dict[str, list[Any]] = {
        name: [] for name in ("part", "kind", "share", "name", "count", "unit")
    }
    streams: list[NDArray[np.uint8]] = []
    lengths: list[list[int]] = []
    for part, collections in parts.items():
        for some in collections:
            table["part"].append(part)
            for name in ("kind", "share", "name"):
                table[name].append(getattr(some, name))
            table["count"].append(len(some.pictures))
            for picture in some.pictures:
                table["unit"].append(picture.depth_unit)
                coded = [_coded(layer) for layer in (picture.clear, picture.hazy, picture.depth)]
                lengths.append([len(stream) for stream in coded])
                streams += coded
    arrays: dict[str, Any] = {name: np.array(values) for name, values in table.items()}
    with finished_output(path, overwrite=True) as unfinished, unfinished.open("wb") as file:
        np.savez(
            file,
            format=np.array(FORMAT),
            scale=np.array(scale),
            lengths=np.array(lengths, np.int64).reshape(-1, 3),
            streams=np.concatenate(streams or [np.zeros(0, np.uint8)]),
            **arrays,
        )


def load_collections(path: Path, scale: int) -> dict[str, list[Collection]]:
    """Reads what `save_collections` wrote, decoding several pictures at a time.

    Raises:
        InputError: no such file, not one of these, or packed at another scale.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if int(arrays["format"]) != FORMAT:
            raise InputError(f"{path}: packed by another version; pack the data again")
        packed_scale = int(arrays.get("scale", scale))  # the first of these files do not say
        if packed_scale != scale:
            raise InputError(
                f"{path}: packed at 1/{packed_scale} of the files' size, the recipe is at "
                f"1/{scale}; pack the data again, or --set scale={packed_scale}"
            )
        ends = arrays["lengths"].cumsum().reshape(-1, 3)
        streams = arrays["streams"]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; make it with dehaze-train --pack") from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: expected a file of packed pictures, made by dehaze-train --pack"
        ) from error

    def picture(index: int) -> Picture:
        spans = zip(ends[index] - arrays["lengths"][index], ends[index], strict=True)
        clear, hazy, depth = (_decoded(streams[a:b], path) if b > a else None for a, b in spans)
        if clear is None:
            raise InputError(f"{path}: picture {index} is missing; pack the data again")
        return Picture(clear, hazy, depth, float(arrays["unit"][index]))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        pictures = list(pool.map(picture, range(len(ends))))
    parts: dict[str, list[Collection]] = {}
    first = 0
    for row, count in enumerate(arrays["count"].tolist()):
        kind, name = str(arrays["kind"][row]), str(arrays["name"][row])
        share = float(arrays["share"][row])
        some = Collection(kind, pictures[first : first + count], share, name)
        parts.setdefault(str(arrays["part"][row]), []).append(some)
        first += count
    return parts


def _coded(pixels: Pixels | None) -> NDArray[np.uint8]:
    if pixels is None:
        return np.zeros(0, np.uint8)
    if pixels.ndim == 2:
        return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_OPTIMIZE,
        1,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].ravel()


def _decoded(stream: NDArray[np.uint8], path: Path) -> Pixels:
    pixels = cv2.imdecode(stream, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f"{path}: a picture in it cannot be decoded; pack the data again")
    whole = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return np.asarray(whole, np.uint8)
