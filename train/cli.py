"""dehaze-train: trains a network by a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dehaze.runtime.command import positive_int, run_command
from dehaze.runtime.errors import UsageError

if TYPE_CHECKING:
    from .network import Network
    from .objective import Helpers
    from .recipe import Recipe

EXAMPLES = """examples:
  dehaze-train edge --minutes 80                       the student that ships
  dehaze-train sr-teacher --minutes 5                  the guide of RFD
  dehaze-train rfd --guide runs/sr-teacher/sr-teacher.safetensors
  dehaze-train aecr-net --vgg vgg19-dcbb9e9d.pth
  dehaze-train edge --set losses.affinity=0.25 --guide sr-teacher
  dehaze-train edge --data RESIDE/ITS=0.7 --data RESIDE/OTS=0.3 --workers 8
  torchrun --nproc-per-node 4 -m dehaze.train.cli aecr-net --vgg vgg19-dcbb9e9d.pth
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-train",
        description="Train a network. A run that was stopped goes on where it was: "
        "give the same command again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", help="aecr-net, edge, ffa-net, rfd, sr-teacher, or the path of a .toml file"
    )
    parser.add_argument(
        "--data",
        action="append",
        metavar="FOLDER[=SHARE]",
        help="folder with nyu/ and frida2/, a RESIDE set, hazy and clear pictures, or clear ones "
        "with depth; may be repeated (default: ../shared/data)",
    )
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/RECIPE)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="train this long")
    length.add_argument("--steps", type=positive_int, help="train this many steps")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe: batch=8, losses.contrast=0.1, haze.tint=0",
    )
    network = "checkpoint or the name of shipped weights"
    parser.add_argument("--init", metavar="WEIGHTS", help=f"start from these weights: {network}")
    parser.add_argument("--guide", metavar="WEIGHTS", help=f"super-resolution teacher: {network}")
    parser.add_argument("--teacher", metavar="WEIGHTS", help=f"dehazing teacher: {network}")
    parser.add_argument(
        "--vgg", type=Path, metavar="FILE", help="torchvision's VGG19 weights, for losses.contrast"
    )
    parser.add_argument("--threads", type=positive_int, help="CPU threads (default: all cores)")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that prepare batches (default: 0)"
    )
    parser.add_argument("--compile", action="store_true", help="run the network by torch.compile")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command(
        "dehaze-train", lambda: _run(options), "the same command goes on where it stopped"
    )


def _run(options: argparse.Namespace) -> None:
    import torch  # here, so that --help is instant

    from .datasets import open_data
    from .loop import Run, train
    from .networks import build_network
    from .objective import Objective
    from .processes import joined_processes
    from .recipe import load_recipe

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = load_recipe(options.recipe, options.set)
    steps = options.steps or (None if options.minutes else recipe.steps)
    out = options.out or Path("runs") / Path(options.recipe).stem
    torch.manual_seed(options.seed)
    network = build_network(recipe.network)
    origin = _start(network, recipe.network, options.init) if options.init else None
    objective = Objective(network, recipe.losses, _helpers(options, recipe))
    with joined_processes() as processes:
        data = open_data(options.data or ["../shared/data"], recipe)
        run = Run(
            out,
            steps,
            options.minutes,
            options.seed,
            options.workers,
            options.compile,
            origin,
        )
        scores = train(objective, recipe, data.shares, data.validation(), run, processes)
        if processes.first:
            summary = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
            path = out / f"{recipe.network}.safetensors"
            print(f"{path}: {summary or 'already trained'}")


def _start(network: Network, name: str, weights: str) -> str:
    """Loads the first weights; returns which they were."""
    import hashlib

    from .checkpoint import load_network, shipped_or_path

    path = shipped_or_path(weights)
    other, metadata = load_network(path)
    if metadata["network"] != name:
        raise UsageError(f"--init {weights}: expected weights of {name}, got {metadata['network']}")
    network.load_state_dict(other.state_dict())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name}, {metadata.get('step')} steps, sha256 {sha256}"


def _helpers(options: argparse.Namespace, recipe: Recipe) -> Helpers:
    """The frozen networks that the recipe's losses ask for; no others are loaded."""
    from .checkpoint import load_network, shipped_or_path
    from .objective import Helpers
    from .vgg19 import vgg19_from_file

    losses = recipe.losses
    taught = losses.teacher_image or losses.teacher_features
    contrast_by_teacher = losses.contrast and not options.vgg
    return Helpers(
        guide=load_network(shipped_or_path(options.guide))[0]
        if losses.affinity and options.guide
        else None,
        teacher=load_network(shipped_or_path(options.teacher))[0]
        if (taught or contrast_by_teacher) and options.teacher
        else None,
        space=vgg19_from_file(options.vgg) if losses.contrast and options.vgg else None,
    )


if __name__ == "__main__":
    raise SystemExit(main())
