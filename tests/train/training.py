"""Small scenes and runs that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import torch

from dehaze.train.checkpoint import load_network
from dehaze.train.networks.eight_bit import learn_eight_bits
from dehaze.train.data.haze import HazeRecipe
from dehaze.train.loop import Run, train
from dehaze.train.networks import build_network
from dehaze.train.objective import Objective, Teachers
from dehaze.train.processes import joined_processes
from dehaze.train.recipe import Losses, Recipe
from dehaze.train.scenes import Scenes
from dehaze.train.sources import Share
from dehaze.train.validation import Validation, clear_examples, indoor_examples

HAZE = HazeRecipe(
    white_share=0.5, tinted_share=0.3, uneven_share=0.3, noisy_share=0.3, jpeg_share=0.3
)
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
    haze=HAZE,
)


def smooth_scenes(count: int, scattering: tuple[float, float], seed: int) -> Scenes:
    """Colour patches over sloping depth: enough to learn a little from."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(count, 3, 5, 7, generator=generator)
    clear = torch.nn.functional.interpolate(patches, size=(40, 56), mode="nearest")
    slope = torch.linspace(1, 0.1, 40).view(1, 40, 1).expand(1, 40, 56).half()
    return Scenes(list((255 * clear).byte()), [slope] * count, scattering)


def small_data() -> tuple[list[Share], Validation]:
    """Rooms and roads to train on, and other rooms."""
    shares = [
        Share(smooth_scenes(6, (0.6, 1.8), 0), 0.75),
        Share(smooth_scenes(3, (0.5, 2.0), 1), 0.25),
    ]
    held_out = smooth_scenes(2, (0.6, 1.8), 2)
    return shares, Validation(
        {"indoor": indoor_examples(held_out, 4), "clear": clear_examples(held_out, 2)}
    )


def train_small(
    out: Path,
    recipe: Recipe = EDGE,
    teachers: Teachers | None = None,
    *,
    minutes: float | None = None,
    workers: int = 0,
) -> dict[str, float]:
    """Trains as dehaze-train does; `steps` are the recipe's."""
    torch.manual_seed(0)
    network = build_network(recipe.network)
    if recipe.quantised:
        learn_eight_bits(network)
    objective = Objective(network, recipe.losses, teachers or Teachers())
    shares, validation = small_data()
    run = Run(out, None if minutes else recipe.steps, minutes, workers=workers)
    with joined_processes() as processes:
        return train(objective, recipe, shares, validation, run, processes)


def weights(folder: Path, network: str = "edge") -> dict[str, torch.Tensor]:
    """What a run left."""
    return load_network(folder / f"{network}.safetensors")[0].state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether all weights are equal, bit by bit."""
    return all(torch.equal(first[name], second[name]) for name in first)
