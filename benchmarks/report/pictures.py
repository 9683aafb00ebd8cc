"""Before and after of a few pictures, small enough to lie inside a page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.datasets.file_names import pictures_in
from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.errors import InputError
from dehaze.runtime.media.formats import IMAGE_SUFFIXES
from dehaze.runtime.media.pictures import read_picture
from dehaze.runtime.media.video_reader import TimedFrame, VideoReader

__all__ = ["PicturePair", "picture_pairs"]

MOST = 2
LONGEST_SIDE = 960
"""A picture takes about 100 kB at this size."""
JPEG_QUALITY = 82


@dataclass(frozen=True)
class PicturePair:
    """A picture before and after, as data URIs."""

    name: str
    width: int
    height: int
    before: str
    after: str


def picture_pairs(path: Path, model: str) -> list[PicturePair]:
    """Up to two pictures of a folder, or frames of a video, and what `model` makes of them.

    Raises:
        InputError: nothing there that can be read.
        ModelError: a model that cannot be opened.
    """
    with open_dehazer(model) as dehazer:
        pairs = [_pair(name, hazy, dehazer(hazy)) for name, hazy in _pictures(path)]
    if not pairs:
        raise InputError(f"{path}: expected pictures or a video, got none")
    return pairs


def _pictures(path: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Evenly spread over the folder or the video."""
    if path.is_dir():
        files = pictures_in(path)
        for number in _spread(len(files)):
            yield files[number].stem, read_picture(files[number]).rgb
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.stem, read_picture(path).rgb
    else:
        wanted = set(_spread(sum(1 for _ in _frames(path))))
        for number, frame in enumerate(islice(_frames(path), max(wanted, default=-1) + 1)):
            if number in wanted:
                yield f"{path.stem}, frame {number + 1}", frame


def _spread(number: int) -> list[int]:
    return sorted({number * (2 * part + 1) // (2 * MOST) for part in range(MOST)} if number else [])


def _frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        yield from (item.pixels for item in reader.read() if isinstance(item, TimedFrame))


def _pair(name: str, hazy: NDArray[np.uint8], clear: NDArray[np.uint8]) -> PicturePair:
    scale = min(1.0, LONGEST_SIDE / max(hazy.shape[:2]))
    size = (max(1, round(hazy.shape[1] * scale)), max(1, round(hazy.shape[0] * scale)))
    return PicturePair(name, *size, _data_uri(hazy, size), _data_uri(clear, size))


def _data_uri(pixels: NDArray[np.uint8], size: tuple[int, int]) -> str:
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
