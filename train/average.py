"""Averages checkpoints that come from one ancestor: a model soup.

    python -m dehaze.train.average OUT.safetensors A.safetensors=4 B.safetensors --data packed.npz

Trainings that go on from the same weights end in one valley, and the mean of their weights is often
as good on what was taught as the best of them, and better on what was not (Wortsman et al. 2022,
arXiv 2203.05482). Its features are not the mean of theirs, so the statistics of the batch norms are
taken anew (Izmailov et al. 2018, arXiv 1803.05407, algorithm 1); of a single checkpoint, too, whose
own are those of its last few batches. The mean is scored on the held-out pictures, as a training
is, and its checkpoint says of what it was made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dehaze.runtime.command import run_command
from dehaze.runtime.errors import UsageError

from .data.batches import Batches
from .data.folders import open_data
from .data.store import Collection, store_from_collections
from .loop import batch_options
from .networks.network import Network
from .recipe import Recipe, load_recipe
from .run.checkpoint import load_network, save_network
from .teachers import described
from .validation import validation_from

STATISTICS_SAMPLES = 3840
"""Training samples that the statistics of the batch norms are taken of."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dehaze.train.average",
        description="Average checkpoints of one network that come from one ancestor.",
    )
    parser.add_argument("out", type=Path, metavar="OUT.safetensors")
    parser.add_argument("weights", nargs="+", metavar="WEIGHTS[=SHARE]", help="checkpoints")
    parser.add_argument("--data", required=True, help="packed file or folder")
    parser.add_argument("--recipe", default="edge", help="of the trainings (default: edge)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = build_parser().parse_args(arguments)
    return run_command("average", lambda: _run(options), "nothing was written", extra="train")


def _run(options: argparse.Namespace) -> None:
    shares = dict(_share(entry) for entry in options.weights)
    name, network = averaged(shares)
    recipe = load_recipe(options.recipe, options.set)
    if name != recipe.network:
        raise UsageError(
            f"expected checkpoints of the recipe's network, {recipe.network}, got {name}; "
            f"name their recipe with --recipe, or --set network={name}"
        )
    data = open_data([options.data], recipe.scale)
    take_statistics(network, recipe, data.trained)
    scores = validation_from(data.held_out, recipe).score(network, torch.device("cpu"))
    parts = {described(path): share for path, share in shares.items()}
    save_network(options.out, name, network, {"parts": parts, **scores})
    print(f"{options.out}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


def _share(entry: str) -> tuple[Path, float]:
    name, equals, number = entry.rpartition("=")
    try:
        path, share = (Path(name), float(number)) if equals else (Path(entry), 1.0)
    except ValueError:
        path, share = Path(entry), 0.0
    if not share > 0:
        raise UsageError(f"{entry}: expected WEIGHTS=SHARE, the share a positive number")
    return path, share


def averaged(shares: dict[Path, float]) -> tuple[str, Network]:
    """The network's name, and the mean network.

    Args:
        shares: how much each checkpoint counts.

    Raises:
        UsageError: they are of several networks.
        ModelError: one is no checkpoint of ours.
    """
    loaded = [(*load_network(path), share) for path, share in shares.items()]
    names = {str(metadata["network"]) for _, metadata, _ in loaded}
    if len(names) > 1:
        raise UsageError(f"expected checkpoints of one network, got {', '.join(sorted(names))}")
    network = loaded[0][0]
    total = sum(share for _, _, share in loaded)
    mean: dict[str, Tensor] = {}
    for name, first in network.state_dict().items():
        tensors = [share / total * other.state_dict()[name] for other, _, share in loaded]
        mean[name] = torch.stack(tensors).sum(0) if first.is_floating_point() else first
    network.load_state_dict(mean)
    return names.pop(), network.eval()


@torch.no_grad()
def take_statistics(network: Network, recipe: Recipe, trained: Sequence[Collection]) -> None:
    """Sets the batch norms' means and variances to those of batches of the recipe.

    Args:
        trained: the pictures that the batches are made of.

    Raises:
        InputError: none of them is of a kind that the recipe uses.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    batches = Batches(
        store_from_collections(trained), recipe.mixture, batch_options(recipe, seed=0)
    )
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # every batch counts alike
    network.train()
    for step in range(STATISTICS_SAMPLES // recipe.batch):
        network.predict(batches.pair(step, recipe.crop(1.0)).hazy)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


if __name__ == "__main__":
    raise SystemExit(main())
