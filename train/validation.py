"""Scores on held-out scenes, for watching a training run and choosing a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from dehaze.runtime.datasets.artefacts import measure_artefacts
from dehaze.runtime.output_file import finished_output

from .data.haze import ramp, scatter
from .data.store import Collection, Picture, Pixels
from .networks.network import Network
from .recipe import Recipe

SOTS_BETAS = tuple(round(0.6 + 0.1 * level, 1) for level in range(10))
"""The ten haze levels of SOTS-indoor."""
LEVELS: dict[str, tuple[str, tuple[float, ...]]] = {
    "rooms": ("indoor", SOTS_BETAS),
    "roads": ("road", (0.0375,)),
    "streets": ("street", (0.008, 0.025)),
    "photographs": ("photograph", (0.3, 1.0)),
}
"""The name in tables and the scattering coefficients of each kind; of roads FRIDA2's own, of
streets two, per metre, of photographs two on a depth that is made up."""
SAMPLES = 3
"""Pictures of each kind that are drawn."""


class Example(NamedTuple):
    """A picture to score; float16 of each in [0, 1]."""

    hazy: Tensor
    """(3, h, w) RGB."""
    clear: Tensor
    """(3, H, W) RGB, of the size of the network's result."""


class Validation:
    """Fixed pictures that are never trained on, by kind, and photographs without a clear one."""

    def __init__(
        self, examples: Mapping[str, Sequence[Example]], photographs: Sequence[Pixels] = ()
    ) -> None:
        self._examples = {kind: list(some) for kind, some in examples.items() if some}
        self._photographs = photographs

    @torch.no_grad()
    def score(self, network: Network, device: torch.device) -> dict[str, float]:
        """Mean PSNR in dB and SSIM (Gaussian window of 11, sigma 1.5) of each kind.

        The photographs, at full size, add the means of their `Artefacts`; see `choice` for the
        number that checkpoints are chosen by.
        """
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
        scores |= self._artefacts(network, device)
        return {**scores, "choice": choice(scores)}

    def _artefacts(self, network: Network, device: torch.device) -> dict[str, float]:
        """Means of the figures of the photographs, each over those that have it."""
        figures: dict[str, list[float]] = {}
        for hazy in self._photographs:
            image = _half(hazy)[None].float().to(device)
            result = network(image).float().clamp(0, 1)[0]
            pixels = (255 * result).round().byte().permute(1, 2, 0).cpu().numpy()
            for name, value in asdict(measure_artefacts(hazy, pixels)).items():
                figures.setdefault(f"photo_{name}", []).append(value)
        return {name: float(np.nanmean(values)) for name, values in figures.items()}

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


def choice(scores: Mapping[str, float]) -> float:
    """The one number that checkpoints are chosen by; higher is better.

    The mean of the PSNR of all kinds of haze, a decibel less for each that clear pictures lack to
    40, for each percent of crushed pixels above 2, and for every 4 levels of lightness that flat
    parts of photographs lose beyond 12.
    """
    hazy = [value for name, value in scores.items() if name.endswith("_db") and name != "clear_db"]
    spoilt = (
        max(0.0, 40 - scores.get("clear_db", 40.0)),
        max(0.0, scores.get("photo_crushed", 0.0) - 2),
        max(0.0, scores.get("photo_dark", 0.0) - 12) / 4,
    )
    return sum(hazy) / max(len(hazy), 1) - sum(spoilt)


def validation_from(held_out: Sequence[Collection], recipe: Recipe) -> Validation:
    """The pictures that a training of this recipe is scored on."""
    limit, doubling = recipe.validation_pictures, recipe.super_resolution
    examples = examples_from(held_out, limit, super_resolution=doubling)
    return Validation(examples, () if doubling else photographs_from(held_out, limit))


def photographs_from(held_out: Sequence[Collection], limit: int) -> Sequence[Pixels]:
    """The hazy photographs without a clear one, at most `limit`."""
    unpaired = [some.pictures for some in held_out if some.kind == "unpaired"]
    return spread([picture.clear for pictures in unpaired for picture in pictures], limit)


def examples_from(
    held_out: Sequence[Collection], limit: int, *, super_resolution: bool = False
) -> dict[str, list[Example]]:
    """The pictures to score a network on, by kind; training never sees them.

    Rooms get RESIDE's haze, A = 1: two levels a scene, all ten evenly, as in the subset of SOTS.
    Roads get FRIDA2's own fog, streets and photographs a light and a dense one; given pairs stay
    what they are. Rooms, streets and photographs without haze are to come out as they go in.

    Args:
        limit: pictures of each kind, at most.
        super_resolution: True to give halves of clear pictures instead.
    """
    examples: dict[str, list[Example]] = {}
    for some in held_out:
        if some.kind == "unpaired":
            continue
        if super_resolution:
            made = {"doubled": [_doubling(picture) for picture in spread(some.pictures, limit)]}
        elif some.kind == "pairs":
            made = {some.name: [_given(picture) for picture in spread(some.pictures, limit)]}
        else:
            name, levels = LEVELS.get(some.kind, ("", ()))
            hazes = spread(_levels(some.pictures, levels), limit)
            made = {name: [_hazed(picture, beta) for picture, beta in hazes]} if levels else {}
            if some.kind != "roads":
                clear = spread(some.pictures, limit)
                made["clear"] = [_hazed(picture, 0.0) for picture in clear]
        for kind, pictures in made.items():
            examples.setdefault(kind, []).extend(pictures)
    return examples


def _levels(pictures: Sequence[Picture], levels: Sequence[float]) -> list[tuple[Picture, float]]:
    """Two levels of haze a picture, or its only one, such that all levels are met evenly."""
    shifts = (0, len(levels) // 2) if len(levels) > 1 else (0,) * len(levels)
    return [
        (picture, levels[(index + shift) % len(levels)])
        for shift in shifts
        for index, picture in enumerate(pictures)
    ]


Entry = TypeVar("Entry")


def spread(entries: Sequence[Entry], limit: int) -> Sequence[Entry]:
    """At most `limit` of the pictures, evenly spread."""
    return (
        [entries[i * len(entries) // limit] for i in range(limit)]
        if len(entries) > limit
        else entries
    )


def _hazed(picture: Picture, beta: float) -> Example:
    clear = _half(picture.clear)
    if not beta:
        return Example(clear, clear)
    if picture.depth is None:
        half = torch.full((1, 1, 1, 1), 0.5)
        depth = 0.5 + ramp(half, clear.shape[-2:])[0]
    else:
        depth = picture.depth_unit * (torch.from_numpy(picture.depth)[None].float() / 255).square()
    return Example(scatter(clear.float(), torch.exp(-beta * depth), 1.0).half(), clear)


def _given(picture: Picture) -> Example:
    assert picture.hazy is not None
    return Example(_half(picture.hazy), _half(picture.clear))


def _doubling(picture: Picture) -> Example:
    """Half of a clear picture, for super-resolution."""
    clear = _half(picture.clear)
    clear = clear[:, : clear.shape[1] // 2 * 2, : clear.shape[2] // 2 * 2]
    return Example(nn.functional.avg_pool2d(clear[None].float(), 2)[0].half(), clear)


def _half(pixels: Pixels) -> Tensor:
    """(h, w, 3) uint8 to (3, h, w) float16 in [0, 1]."""
    return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255).half()
