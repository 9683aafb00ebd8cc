"""Batches: which scenes, which crops and which haze, all a function of the seed and the step.

So a run that was stopped goes on with the very batches that it would have seen, and several
processes share a batch without talking to each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dehaze.runtime.errors import InputError

from .haze import HazeDraw, HazeRecipe, Pair, draw_haze, synthesise
from .sources import Item, Share, Source

CROP_MULTIPLE = 8
"""Sides of crops are a multiple of this: whole cells at every level of `edge` and of FAM."""


class Crops(NamedTuple):
    """A batch as it leaves the CPU: uint8, a quarter of the bytes of float32."""

    clear: Tensor
    """(N, 3, h, w) uint8 RGB."""
    depth: Tensor
    """(N, 1, h, w) float16; not used where `paired`."""
    hazy: Tensor
    """(N, 3, h, w) uint8 RGB; not used unless `paired`. N is 0 where no sample is paired."""
    paired: Tensor
    """(N,) bool: the hazy picture is given."""
    haze: HazeDraw
    step: int


@dataclass(frozen=True)
class BatchOptions:
    """What a batch is made of."""

    size: int
    """Samples over all processes."""
    crop: int
    """Side of the square crop at the training scale; cut to the smallest scene of the batch."""
    rotate: bool
    """Whether to turn by multiples of 90 degrees, beside mirroring left to right."""
    haze: HazeRecipe
    seed: int
    rank: int = 0
    processes: int = 1


class Batches(Dataset[Crops]):
    """Item i is the batch of step i, cut to what is this process's part."""

    def __init__(self, shares: Sequence[Share], options: BatchOptions) -> None:
        self.options = options
        self._shares = shares

    def __getitem__(self, step: int) -> Crops:
        options = self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        which = [
            (source, int(torch.randint(len(source), (), generator=generator)))
            for source in _drawn(self._shares, options.size, generator)
        ]
        places = torch.rand(options.size, 4, generator=generator)
        own = slice(options.rank, None, options.processes)
        items = [source[index] for source, index in which[own]]
        scattering = torch.zeros(options.size, 2)
        scattering[own] = torch.tensor([item.scattering for item in items])
        airlight = torch.tensor(options.haze.airlight).repeat(options.size, 1)
        airlight[own] = torch.tensor([item.airlight or options.haze.airlight for item in items])
        haze = draw_haze(scattering, airlight, options.haze, generator).part(own)
        return _collate(items, places[own], haze, step, options)

    def from_step(self, step: int, workers: int, device: torch.device) -> Iterator[Crops]:
        """The batches of this step and all later ones, prepared ahead by `workers` processes."""
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=range(step, 2**62),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=device.type == "cuda",
            worker_init_fn=_leave_the_group,
        )
        return iter(loader)


def _leave_the_group(worker: int) -> None:  # noqa: ARG001  # torch's hook
    """Ctrl-C, `timeout` and torchrun signal the whole group; workers end when the loop does.

    Ignoring SIGTERM instead would let a worker that nothing closed outlive the loop: at its exit,
    multiprocessing asks such a worker to end by SIGTERM, then waits for it without a limit.
    """
    os.setsid()


def pair_from_crops(crops: Crops, device: torch.device, options: BatchOptions) -> Pair:
    """Synthesises the haze of a batch on the training device, in one batched step."""
    generator = torch.Generator(device)
    generator.manual_seed((options.seed * 1_000_003 + crops.step) * 1009 + options.rank)
    clear = crops.clear.to(device, non_blocking=True).float() / 255
    depth = crops.depth.to(device, non_blocking=True).float()
    pair = synthesise(clear, depth, crops.haze.to(device), generator)
    if not crops.paired.any():
        return pair
    paired = crops.paired.to(device).view(-1, 1, 1, 1)
    hazy = crops.hazy.to(device, non_blocking=True).float() / 255
    return Pair(
        torch.where(paired, hazy, pair.hazy),
        clear,
        torch.where(paired, torch.nan, pair.transmission),
    )


def _drawn(shares: Sequence[Share], size: int, generator: torch.Generator) -> list[Source]:
    """The source of each sample: shares are met to within one sample, and on average exactly."""
    bounds = torch.tensor([share.share for share in shares]).cumsum(0)
    places = (torch.arange(size) + torch.rand(1, generator=generator)) / size
    chosen = torch.searchsorted(bounds / bounds[-1], places, right=True).clamp(max=len(shares) - 1)
    return [shares[index].source for index in chosen.tolist()]


def _collate(
    items: list[Item], places: Tensor, haze: HazeDraw, step: int, options: BatchOptions
) -> Crops:
    rows, columns = (
        min(options.crop, *(item.clear.shape[axis] for item in items))
        // CROP_MULTIPLE
        * CROP_MULTIPLE
        for axis in (1, 2)
    )
    if min(rows, columns) == 0:
        raise InputError(
            f"expected pictures and crops of {CROP_MULTIPLE} pixels a side or more at the "
            f"training scale, got {min(min(item.clear.shape[1:]) for item in items)} pixels"
        )
    if options.rotate:
        rows = columns = min(rows, columns)
    cuts = [
        _cutter(item.clear.shape[1:], rows, columns, place.tolist(), options.rotate)
        for item, place in zip(items, places, strict=True)
    ]
    paired = torch.tensor([item.hazy is not None for item in items])
    depth = torch.zeros(len(items), 1, rows, columns, dtype=torch.float16)
    hazy = torch.zeros(len(items) if paired.any() else 0, 3, rows, columns, dtype=torch.uint8)
    for i, (item, cut) in enumerate(zip(items, cuts, strict=True)):
        if item.depth is not None:
            depth[i] = cut(item.depth)
        if item.hazy is not None:
            hazy[i] = cut(item.hazy)
    clear = torch.stack([cut(item.clear) for item, cut in zip(items, cuts, strict=True)])
    return Crops(clear, depth, hazy, paired, haze, step)


def _cutter(
    size: Sequence[int], rows: int, columns: int, place: list[float], rotate: bool
) -> Callable[[Tensor], Tensor]:
    """The crop, mirroring and turn that four numbers in [0, 1) stand for."""
    top = int(place[0] * (size[0] - rows + 1))
    left = int(place[1] * (size[1] - columns + 1))
    mirror, turns = place[2] < 0.5, int(place[3] * 4) if rotate else 0

    def cut(picture: Tensor) -> Tensor:
        window = picture[:, top : top + rows, left : left + columns]
        window = window.flip(-1) if mirror else window
        return window.rot90(turns, (1, 2))

    return cut


def super_resolution_pair(crops: Crops, device: torch.device) -> Pair:
    """Clear pictures and their halves: what the guide of RFD learns from."""
    clear = crops.clear.to(device, non_blocking=True).float() / 255
    return Pair(F.avg_pool2d(clear, 2), clear, torch.full_like(clear[:, :1], torch.nan))
