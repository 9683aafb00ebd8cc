from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training import HAZE, smooth_scenes

from dehaze.runtime import InputError
from dehaze.train.data.batches import Batches, BatchOptions
from dehaze.train.data.haze import Haze, Pair
from dehaze.train.data.store import Collection, Picture, store_from_collections

OPTIONS = BatchOptions(size=8, rotate=False, seed=3)
PLAIN = {"rooms": Haze(share=0.75), "pairs": Haze(scenes="pairs", share=0.25)}


def rooms(share: float = 1.0) -> Collection:
    return Collection("rooms", smooth_scenes(6, 0), share)


def files() -> Collection:
    """Pairs as a folder of them gives: all clear ones black, all hazy ones white."""
    black = np.zeros((30, 50, 3), np.uint8)
    return Collection("pairs", [Picture(black, black + 255)] * 5)


def draw(step: int, options: BatchOptions = OPTIONS, haze: Haze = HAZE) -> Pair:
    return Batches(store_from_collections([rooms()]), {"rooms": haze}, options).pair(step, 24)


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    for mine, again in zip(draw(5), draw(5), strict=True):
        assert torch.equal(mine, again)
    assert not torch.equal(draw(5).hazy, draw(6).hazy)
    assert not torch.equal(draw(5).hazy, draw(5, replace(OPTIONS, seed=4)).hazy)


def test_processes_share_a_batch_without_overlap() -> None:
    """Each process has every other sample; only the noise is its own."""
    haze = replace(HAZE, noisy_share=0.0)
    whole = draw(1, OPTIONS, haze)
    parts = [draw(1, replace(OPTIONS, rank=rank, processes=2), haze) for rank in (0, 1)]
    for all_of_it, first, second in zip(whole, *parts, strict=True):
        assert torch.equal(all_of_it[0::2], first)
        assert torch.equal(all_of_it[1::2], second)


def test_given_pairs_and_made_haze_mix_by_their_shares() -> None:
    batches = Batches(store_from_collections([rooms(), files()]), PLAIN, OPTIONS)
    pair = batches.pair(0, 24)
    given = pair.transmission.isnan().flatten(1).all(dim=1)
    assert given.tolist() == [False] * 6 + [True] * 2
    assert pair.hazy[given].min() == 1
    assert pair.clear[given].max() == 0
    made = pair.transmission[~given]
    assert made.isfinite().all()
    assert made.min() > 0


def test_a_share_smaller_than_a_sample_is_met_over_many_batches() -> None:
    mixture = {"rooms": Haze(share=0.9), "pairs": Haze(scenes="pairs", share=0.1)}
    options = replace(OPTIONS, size=2)
    batches = Batches(store_from_collections([rooms(), files()]), mixture, options)
    given = sum(
        int(batches.pair(step, 8).transmission.isnan().any(3).any(2).sum()) for step in range(300)
    )
    assert 0.06 < given / 600 < 0.14


def test_a_folder_may_be_drawn_more_often_than_another() -> None:
    dark = Collection("rooms", [p._replace(clear=p.clear // 8) for p in smooth_scenes(6, 0)], 3.0)
    store = store_from_collections([rooms(share=1.0), dark])
    batches = Batches(store, {"rooms": Haze(clear_share=1.0)}, replace(OPTIONS, size=400))
    share = (batches.pair(0, 24).clear.flatten(1).amax(1) < 0.13).float().mean()
    assert 0.68 < share < 0.82


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    options = replace(OPTIONS, half_share=1.0)
    haze = Haze(clear_share=1.0)
    batches = Batches(store_from_collections([rooms()]), {"rooms": haze}, options)
    whole = replace(options, half_share=0.0)
    finer = Batches(store_from_collections([rooms()]), {"rooms": haze}, whole).pair(0, 32)
    half = batches.pair(0, 24)
    assert half.clear.shape == (8, 3, 16, 16)
    assert torch.allclose(half.clear, torch.nn.functional.avg_pool2d(finer.clear, 2), atol=1e-6)


def test_super_resolution_learns_to_double_clear_pictures() -> None:
    pair = draw(0, replace(OPTIONS, super_resolution=True))
    assert pair.hazy.shape[-2:] == (12, 12)
    assert pair.clear.shape[-2:] == (24, 24)
    assert pair.hazy[0, 0, 0, 0].item() == pytest.approx(pair.clear[0, 0, :2, :2].mean().item())


def test_a_mixture_without_its_pictures_is_told() -> None:
    with pytest.raises(InputError, match=r"mixture uses \(roads\), got rooms"):
        Batches(store_from_collections([rooms()]), {"a": Haze(scenes="roads")}, OPTIONS)
    batches = Batches(store_from_collections([rooms()]), {"rooms": Haze()}, OPTIONS)
    with pytest.raises(InputError, match="a multiple of 8 pixels, got 20"):
        batches.pair(0, 20)
