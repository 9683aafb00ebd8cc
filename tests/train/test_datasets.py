from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dehaze.runtime import InputError, UsageError
from dehaze.train.data.folders import open_data
from dehaze.train.networks import build_network
from dehaze.train.recipe import load_recipe
from dehaze.train.scenes import Scenes, load_frida2, load_nyu

EDGE = load_recipe("edge", [])
SUPER = load_recipe("sr-teacher", [])


def write(path: Path, seed: int, depth: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    shape = (64, 96) if depth else (64, 96, 3)
    cv2.imwrite(str(path), random.integers(1, 255, shape, np.uint8))


@pytest.fixture
def with_depth(tmp_path: Path) -> Path:
    for index in range(4):
        write(tmp_path / "clear" / f"{index}.png", index)
        write(tmp_path / "depth" / f"{index}.png", index, depth=True)
    return tmp_path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for index in range(3):
        write(tmp_path / "gt" / f"{index}.png", index)
        for level in (1, 2):
            write(tmp_path / "hazy" / f"{index}_{level}.png", index)
    return tmp_path


def test_any_clear_pictures_with_depth(with_depth: Path) -> None:
    data = open_data([str(with_depth)], EDGE)
    assert len(data.shares[0].source) == 3
    item = data.shares[0].source[0]
    assert item.clear.shape == (3, 16, 24)  # at 1/4
    assert item.depth is not None
    assert 0 < item.depth.min() < item.depth.max() <= 1
    assert item.scattering == (0.6, 1.8)
    assert {kind: len(some) for kind, some in data.examples.items()} == {"indoor": 2, "clear": 1}


def test_super_resolution_needs_no_haze(with_depth: Path) -> None:
    data = open_data([str(with_depth)], SUPER)
    example = data.examples["doubled"][0]
    assert example.hazy.shape == (3, 16, 24)
    assert example.clear.shape == (3, 32, 48)
    scores = data.validation().score(build_network("sr-teacher").eval(), torch.device("cpu"))
    assert set(scores) == {"doubled_db", "doubled_ssim"}


def test_pairs_hold_out_whole_scenes_and_mix_by_share(pairs: Path) -> None:
    data = open_data([f"{pairs}=0.25"], EDGE)
    assert data.shares[0].share == 0.25
    assert len(data.shares[0].source) == 4  # two scenes at two levels
    assert len(data.examples["pairs"]) == 2


def test_super_resolution_learns_from_the_clear_pictures_of_pairs(pairs: Path) -> None:
    data = open_data([str(pairs)], SUPER)
    assert len(data.shares[0].source) == 4
    assert set(data.examples) == {"doubled"}
    assert data.examples["doubled"][0].clear.shape == (3, 32, 48)


def test_too_few_scenes_are_told(with_depth: Path) -> None:
    nyu = with_depth / "all" / "nyu"
    nyu.mkdir(parents=True)
    (with_depth / "clear").rename(nyu / "image")
    (with_depth / "depth").rename(nyu / "depth")
    with pytest.raises(InputError, match="expected more than 50 clear scenes"):
        open_data([str(with_depth / "all")], EDGE)


def test_what_is_no_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected pictures in hazy/"):
        open_data([str(tmp_path)], EDGE)
    with pytest.raises(InputError, match="expected a folder of training data"):
        open_data([str(tmp_path / "none")], EDGE)
    with pytest.raises(UsageError, match="the share a positive number"):
        open_data([f"{tmp_path}=-1"], EDGE)
    for load in (load_nyu, load_frida2):
        with pytest.raises(InputError, match="expected pictures in image/"):
            load(tmp_path, 4)


def test_damaged_scenes_are_told(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "0000.jpg").write_text("nothing")
    write(tmp_path / "depth" / "0000.jpg", 0, depth=True)
    with pytest.raises(InputError, match=r"0000\.jpg: expected a picture"):
        load_nyu(tmp_path, 4)


def test_depth_of_another_size_is_told(with_depth: Path) -> None:
    cv2.imwrite(str(with_depth / "depth" / "1.png"), np.ones((9, 9), np.uint8))
    with pytest.raises(InputError, match=r"1\.png: expected one depth per pixel of 1\.png"):
        open_data([str(with_depth)], EDGE)


def test_the_real_rooms_and_roads(shared_data: Path) -> None:
    data = open_data([str(shared_data)], EDGE)
    rooms, roads = (share.source for share in data.shares)
    assert isinstance(rooms, Scenes)
    assert (len(rooms), len(roads)) == (1349, 56)
    assert data.shares[1].share == pytest.approx(EDGE.road_share)
    assert rooms[0].clear.shape == roads[0].clear.shape == (3, 115, 155)
    assert {kind: len(some) for kind, some in data.examples.items()} == {
        "indoor": 100,
        "clear": 50,
        "road": 10,
    }
