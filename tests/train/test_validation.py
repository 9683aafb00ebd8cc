from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch
from torch import Tensor
from training import smooth_scenes

from dehaze.train.data.store import Collection
from dehaze.train.networks.network import Network, Prediction
from dehaze.train.validation import SOTS_BETAS, Example, Validation, examples_from, spread

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
    assert set(scores) == {"grey_db", "grey_ssim"}


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
