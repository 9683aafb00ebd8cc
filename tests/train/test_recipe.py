from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.runtime import UsageError
from dehaze.train.networks import NETWORKS
from dehaze.train.recipe import FOLDER, load_recipe


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_of_a_network_of_ours(path: Path) -> None:
    assert load_recipe(path.stem, []).network in NETWORKS


def test_the_published_recipes_have_the_published_figures() -> None:
    rfd = load_recipe("rfd", [])
    assert (rfd.losses.image, rfd.losses.affinity) == ("mse", 0.25)
    assert (rfd.batch, rfd.learning_rate, rfd.gradient_norm) == (2, 1e-4, 0.1)
    aecr = load_recipe("aecr-net", [])
    assert (aecr.losses.image, aecr.losses.contrast) == ("l1", 0.1)
    assert (aecr.batch, aecr.crops, aecr.steps) == (16, ((0.0, 240),), 100 * 5000)


def test_changes_on_the_command_line() -> None:
    recipe = load_recipe(
        "edge",
        ["batch=4", "losses.image=log-mse", "learning_rate=1", "mixture.rooms.airlight=[0.8, 1]"],
    )
    assert recipe.batch == 4
    assert recipe.losses.image == "log-mse"
    assert recipe.losses.transmission == 0
    assert isinstance(recipe.learning_rate, float)
    assert recipe.mixture["rooms"].airlight == (0.8, 1.0)


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('network = "edge"\nsteps = 7\ncrops = [[0, 64], [0.5, 96]]\n')
    recipe = load_recipe(str(path), [])
    assert recipe.crop(0.49) == 64
    assert recipe.crop(0.5) == 96


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batsh=4", "expected one of adam_betas, average_decay, batch, .*, got 'batsh'"),
        ("batch=four", "batch: expected a whole number, got 'four'"),
        ("batch=4.5", "batch: expected a whole number, got 4.5"),
        ("losses.image=l3", "image: expected l1 or mse or log-mse, got 'l3'"),
        ("losses=1", "losses: expected"),
        ("mixture.rooms.airlight=[0.8]", "airlight: expected"),
        ("mixture.rooms.beta=1", "mixture.rooms: expected one of ahead, .*, got 'beta'"),
        ("batch", "expected KEY = VALUE"),
        ("batch=0", "batch: expected 1 or more, got 0"),
        ("crops=[[0.5, 80]]", "crops: expected one from 0 on"),
    ],
)
def test_a_wrong_change_is_told(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_recipe("edge", [change])


def test_an_unknown_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are aecr-net, edge, ffa-net, rfd, sr-teacher"):
        load_recipe("edgy", [])
    path = tmp_path / "empty.toml"
    path.write_text("batch = 2\n")
    with pytest.raises(UsageError, match=r"empty\.toml: expected fields network and steps, got"):
        load_recipe(str(path), [])
