"""Clear images with depth, kept in memory at the training scale.

`edge` looks at a thumbnail of 1/4 size and nothing else, so for it haze is synthesised on
thumbnails: 1/16 of the pixels, and whole images instead of small crops for the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dehaze.runtime.errors import InputError

from .pictures import decoded, scaled_down, tensor_from_pixels
from .reside import depth_pairs
from .sources import Item

BORDER = 10
"""Pixels cut off each side of NYU and FRIDA2, as in RESIDE: NYU's frame has a white margin."""
OUTDOOR_AIRLIGHT = (0.5, 1.0)
"""Grey days: with RESIDE's 0.7 as the darkest, grey skies of photographs came out black."""
INDOOR_SCATTERING = (0.6, 1.8)
"""RESIDE's range of beta, for depth as a share of the scene's largest (arXiv 1712.04143)."""


@dataclass(frozen=True)
class Scenes:
    """Clear pictures with depth, all with one range of haze; a `Source`."""

    clear: list[Tensor]
    """Each (3, h, w) uint8 RGB."""
    depth: list[Tensor]
    """Each (1, h, w) float16: a share of the scene's largest depth, or metres."""
    scattering: tuple[float, float]
    """Range of the scattering coefficient per unit of `depth`."""
    airlight: tuple[float, float] | None = None
    """Range of the airlight, if it is not the recipe's."""

    def __len__(self) -> int:
        return len(self.clear)

    def __getitem__(self, index: int) -> Item:
        return Item(self.clear[index], self.depth[index], None, self.scattering, self.airlight)

    def split(self, held_out: int) -> tuple[Scenes, Scenes]:
        """(all but the last `held_out` scenes, the last ones).

        Raises:
            InputError: not that many scenes.
        """
        cut = len(self) - held_out
        if cut < 1:
            raise InputError(
                f"expected more than {held_out} clear scenes, of which to hold out {held_out}, "
                f"got {len(self)}"
            )
        return (
            replace(self, clear=self.clear[:cut], depth=self.depth[:cut]),
            replace(self, clear=self.clear[cut:], depth=self.depth[cut:]),
        )


def share_of_largest(depth: NDArray[Any]) -> NDArray[Any]:
    """Depth as RESIDE takes it, d / max(d)."""
    return depth / max(depth.max(), 1)


def metres(depth: NDArray[Any]) -> NDArray[Any]:
    """FRIDA2's decimetres; the sky is 500 m away."""
    return np.minimum(depth / 10, 500)


EVERY = slice(None)


def load_nyu(folder: Path, scale: int, which: slice = EVERY) -> Scenes:
    """NYU Depth v2 as RESIDE uses it: `image/NNNN.jpg`, `depth/NNNN.jpg` (8 bits, linear).

    Args:
        scale: pixels of the files per training pixel, along each axis.
        which: of the scenes, by name.

    Raises:
        InputError: no such scenes.
    """
    files = depth_pairs(folder)[which]
    return load_scenes(files, scale, share_of_largest, INDOOR_SCATTERING, BORDER)


def load_frida2(folder: Path, scale: int, which: slice = EVERY) -> Scenes:
    """FRIDA2's rendered roads, fog from light to its own 0.0375 per metre and beyond.

    Args:
        folder: holds `clear/NN.webp` and `depth/NN.png`, 16 bits, decimetres.
        scale: pixels of the files per training pixel, along each axis.
        which: of the scenes, by name.

    Raises:
        InputError: no such scenes.
    """
    roads = load_scenes(depth_pairs(folder)[which], scale, metres, (0.008, 0.06), BORDER)
    return replace(roads, airlight=OUTDOOR_AIRLIGHT)


def load_scenes(
    pairs: Iterable[tuple[Path, Path]],
    scale: int,
    scale_depth: Callable[[NDArray[Any]], NDArray[Any]],
    scattering: tuple[float, float],
    border: int = 0,
) -> Scenes:
    """Decodes (clear, depth) files, several at a time.

    Raises:
        InputError: one that cannot be decoded, or depth of another size.
    """

    def load(files: tuple[Path, Path]) -> tuple[Tensor, Tensor]:
        pixels = decoded(files[0], cv2.IMREAD_COLOR_RGB)
        distance = scale_depth(decoded(files[1], cv2.IMREAD_UNCHANGED).astype(np.float32))
        if pixels.shape[:2] != distance.shape:
            raise InputError(f"{files[1]}: expected one depth per pixel of {files[0].name}")
        clear = tensor_from_pixels(scaled_down(_inside(pixels, border), scale))
        depth = scaled_down(_inside(distance, border), scale)[None]
        return clear, torch.from_numpy(depth.astype(np.float16))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        loaded = list(pool.map(load, pairs))
    clear, depth = zip(*loaded, strict=True)
    return Scenes(list(clear), list(depth), scattering)


def _inside(pixels: NDArray[Any], border: int) -> NDArray[Any]:
    return pixels[border : len(pixels) - border, border : pixels.shape[1] - border]
