"""Scores on held-out scenes, for watching a training run and choosing a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from dehaze.runtime.output_file import finished_output

from .haze import scatter
from .network import Network
from .sources import Item, Source

SOTS_BETAS = tuple(round(0.6 + 0.1 * level, 1) for level in range(10))
"""The ten haze levels of SOTS-indoor."""
FRIDA2_BETA = 0.0375
"""FRIDA2's own fog, per metre."""
SAMPLES = 3
"""Pictures of each kind that are drawn."""


class Example(NamedTuple):
    """One picture to score; float16 of each in [0, 1]."""

    hazy: Tensor
    """(3, h, w) RGB."""
    clear: Tensor
    """(3, H, W) RGB, of the size of the network's result."""


class Validation:
    """Fixed pictures that are never trained on, by kind."""

    def __init__(self, examples: Mapping[str, Sequence[Example]]) -> None:
        self._examples = {kind: list(some) for kind, some in examples.items() if some}

    @torch.no_grad()
    def score(self, network: Network, device: torch.device) -> dict[str, float]:
        """Mean PSNR in dB and SSIM (Gaussian window of 11, sigma 1.5) of each kind."""
        scores = {}
        for kind, examples in self._examples.items():
            psnr, ssim = [], []
            for example in examples:
                result = _result(network, example.hazy, device)
                clear = example.clear[None].float().to(device)
                psnr.append(peak_signal_noise_ratio(result, clear, data_range=1.0))
                ssim.append(structural_similarity_index_measure(result, clear, data_range=1.0))
            # 100 dB stand for equal pictures, of which the PSNR is infinite.
            scores[f"{kind}_db"] = torch.stack(psnr).clamp(max=100).mean().item()
            scores[f"{kind}_ssim"] = torch.stack(ssim).mean().item()  # type: ignore[arg-type]
        return scores

    @torch.no_grad()
    def draw(self, network: Network, device: torch.device, path: Path) -> None:
        """Writes a picture of some: a row each of what goes in, what comes out, what should."""
        rows = []
        for examples in self._examples.values():
            for example in examples[:: max(1, len(examples) // SAMPLES)][:SAMPLES]:
                result = _result(network, example.hazy, device)[0].cpu()
                size = result.shape[-2:]
                hazy = nn.functional.interpolate(example.hazy[None].float(), size)[0]
                rows.append(torch.cat((hazy, result, example.clear.float()), dim=2))
        if not rows:
            return
        width = min(row.shape[2] for row in rows)
        sizes = [(round(row.shape[1] * width / row.shape[2]), width) for row in rows]
        fitted = [
            nn.functional.interpolate(row[None], size)[0]
            for row, size in zip(rows, sizes, strict=True)
        ]
        sheet = torch.cat(fitted, dim=1)
        pixels = (255 * sheet).round().byte().permute(1, 2, 0).numpy()
        with finished_output(path, overwrite=True) as unfinished:
            encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
            unfinished.write_bytes(encoded.tobytes())


def _result(network: Network, hazy: Tensor, device: torch.device) -> Tensor:
    return network.predict(hazy[None].float().to(device)).image.float().clamp(0, 1)


def indoor_examples(scenes: Source, limit: int) -> list[Example]:
    """RESIDE's haze, A = 1: two levels a scene, all ten evenly, as in the subset of SOTS."""
    half = len(SOTS_BETAS) // 2
    betas = [
        (index, SOTS_BETAS[(index + shift) % len(SOTS_BETAS)])
        for shift in (0, half)
        for index in range(len(scenes))
    ]
    return [_hazed(scenes[index], beta) for index, beta in spread(betas, limit)]


def road_examples(scenes: Source, limit: int) -> list[Example]:
    """FRIDA2's own fog."""
    return [_hazed(scenes[i], FRIDA2_BETA) for i in spread(range(len(scenes)), limit)]


def clear_examples(scenes: Source, limit: int) -> list[Example]:
    """No haze: what goes in should come out."""
    return [_hazed(scenes[i], 0.0) for i in spread(range(len(scenes)), limit)]


def pair_examples(pairs: Source, limit: int) -> list[Example]:
    """Given hazy pictures."""
    items = [pairs[i] for i in spread(range(len(pairs)), limit)]
    return [
        Example((item.hazy / 255).half(), (item.clear / 255).half())
        for item in items
        if item.hazy is not None
    ]


def doubling_examples(scenes: Source, limit: int) -> list[Example]:
    """Halves of clear pictures, for super-resolution."""
    examples = []
    for index in spread(range(len(scenes)), limit):
        clear = scenes[index].clear / 255
        clear = clear[:, : clear.shape[1] // 2 * 2, : clear.shape[2] // 2 * 2]
        examples.append(Example(nn.functional.avg_pool2d(clear, 2).half(), clear.half()))
    return examples


Entry = TypeVar("Entry")


def spread(entries: Sequence[Entry], limit: int) -> Sequence[Entry]:
    """At most `limit` of them, evenly."""
    return (
        [entries[i * len(entries) // limit] for i in range(limit)]
        if len(entries) > limit
        else entries
    )


def _hazed(item: Item, beta: float) -> Example:
    assert item.depth is not None
    clear = item.clear / 255
    hazy = scatter(clear, torch.exp(-beta * item.depth.float()), 1.0)
    return Example(hazy.half(), clear.half())
