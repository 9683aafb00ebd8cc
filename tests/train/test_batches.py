from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training import HAZE, smooth_scenes

from dehaze.runtime import InputError
from dehaze.train.data.batches import Batches, BatchOptions, pair_from_crops, super_resolution_pair
from dehaze.train.data.haze import HazeRecipe, Pair
from dehaze.train.scenes import Scenes
from dehaze.train.sources import Item, Share

CPU = torch.device("cpu")
OPTIONS = BatchOptions(size=8, crop=24, rotate=False, haze=HAZE, seed=3)


class Files:
    """Pairs as a folder of them gives: all clear ones black, all hazy ones white."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Item:
        black = torch.zeros(3, 30, 50, dtype=torch.uint8)
        return Item(black, None, black + 255)

    def split(self, held_out: int) -> tuple[Files, Files]:
        raise NotImplementedError


def rooms() -> Scenes:
    return smooth_scenes(6, (0.6, 1.8), 0)


def draw(step: int, options: BatchOptions = OPTIONS, *more: Share) -> Pair:
    crops = Batches([Share(rooms(), 1.0), *more], options)[step]
    return pair_from_crops(crops, CPU, options)


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    for mine, again in zip(draw(5), draw(5), strict=True):
        assert torch.equal(mine, again)
    assert not torch.equal(draw(5).hazy, draw(6).hazy)
    assert not torch.equal(draw(5).hazy, draw(5, replace(OPTIONS, seed=4)).hazy)


def test_processes_share_a_batch_without_overlap() -> None:
    """Each has every other sample; only the sensor's noise is its own."""
    options = replace(OPTIONS, haze=replace(HAZE, noisy_share=0.0))
    whole = draw(1, options)
    parts = [draw(1, replace(options, rank=rank, processes=2)) for rank in (0, 1)]
    for all_of_it, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(all_of_it[0::2], first)
        assert torch.equal(all_of_it[1::2], second)


def test_given_pairs_and_made_haze_mix_by_their_shares() -> None:
    pair = draw(0, replace(OPTIONS, haze=HazeRecipe()), Share(Files(), 1 / 3))
    given = pair.transmission.isnan().flatten(1).all(dim=1)
    assert given.tolist() == [False] * 6 + [True] * 2
    assert pair.hazy[given].min() == 1
    assert pair.clear[given].max() == 0
    made = pair.transmission[~given]
    assert made.isfinite().all()
    assert made.min() > 0


def test_a_source_may_have_airlight_of_its_own() -> None:
    night = replace(rooms(), airlight=(0.2, 0.3))
    options = replace(OPTIONS, haze=HazeRecipe())
    airlight = Batches([Share(rooms(), 0.5), Share(night, 0.5)], options)[0].haze.airlight
    assert airlight[:4].min() >= 0.7
    assert airlight[4:].max() <= 0.3


def test_crops_are_cut_to_the_smallest_scene_and_to_whole_cells() -> None:
    assert draw(0, replace(OPTIONS, crop=500)).hazy.shape[-2:] == (40, 56)
    mixed = draw(0, replace(OPTIONS, crop=500), Share(Files(), 1.0))
    assert mixed.hazy.shape[-2:] == (24, 48)


def test_crops_are_mirrored_and_turned_with_their_depth() -> None:
    """Clear pictures that hold their own depth: whatever is done to one is done to the other."""
    slope = torch.rand(1, 40, 40)
    scenes = Scenes([(255 * slope).byte().expand(3, -1, -1)] * 4, [slope.half()] * 4, (0.6, 1.8))
    options = replace(OPTIONS, rotate=True, size=64)
    crops = Batches([Share(scenes, 1.0)], options)[0]
    assert (crops.clear[:, :1] / 255 - crops.depth).abs().max() < 0.01
    corners = {tuple(crop[0, ::23, ::23].flatten().tolist()) for crop in crops.clear}
    assert len(corners) > 32


def test_super_resolution_learns_to_double_clear_pictures() -> None:
    """Skies too, which hazed batches paint over."""
    rooms = smooth_scenes(3, (0.6, 1.8), 0)
    skies = Scenes(rooms.clear, [torch.full((1, 40, 56), 500.0).half()] * 3, rooms.scattering)
    crops = Batches([Share(skies, 1.0)], OPTIONS)[0]
    pair = super_resolution_pair(crops, CPU)
    assert torch.equal(pair.clear, crops.clear / 255)
    assert pair.hazy.shape[-2:] == (12, 12)
    assert pair.hazy[0, 0, 0, 0].item() == pytest.approx(pair.clear[0, 0, :2, :2].mean().item())


def test_a_share_smaller_than_a_sample_is_met_over_many_batches() -> None:
    options = replace(OPTIONS, size=2, haze=HazeRecipe())
    batches = Batches([Share(rooms(), 0.9), Share(Files(), 0.1)], options)
    given = sum(int(batches[step].paired.sum()) for step in range(300))
    assert 0.06 < given / 600 < 0.14


def test_pictures_below_a_cell_are_told() -> None:
    tiny = Scenes([torch.zeros(3, 6, 40).byte()], [torch.ones(1, 6, 40).half()], (0.6, 1.8))
    with pytest.raises(InputError, match="8 pixels a side or more at the training scale, got 6"):
        Batches([Share(tiny, 1.0)], OPTIONS)[0]


def test_workers_that_nothing_closed_do_not_hold_up_the_exit() -> None:
    """A leaked iterator, as a traceback in a notebook or a test keeps one."""
    script = """
import test_batches
loop = test_batches.Batches([test_batches.Share(test_batches.rooms(), 1.0)], test_batches.OPTIONS)
kept = loop.from_step(0, 1, test_batches.CPU)
next(kept)
"""
    folders = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{folders}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60)
    assert done.returncode == 0
