"""PSNR and SSIM on pairs of hazy and clear pictures, by RESIDE's protocol.

Full pictures in 8-bit RGB as the runtime gives them, no crop, no border. PSNR over all three
colours with a data range of 255, averaged over pictures. SSIM of Wang et al. (2004): Gaussian
window of sigma 1.5, mean over the colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tqdm import tqdm

from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.errors import InputError
from dehaze.runtime.images import read_picture
from dehaze.runtime.inputs import IMAGE_SUFFIXES

from .results import Model
from .surroundings import model_of

__all__ = ["SOTS_LAYOUT", "SOTS_PROTOCOL", "Quality", "measure_quality", "paired_pictures"]

SOTS_LAYOUT = "RESIDE SOTS: hazy/1400_1.* with clear/1400.*"
SOTS_PROTOCOL = {
    "decoder": "OpenCV, EXIF orientation and colour profile applied, as dehaze-run reads",
    "crop": "none, full pictures, no border left out",
    "colour space": "RGB, 8 bits",
    "data range": "255",
    "PSNR": "over all three colours, averaged over the pictures",
    "SSIM": "Wang et al. 2004: Gaussian window of sigma 1.5, mean over the colours",
}


@dataclass(frozen=True)
class Quality:
    """Scores of one picture."""

    name: str
    psnr_db: float
    ssim: float


def paired_pictures(folder: Path) -> list[tuple[Path, Path]]:
    """(hazy, clear) files of RESIDE's SOTS layout: `hazy/1400_1.*` belongs to `clear/1400.*`.

    Raises:
        InputError: no such files, or a clear one is missing.
    """
    clear = {path.stem: path for path in _pictures(folder / "clear")}
    pairs = []
    for hazy in _pictures(folder / "hazy"):
        scene = hazy.stem.split("_")[0]
        if scene not in clear:
            raise InputError(f"{hazy}: expected its clear picture at {folder}/clear/{scene}.*")
        pairs.append((hazy, clear[scene]))
    if not pairs:
        raise InputError(f"{folder}: expected hazy/ and clear/ with pictures, found none")
    return pairs


def _pictures(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def measure_quality(
    model: str, folder: Path, threads: int | None
) -> tuple[list[Quality], float, Model]:
    """Scores of every pair, the mean PSNR of the hazy pictures as they are, and what made them.

    Raises:
        InputError: no pairs there.
        ModelError: a model that cannot be opened.
    """
    scores, before = [], []
    with open_dehazer(model, threads=threads) as dehazer:
        about = model_of(model, dehazer.contract, dehazer.backend)
        for hazy_path, clear_path in tqdm(paired_pictures(folder), disable=None, leave=False):
            hazy, clear = read_picture(hazy_path).rgb, read_picture(clear_path).rgb
            result = dehazer(hazy)
            before.append(_psnr(hazy, clear))
            ssim = structural_similarity(
                clear, result, channel_axis=2, gaussian_weights=True, use_sample_covariance=False
            )
            scores.append(Quality(hazy_path.stem, _psnr(result, clear), float(ssim)))
    return scores, float(np.mean(before)), about


def _psnr(result: NDArray[np.uint8], clear: NDArray[np.uint8]) -> float:
    return float(peak_signal_noise_ratio(clear, result, data_range=255))
