"""Decodes picture files and scales them down to the training scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError


def decoded(path: Path, flags: int = cv2.IMREAD_COLOR_RGB) -> NDArray[Any]:
    """The pixels of a file, (H, W, 3) uint8 RGB unless `flags` say otherwise.

    Raises:
        InputError: no picture.
    """
    pixels = cv2.imread(str(path), flags)
    if pixels is None:
        raise InputError(f"{path}: expected a picture, cannot decode it")
    return pixels


def scaled_down(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """(H, W[, C]) to (H // scale, W // scale[, C]): means of squares of `scale` pixels."""
    size = (pixels.shape[1] // scale, pixels.shape[0] // scale)
    exact = pixels[: size[1] * scale, : size[0] * scale]
    return exact if scale == 1 else cv2.resize(exact, size, interpolation=cv2.INTER_AREA)

