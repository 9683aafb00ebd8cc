from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from training import smooth_scenes

from dehaze.train.data.store import Collection, Picture
from dehaze.train.networks.network import Network, Prediction
from dehaze.train.validation import (
    SOTS_BETAS,
    Example,
    Validation,
    choice,
    examples_from,
    photographs_from,
    spread,
)

CPU = torch.device("cpu")


class Brighter(Network):
    """Adds a tenth."""

    def predict(self, image: Tensor) -> Prediction:
        return Prediction(image + 0.1, image, None)


def test_scores_of_a_known_error() -> None:
    grey = torch.full((3, 40, 40), 0.5).half()
    scores = Validation({"grey": [Example(grey, grey)] * 2, "none": []}).score(Brighter(), CPU)
    assert scores["grey_db"] == pytest.approx(20, abs=1e-3)
    # Flat pictures: SSIM is its luminance term, (2 a b + c) / (a^2 + b^2 + c) with c = 0.0001.
    expected = (2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)
    assert scores["grey_ssim"] == pytest.approx(expected, abs=1e-4)
    assert scores["choice"] == scores["grey_db"]
    assert set(scores) == {"grey_db", "grey_ssim", "choice"}


def test_pictures_of_many_sizes_make_one_sheet(tmp_path: Path) -> None:
    sizes = [(40, 155), (50, 215), (64, 97)]  # 3 * 215 columns shrink to 3 * 97 and none less
    examples = [Example(torch.rand(3, *size).half(), torch.rand(3, *size).half()) for size in sizes]
    path = tmp_path / "samples.jpg"
    Validation({"pairs": examples}).draw(Brighter(), CPU, path)
    assert cv2.imread(str(path)).shape == (25 + 23 + 64, 3 * 97, 3)
    Validation({}).draw(Brighter(), CPU, tmp_path / "none.jpg")
    assert not (tmp_path / "none.jpg").exists()


def test_all_ten_levels_of_sots_come_evenly() -> None:
    scenes = smooth_scenes(10, 0)
    examples = examples_from([Collection("rooms", scenes)], 100)
    assert len(examples["indoor"]) == 20
    betas = []
    for index, example in enumerate(examples["indoor"]):
        coded = scenes[index % 10].depth
        assert coded is not None
        depth = (torch.from_numpy(coded) / 255).square()
        veil = (1 - example.hazy.float()) / (1 - example.clear.float())
        betas.append((-veil.log() / depth).nanmedian().item())
    assert sorted(round(beta, 1) for beta in betas) == sorted(2 * SOTS_BETAS)


def test_a_limit_takes_some_from_everywhere() -> None:
    assert list(spread(range(100), 4)) == [0, 25, 50, 75]
    assert list(spread(range(3), 4)) == [0, 1, 2]
    roads = examples_from([Collection("roads", smooth_scenes(9, 0))], 5)
    assert {kind: len(some) for kind, some in roads.items()} == {"road": 5}


def test_photographs_without_a_clear_one_are_judged_by_what_is_spoilt() -> None:
    rows, columns = np.mgrid[0:480, 0:640]
    textured = np.where((rows // 4 + columns // 4) % 2, 90, 150).astype(np.uint8)
    photograph = np.repeat(textured[..., None], 3, axis=2)
    photograph[:240] = 128  # a flat sky
    scores = Validation({}, [photograph]).score(Brighter(), CPU)
    assert scores["photo_contrast"] == pytest.approx(1, abs=0.01)
    assert scores["photo_dark"] == 0
    assert scores["photo_crushed"] == 0


def test_the_number_to_choose_by_takes_off_what_is_spoilt() -> None:
    scores = {"indoor_db": 28.0, "road_db": 18.0, "clear_db": 60.0, "road_ssim": 0.8}
    assert choice(scores) == 23
    assert choice({**scores, "clear_db": 38.0}) == 21
    assert choice({**scores, "photo_crushed": 3.5, "photo_dark": 16.0}) == 20.5
    assert choice({**scores, "photo_crushed": 1.5, "photo_dark": 11.0}) == 23


def test_photographs_are_held_out_as_a_whole() -> None:
    picture = Picture(np.zeros((48, 64, 3), np.uint8))
    held_out = [Collection("unpaired", [picture] * 3)]
    assert examples_from(held_out, 10) == {}
    assert len(photographs_from(held_out, 2)) == 2
