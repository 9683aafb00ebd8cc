"""The weights that ship, on real held-out scenes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dehaze.train.checkpoint import WEIGHTS, load_network
from dehaze.train.networks.network import Network, Prediction
from dehaze.train.scenes import INDOOR_SCATTERING, Scenes, load_scenes, share_of_largest
from dehaze.train.validation import (
    Validation,
    clear_examples,
    doubling_examples,
    indoor_examples,
)

CPU = torch.device("cpu")


def held_out(shared_data: Path, scale: int) -> Scenes:
    """Six of the fifty rooms that training never saw."""
    names = [f"{index:04d}.jpg" for index in range(1349, 1399, 9)]
    folder = shared_data / "nyu"
    files = [(folder / "image" / name, folder / "depth" / name) for name in names]
    return load_scenes(files, scale, share_of_largest, INDOOR_SCATTERING, border=10)


def test_edge_takes_haze_away_and_leaves_clear_pictures_alone(shared_data: Path) -> None:
    rooms = held_out(shared_data, 4)
    examples = {"indoor": indoor_examples(rooms, 12), "clear": clear_examples(rooms, 6)}
    network, _ = load_network(WEIGHTS / "edge.safetensors")
    scores = Validation(examples).score(network, CPU)
    assert scores["indoor_db"] > 24
    assert scores["clear_db"] > 32


class Bicubic(Network):
    """What a guide has to beat."""

    def predict(self, image: Tensor) -> Prediction:
        doubled = torch.nn.functional.interpolate(image, scale_factor=2, mode="bicubic")
        return Prediction(doubled, doubled, None)


def test_the_guide_doubles_better_than_bicubic(shared_data: Path) -> None:
    validation = Validation({"doubled": doubling_examples(held_out(shared_data, 2), 6)})
    teacher, _ = load_network(WEIGHTS / "sr-teacher.safetensors")
    ours, bicubic = (validation.score(network, CPU) for network in (teacher, Bicubic()))
    assert ours["doubled_db"] > bicubic["doubled_db"] + 0.2
    assert ours["doubled_ssim"] > bicubic["doubled_ssim"]


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_every_shipped_network_has_a_card_with_its_figures(path: Path) -> None:
    card = path.with_suffix(".md").read_text()
    network, provenance = load_network(path)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert f"{parameters:,}".replace(",", " ") in card
    for name, value in provenance.items():
        if name.endswith("_db"):
            assert f"{value:.2f}" in card, name
