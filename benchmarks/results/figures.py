"""Every figure of the results: its name, its form, what it says and what `compare` makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FIGURES", "Figure", "explanations"]


@dataclass(frozen=True)
class Figure:
    """A figure of a table. The keys of `FIGURES` are the columns of the records."""

    name: str
    sentence: str
    """What it says, without an end."""
    unit: str = ""
    """Empty where there is none, or where `form` shows it."""
    form: str = "{:.2f}"
    better: int = 0
    """1 if higher is better, -1 if lower is; 0 if it depends."""
    least: float | None = None
    """The smallest change that `compare` judges; infinite where it shows the change without
    judging it, None where it does not compare."""

    @property
    def heading(self) -> str:
        """`PSNR, dB`."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    @property
    def explanation(self) -> str:
        """The sentence, and which way is better."""
        way = {1: "; higher is better", -1: "; lower is better", 0: ""}[self.better]
        return f"{self.sentence}{way}"


FIGURES = {
    "interval": Figure(
        "95 %", "the range that the figure before it lies in with a confidence of 95 %"
    ),
    # Against clear pictures. FP16 in place of FP32, on all of SOTS-indoor, moves PSNR by less than
    # 0.01 dB.
    "psnr_db": Figure(
        "PSNR", "how close the result is to the clear picture, pixel by pixel, on a logarithmic "
        "scale: 6 dB more are half the error", "dB", better=1, least=0.02,
    ),
    "ssim": Figure(
        "SSIM", "how alike the structures of the result and of the clear picture are, up to 1 for "
        "equal ones", form="{:.4f}", better=1, least=0.0005,
    ),
    "hazy_psnr_db": Figure("hazy", "the PSNR of the hazy pictures as they are", "dB"),
    "lpips": Figure(
        "LPIPS", "how differently a network sees the result and the clear picture, from 0 for "
        "equal ones", form="{:.4f}", better=-1, least=0.001,
    ),
    "hazy_lpips": Figure("hazy LPIPS", "the LPIPS of the hazy pictures as they are", form="{:.4f}"),
    "auto_psnr_db": Figure(
        "PSNR with --auto", "how close a clear picture stays to itself when --auto decides whether "
        "to dehaze it", "dB", better=1, least=0.02,
    ),
    "kept": Figure(
        "unchanged, worst, median", "how many clear pictures come back pixel for pixel, and the "
        "PSNR that the worst and the middle one have to themselves",
    ),
    # Of photographs. Nobody sees a tenth of a unit of CIE Lab.
    "contrast": Figure(
        "contrast", "how many times as much the luma of textured blocks deviates", better=1,
        least=0.01,
    ),
    "noise": Figure(
        "noise", "how many times as much the luma of flat blocks, such as fog and sky, deviates",
        better=-1, least=0.02,
    ),
    "cast": Figure(
        "cast", "how far the colour of flat blocks moves, in a and b of CIE Lab", better=-1,
        least=0.1,
    ),
    "dark": Figure(
        "dark", "how much lightness flat blocks lose, of 100 in CIE Lab", better=-1, least=0.1,
    ),
    "crushed": Figure(
        "crushed", "percentage of pixels with a colour that is newly below 5 or above 250",
        form="{:.2f} %", better=-1, least=0.1,
    ),
    "e": Figure(
        "new edges e", "how many visible edges are new, for each one there was; noise and halos "
        "count, too", form="{:+.3f}",
    ),
    "r": Figure(
        "gradients r", "how many times as steep the visible edges are; noise and halos count, too",
        form="{:.3f}",
    ),
    "sigma": Figure(
        "saturated", "share of the pixels that are newly black or white", form="{:.2%}", better=-1,
        least=0.001,
    ),
    "piqe": Figure(
        "PIQE", "how much noise and blocking an algorithm sees in the picture alone, from 0 to "
        "100; it knows nothing of haze, and ranks nothing here", form="{:.1f}", better=-1,
        least=math.inf,
    ),
    "hazy_piqe": Figure("hazy PIQE", "the PIQE of the hazy pictures as they are", form="{:.1f}"),
    "brisque": Figure(
        "BRISQUE", "how unlike the statistics of clean photographs those of the picture are, from "
        "about 0 to 100; it knows nothing of haze, and ranks nothing here", form="{:.1f}",
        better=-1, least=math.inf,
    ),
    "hazy_brisque": Figure(
        "hazy BRISQUE", "the BRISQUE of the hazy pictures as they are", form="{:.1f}",
    ),
    # Of detectors: two runs of one file agree, and other kernels move single boxes.
    "map": Figure(
        "mAP 0.5:0.95", "how many objects the detector finds, how few it invents and how well its "
        "boxes fit: the mean of the average precision over classes and ten overlaps, up to 1",
        form="{:.3f}", better=1, least=0.002,
    ),
    "map50": Figure(
        "mAP 0.5", "the same where a box that overlaps by half counts as found", form="{:.3f}",
        better=1, least=0.002,
    ),
    "gain": Figure(
        "change", "the difference that dehazing makes, with its interval over the same draws of "
        "pictures; an interval that holds 0 decides nothing", form="{:+.3f}",
    ),
    # Of speed.
    "p50": Figure("p50", "the median of the milliseconds per frame", better=-1),
    "ratio": Figure(
        "ratio", "the median as a multiple of the first row's, from turns taken on one machine",
        better=-1,
    ),
    "fps": Figure("fps", "frames per second, on average", better=1),
    "percentiles": Figure(
        "p90, p95, p99, mean", "milliseconds that 90, 95 and 99 of 100 frames stay below, and the "
        "average", better=-1,
    ),
    "peak_memory_mib": Figure(
        "peak MiB", "the most memory of a process that opens the model and runs three frames",
        form="{:.0f}", better=-1,
    ),
    "power_w": Figure("W", "power of the whole module while it works without a pause", better=-1),
    "energy_per_frame_j": Figure(
        "J per frame", "energy of the whole module for each frame", better=-1
    ),
    # Of flicker.
    "error_deviation": Figure(
        "deviation over time", "how much the mean error of a frame varies during the video, of 255",
        form="{:.3f}", better=-1,
    ),
    "error_change": Figure(
        "change frame to frame",
        "how much the mean error changes from one frame to the next, of 255",
        form="{:.3f}", better=-1,
    ),
}  # fmt: skip


def explanations(names: Iterable[str]) -> list[tuple[str, str]]:
    """Name and explanation of figures, for a page."""
    return [(FIGURES[name].name, f"{FIGURES[name].explanation}.") for name in names]
