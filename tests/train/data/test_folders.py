from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dehaze.runtime import InputError, UsageError
from dehaze.train.data.folders import Data, open_data, pack_data
from dehaze.train.data.pictures import scaled_down
from dehaze.train.networks import build_network
from dehaze.train.validation import Validation, examples_from


def coloured(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return pixels.astype(np.uint8)


def write(path: Path, rgb: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1] if rgb.ndim == 3 else rgb)


def counts(data: Data) -> dict[str, tuple[int, int]]:
    """Pictures to train on and held-out ones, by data set."""
    held_out = {some.name: len(some.pictures) for some in data.held_out}
    return {some.name: (len(some.pictures), held_out[some.name]) for some in data.trained}


@pytest.fixture
def with_depth(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for index in range(4):
        write(folder / "clear" / f"{index}.png", coloured(64, 96, index))
        write(folder / "depth" / f"{index}.png", 1 + coloured(64, 96, index)[..., 0] // 2)
    return folder


@pytest.fixture
def sots(tmp_path: Path) -> Path:
    """Three clear scenes of 64x96 with one, two and three hazes."""
    folder = tmp_path / "sots"
    for scene in (1, 2, 10):
        write(folder / "gt" / f"{scene}.png", coloured(64, 96, scene))
    for name in ("1_4", "2_1", "2_10", "10_3", "10_5", "10_7"):
        write(folder / "hazy" / f"{name}.png", coloured(64, 96, 99))
    return folder


def test_any_clear_pictures_with_depth(with_depth: Path) -> None:
    data = open_data([str(with_depth)], 4)
    assert counts(data) == {"mine": (3, 1)}
    assert data.trained[0].kind == "rooms"
    picture = data.trained[0].pictures[0]
    assert picture.clear.shape == (16, 24, 3)  # at 1/4
    assert picture.depth is not None
    assert 0 < picture.depth.min() < picture.depth.max() <= 255
    examples = examples_from(data.held_out, 100)
    assert {kind: len(some) for kind, some in examples.items()} == {"indoor": 2, "clear": 1}


def test_pairs_hold_out_whole_scenes(sots: Path) -> None:
    data = open_data([f"{sots}=0.25"], 4)
    assert data.trained[0].share == 0.25
    assert counts(data) == {"sots": (3, 3)}  # the third scene with its three hazes
    assert len(examples_from(data.held_out, 100)["sots"]) == 3


def test_two_folders_of_any_name_are_pairs(sots: Path) -> None:
    for folder, name in (("hazy", "foggy"), ("gt", "sharp")):
        (sots / folder).rename(sots / name)
    data = open_data([f"{sots / 'foggy'}:{sots / 'sharp'}"], 1)
    assert counts(data) == {"foggy": (3, 3)}


def test_a_training_pixel_is_the_mean_of_its_square(tmp_path: Path) -> None:
    hazy, clear = coloured(18, 27, 1), coloured(18, 27, 2)
    for scene in ("1", "2"):
        write(tmp_path / "hazy" / f"{scene}_1.png", hazy)
        write(tmp_path / "clear" / f"{scene}.png", clear)
    picture = open_data([str(tmp_path)], 4).trained[0].pictures[0]
    assert picture.hazy is not None
    for result, pixels in ((picture.clear, clear), (picture.hazy, hazy)):
        means = pixels[:16, :24].reshape(4, 4, 6, 4, 3).mean((1, 3))
        assert result.shape == (4, 6, 3)
        assert result.dtype == np.uint8
        assert np.abs(result - means).max() <= 0.5 + 1e-6


def test_the_border_of_a_larger_clear_picture_is_cut_off(tmp_path: Path) -> None:
    clear = coloured(48, 64)
    for scene in ("1400", "1401"):
        write(tmp_path / "gt" / f"{scene}.png", clear)
        write(tmp_path / "hazy" / f"{scene}_1.png", clear[10:-10, 10:-10])
    picture = open_data([str(tmp_path)], 2).trained[0].pictures[0]
    assert picture.hazy is not None
    assert np.array_equal(picture.clear, picture.hazy)


@pytest.mark.parametrize("size", [(64, 95), (64, 74), (64, 118), (62, 96)])
def test_other_sizes_do_not_make_a_pair(sots: Path, size: tuple[int, int]) -> None:
    write(sots / "gt" / "1.png", coloured(*size))
    message = rf"1_4\.png: expected the size of .*1\.png, {size[1]}x{size[0]}, got 96x64"
    with pytest.raises(InputError, match=message):
        open_data([str(sots)], 1)


def test_data_sets_by_name_are_opened_together(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for index in range(12):
        write(root / "frida2" / "clear" / f"{index}.png", coloured(64, 96, index))
        deep = np.full((64, 96), 300 * index, np.uint16)
        write(root / "frida2" / "depth" / f"{index}.png", deep)
        write(root / "o-haze" / "hazy" / f"{index}.png", coloured(64, 96, index))
        write(root / "o-haze" / "clear" / f"{index}.png", coloured(64, 96, index))
    for index in range(20):
        write(root / "clear-photos" / f"{index}.png", coloured(40, 60, index))
    write(root / "sots-indoor" / "hazy" / "1_1.png", coloured(64, 96, 1))  # never trained on
    data = open_data([str(root)], 4)
    assert counts(data) == {"frida2": (2, 10), "o-haze": (7, 5), "clear-photos": (5, 15)}
    road, pair, photograph = (some.pictures[0] for some in data.trained)
    assert road.clear.shape == (11, 19, 3)  # without the border, at 1/4
    assert pair.clear.shape == (32, 48, 3)  # small copies are taken at half the scale
    assert photograph.clear.shape == (20, 30, 3)
    # Photographs are sorted by what they show: those that are held out are spread.
    held_out = [float(p.clear.mean()) for p in data.held_out[-1].pictures]
    files = [float(scaled_down(coloured(40, 60, index), 2).mean()) for index in range(20)]
    places = [int(np.argmin(np.abs(np.array(files) - mean))) for mean in held_out]
    by_name = sorted(range(20), key=str)
    spread = [0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19]
    assert places == [by_name[place] for place in spread]
    assert road.depth_unit == 500
    assert data.trained[0].pictures[1].depth is not None
    assert data.trained[0].pictures[1].depth[0, 0] == round(255 * (30 / 500) ** 0.5)
    examples = examples_from(data.held_out, 4)
    assert {kind: len(some) for kind, some in examples.items()} == {
        "road": 4,
        "o-haze": 4,
        "photograph": 4,
        "clear": 4,
    }


def test_a_packed_file_stands_for_the_folders(sots: Path, tmp_path: Path) -> None:
    data = open_data([str(sots)], 4)
    packed = tmp_path / "all.npz"
    pack_data(data, packed, 4)
    again = open_data([f"{packed}=0.5"], 4)
    assert counts(again) == counts(data)
    assert again.trained[0].pictures[0].clear.shape == (16, 24, 3)
    assert again.trained[0].share == 0.5 * data.trained[0].share
    with pytest.raises(InputError, match=r"packed at 1/4 of the files' size, the recipe is at 1/1"):
        open_data([str(packed)], 1)


def test_super_resolution_learns_from_clear_pictures(with_depth: Path) -> None:
    data = open_data([str(with_depth)], 2)
    examples = examples_from(data.held_out, 100, super_resolution=True)
    assert set(examples) == {"doubled"}
    assert examples["doubled"][0].hazy.shape == (3, 16, 24)
    assert examples["doubled"][0].clear.shape == (3, 32, 48)
    scores = Validation(examples).score(build_network("sr-teacher").eval(), torch.device("cpu"))
    assert set(scores) == {"doubled_db", "doubled_ssim", "choice"}


def test_calibration_loads_what_is_held_out_alone(sots: Path) -> None:
    (sots / "hazy" / "1_4.png").write_text("nothing")
    data = open_data([str(sots)], 1, training=False)
    assert not data.trained
    assert len(data.held_out[0].pictures) == 3
    with pytest.raises(InputError, match=r"1_4\.png: expected a picture"):
        open_data([str(sots)], 1)


def test_too_few_scenes_are_told(with_depth: Path) -> None:
    nyu = with_depth.parent / "all" / "nyu"
    nyu.parent.mkdir()
    with_depth.rename(nyu)
    with pytest.raises(InputError, match="nyu: expected more than 50 pictures"):
        open_data([str(nyu.parent)], 4)


def test_what_is_no_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected pictures in hazy/"):
        open_data([str(tmp_path)], 4)
    with pytest.raises(InputError, match="expected a folder of pictures"):
        open_data([str(tmp_path / "none")], 4)
    with pytest.raises(UsageError, match="the share a positive number"):
        open_data([f"{tmp_path}=-1"], 4)
    (tmp_path / "nyu").mkdir()
    with pytest.raises(InputError, match="expected pictures in image/"):
        open_data([str(tmp_path)], 4)


def test_damaged_and_odd_scenes_are_told(with_depth: Path) -> None:
    write(with_depth / "depth" / "1.png", np.ones((9, 9), np.uint8))
    with pytest.raises(InputError, match=r"1\.png: expected one depth per pixel of 1\.png"):
        open_data([str(with_depth)], 4)
    (with_depth / "clear" / "0.png").write_text("nothing")
    with pytest.raises(InputError, match=r"0\.png: expected a picture"):
        open_data([str(with_depth)], 4)


def test_pictures_smaller_than_a_training_pixel_are_told(sots: Path) -> None:
    with pytest.raises(InputError, match="expected 70 pixels a side or more, got 96x64"):
        open_data([str(sots)], 70)
