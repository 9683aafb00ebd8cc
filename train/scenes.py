"""Clear images with depth, kept in memory at the scale that the `edge` student sees.

The estimator looks at a thumbnail of 1/4 size and nothing else, so haze is synthesised on
thumbnails: 1/16 of the pixels, and whole images instead of small crops for the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dehaze.runtime.errors import InputError

from .edge import THUMBNAIL_STRIDE

NYU_HELD_OUT = 50
"""The last scenes of the training half: a sequence of rooms that training never sees."""
FRIDA2_HELD_OUT = 10
BORDER = 10
"""Pixels cut off each side, as in RESIDE: NYU's frame has a white margin."""


@dataclass(frozen=True)
class Scenes:
    """Clear thumbnails with depth, all of one size."""

    clear: Tensor
    """(S, 3, h, w) float16 RGB in [0, 1]."""
    depth: Tensor
    """(S, 1, h, w) float32: a share of the scene's largest depth, or metres; see `scattering`."""
    scattering: Tensor
    """(S, 2) float32: range of the scattering coefficient per unit of `depth`."""

    def __len__(self) -> int:
        return len(self.clear)

    def __add__(self, other: Scenes) -> Scenes:
        return Scenes(
            torch.cat((self.clear, other.clear)),
            torch.cat((self.depth, other.depth)),
            torch.cat((self.scattering, other.scattering)),
        )

    def split(self, held_out: int) -> tuple[Scenes, Scenes]:
        """(all but the last `held_out` scenes, the last ones)."""
        cut = len(self) - held_out
        return self._part(slice(None, cut)), self._part(slice(cut, None))

    def _part(self, part: slice) -> Scenes:
        return Scenes(self.clear[part], self.depth[part], self.scattering[part])


def load_nyu(folder: Path) -> Scenes:
    """NYU Depth v2 as RESIDE uses it: d / max(d), beta from [0.6, 1.8] (arXiv 1712.04143).

    Args:
        folder: holds `image/NNNN.jpg` and `depth/NNNN.jpg`, 8 bits, linear in metres.

    Raises:
        InputError: no such scenes.
    """

    def share_of_largest(depth: NDArray[Any]) -> NDArray[Any]:
        return depth / depth.max()

    images = sorted(folder.glob("image/*.jpg"))
    pairs = [(path, folder / "depth" / path.name) for path in images]
    return _load(pairs, share_of_largest, (0.6, 1.8), f"{folder}/image/*.jpg")


def load_frida2(folder: Path) -> Scenes:
    """FRIDA2's rendered roads: depth in metres, fog from light to its own 0.0375 per metre and up.

    Args:
        folder: holds `clear/NN.webp` and `depth/NN.png`, 16 bits, decimetres.

    Raises:
        InputError: no such scenes.
    """

    def metres(depth: NDArray[Any]) -> NDArray[Any]:
        return np.minimum(depth / 10, 500)

    images = sorted(folder.glob("clear/*.webp"))
    pairs = [(path, folder / "depth" / f"{path.stem}.png") for path in images]
    return _load(pairs, metres, (0.008, 0.06), f"{folder}/clear/*.webp")


def _load(
    pairs: Iterable[tuple[Path, Path]],
    scale_depth: Callable[[NDArray[Any]], NDArray[Any]],
    scattering: tuple[float, float],
    expected: str,
) -> Scenes:
    clear, depth = [], []
    for clear_path, depth_path in pairs:
        pixels = _decode(clear_path, cv2.IMREAD_COLOR_RGB).astype(np.float32) / 255
        distance = scale_depth(_decode(depth_path, cv2.IMREAD_UNCHANGED).astype(np.float32))
        clear.append(_thumbnail(pixels).transpose(2, 0, 1).astype(np.float16))
        depth.append(_thumbnail(distance)[None])
    if not clear:
        raise InputError(f"expected scenes at {expected}, found none; see --data")
    return Scenes(
        torch.from_numpy(np.stack(clear)),
        torch.from_numpy(np.stack(depth)),
        torch.tensor(scattering).repeat(len(clear), 1),
    )


def _decode(path: Path, flags: int) -> NDArray[Any]:
    pixels = cv2.imread(str(path), flags)
    if pixels is None:
        raise InputError(f"{path}: expected a picture, cannot decode it")
    return pixels


def _thumbnail(pixels: NDArray[Any]) -> NDArray[Any]:
    inside = pixels[BORDER:-BORDER, BORDER:-BORDER]
    size = (inside.shape[1] // THUMBNAIL_STRIDE, inside.shape[0] // THUMBNAIL_STRIDE)
    return cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
