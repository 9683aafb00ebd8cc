"""The weights that ship, on real held-out scenes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dehaze.train.data.folders import open_data
from dehaze.train.data.store import Collection
from dehaze.train.networks.network import Network, Prediction
from dehaze.train.run.checkpoint import load_network
from dehaze.train.shipped import WEIGHTS
from dehaze.train.validation import Validation, examples_from

CPU = torch.device("cpu")


def held_out(shared_data: Path, folder: Path, scale: int) -> list[Collection]:
    """Six of the fifty rooms that training never saw, one of them to train on."""
    for kind in ("image", "depth"):
        (folder / kind).mkdir()
        for index in range(1349, 1399, 9):
            name = f"{index:04d}.jpg"
            (folder / kind / name).symlink_to(shared_data / "nyu" / kind / name)
    data = open_data([str(folder)], scale)
    return [*data.held_out, *data.trained]


def test_edge_takes_haze_away_and_leaves_clear_pictures_alone(
    shared_data: Path, tmp_path: Path
) -> None:
    examples = examples_from(held_out(shared_data, tmp_path, 4), 12)
    network, _ = load_network(WEIGHTS / "edge.safetensors")
    scores = Validation(examples).score(network, CPU)
    assert scores["indoor_db"] > 24
    assert scores["clear_db"] > 32


class Bicubic(Network):
    """The bicubic interpolation that a guide has to beat."""

    def predict(self, image: Tensor) -> Prediction:
        doubled = torch.nn.functional.interpolate(image, scale_factor=2, mode="bicubic")
        return Prediction(doubled, doubled, None)


def test_the_guide_doubles_better_than_bicubic(shared_data: Path, tmp_path: Path) -> None:
    rooms = held_out(shared_data, tmp_path, 2)
    validation = Validation(examples_from(rooms, 6, super_resolution=True))
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
