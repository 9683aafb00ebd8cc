"""Small scenes and runs that the tests of training share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dehaze.train.data.haze import Haze
from dehaze.train.data.store import (
    Collection,
    Picture,
    Store,
    coded_depth,
    store_from_collections,
)
from dehaze.train.loop import Run, train
from dehaze.train.networks import build_network
from dehaze.train.networks.eight_bit import learn_eight_bits
from dehaze.train.objective import Objective, Teachers
from dehaze.train.recipe import Losses, Recipe
from dehaze.train.run.checkpoint import load_network
from dehaze.train.run.processes import joined_processes
from dehaze.train.validation import Validation, examples_from

HAZE = Haze(
    white_share=0.5,
    tint=0.04,
    tinted_share=0.3,
    uneven=0.02,
    uneven_share=0.3,
    sensor_noise=0.01,
    noisy_share=0.3,
    jpeg_share=0.3,
)
MIXTURE = {
    "rooms": replace(HAZE, share=0.75),
    "roads": replace(HAZE, scenes="roads", share=0.25, scattering=(0.5, 2.0)),
}
EDGE = Recipe(
    "edge",
    steps=12,
    scale=4,
    batch=4,
    crops=((0.0, 24), (0.5, 32)),
    learning_rate=3e-3,
    warmup_steps=4,
    validate_every=4,
    losses=Losses("l1", transmission=0.5),
    mixture=MIXTURE,
)


def smooth_scenes(count: int, seed: int) -> list[Picture]:
    """Colour patches over sloping depth, 40x56: enough to learn a little from."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(count, 3, 5, 7, generator=generator)
    clear = torch.nn.functional.interpolate(patches, size=(40, 56), mode="nearest")
    pixels = (255 * clear).byte().permute(0, 2, 3, 1).numpy()
    slope = np.repeat(np.linspace(1, 0.1, 40)[:, None], 56, axis=1)
    depth = coded_depth(slope, 1.0)
    return [Picture(np.ascontiguousarray(picture), None, depth) for picture in pixels]


def small_data() -> tuple[Store, Validation]:
    """Rooms and roads to train on, and other rooms."""
    trained = [
        Collection("rooms", smooth_scenes(6, 0)),
        Collection("roads", smooth_scenes(3, 1)),
    ]
    held_out = Collection("rooms", smooth_scenes(2, 2))
    return store_from_collections(trained), Validation(examples_from([held_out], 4))


def train_small(
    out: Path,
    recipe: Recipe = EDGE,
    teachers: Teachers | None = None,
    *,
    minutes: float | None = None,
) -> dict[str, float]:
    """Trains as dehaze-train does; `steps` are the recipe's."""
    torch.manual_seed(0)
    network = build_network(recipe.network)
    if recipe.quantised:
        learn_eight_bits(network)
    objective = Objective(network, recipe.losses, teachers or Teachers())
    store, validation = small_data()
    run = Run(out, None if minutes else recipe.steps, minutes)
    with joined_processes() as processes:
        return train(objective, recipe, store, validation, run, processes)


def weights(folder: Path, network: str = "edge") -> dict[str, torch.Tensor]:
    """The weights that a run left in its folder."""
    return load_network(folder / f"{network}.safetensors")[0].state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Returns whether all weights are equal, bit by bit."""
    return all(torch.equal(first[name], second[name]) for name in first)
