"""dehaze-train: trains a network as a recipe says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from dehaze.runtime.command import positive_float, positive_int, run_command

EXAMPLES = """examples:
  dehaze-train edge --data data --minutes 80           the network that ships
  dehaze-train edge --data RESIDE/ITS=0.7 --data foggy:sharp=0.3
  dehaze-train edge --data data --set losses.affinity=0.25 --guide sr-teacher
  dehaze-train edge --data data --pack thumbnails.npz  one file for another machine
  dehaze-train sr-teacher --data data --minutes 5 --set scale=1      the guide of RFD
  dehaze-train rfd --data data --guide runs/sr-teacher/sr-teacher.safetensors
  dehaze-train aecr-net --data data --vgg vgg19-dcbb9e9d.pth
  torchrun --nproc-per-node 4 -m dehaze.train.cli edge --data data

Exit codes: 0 done, 1 error, 2 wrong usage, 3 the training diverged, 130 stopped: the
same command goes on.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-train",
        description="Train a network on hazy pictures, on pictures with synthetic haze, or both.\n"
        "To continue a run that was stopped, give the same command again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe",
        help="name of a shipped recipe (aecr-net, edge, ffa-net, rfd or sr-teacher), or the path "
        "of a .toml file",
    )
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="FOLDER[=SHARE]",
        help="training data: a folder that holds data sets by name (nyu/, frida2/, ...), hazy and "
        "clear pictures, clear pictures and depth, or clear photographs; two folders as "
        "HAZY:CLEAR; or a file that --pack wrote. May be repeated; SHARE weighs the folders "
        "against each other, as in A=0.7",
    )
    parser.add_argument(
        "--pack",
        type=Path,
        metavar="FILE",
        help="write all of the data into FILE, scaled for this recipe, and exit; on another "
        "machine, --data FILE reads it",
    )
    parser.add_argument(
        "--out", type=Path, help="folder for weights, log and samples (default: runs/RECIPE)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive_float, help="stop training after this time")
    length.add_argument(
        "--steps",
        type=positive_int,
        help="stop training after this many steps (default: see the recipe)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of the recipe, such as batch=8, losses.contrast=0.1 or "
        "mixture.rooms.share=0.5; may be repeated",
    )
    weights = "a checkpoint or the name of shipped weights"
    parser.add_argument(
        "--init", metavar="WEIGHTS", help=f"weights to start from: {weights} (default: random)"
    )
    parser.add_argument(
        "--guide",
        metavar="WEIGHTS",
        help=f"super-resolution teacher, needed by losses.affinity: {weights}",
    )
    parser.add_argument(
        "--teacher",
        metavar="WEIGHTS",
        help="dehazing teacher, needed by losses.teacher_image and losses.teacher_features: "
        f"{weights}",
    )
    parser.add_argument(
        "--vgg",
        type=Path,
        metavar="FILE",
        help="torchvision's VGG19 weights, whose features losses.contrast compares; without them, "
        "it compares those of --teacher",
    )
    parser.add_argument(
        "--threads",
        type=positive_int,
        metavar="N",
        help="number of CPU threads (default: one per core)",
    )
    parser.add_argument(
        "--compile", action="store_true", help="compile the network with torch.compile"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command(
        "dehaze-train",
        lambda: _run(options),
        "the same command goes on where it stopped",
        extra="train",
    )


def _run(options: argparse.Namespace) -> None:
    import torch  # here, so that --help is instant

    from .data.folders import open_data, pack_data
    from .data.store import store_from_collections
    from .loop import Run, train
    from .networks import build_network
    from .networks.eight_bit import learn_eight_bits
    from .objective import Objective
    from .recipe import load_recipe
    from .run.lock import exclusive
    from .run.processes import joined_processes
    from .teachers import first_weights, load_teachers
    from .validation import validation_from

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = load_recipe(options.recipe, options.set)
    if options.pack:
        pack_data(open_data(options.data, recipe.scale), options.pack, recipe.scale)
        print(f"{options.pack}: {options.pack.stat().st_size / 2**20:.1f} MiB")
        return
    teachers, origins = load_teachers(recipe, options.guide, options.teacher, options.vgg)
    torch.manual_seed(options.seed)
    network = build_network(recipe.network)
    if options.init:
        network, origins["init"] = first_weights(recipe, options.init)
    if recipe.quantised:
        learn_eight_bits(network)
    objective = Objective(network, recipe.losses, teachers)
    run = Run(
        out=options.out or Path("runs") / Path(options.recipe).stem,
        steps=options.steps or (None if options.minutes else recipe.steps),
        minutes=options.minutes,
        seed=options.seed,
        compiled=options.compile,
        origins={"data": options.data, **origins},
    )
    with joined_processes() as processes:
        with exclusive(run.out) if processes.first else nullcontext():
            data = open_data(options.data, recipe.scale)
            store = store_from_collections(data.trained)
            validation = validation_from(data.held_out, recipe)
            scores = train(objective, recipe, store, validation, run, processes)
        if processes.first:
            summary = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
            path = run.out / f"{recipe.network}.safetensors"
            print(f"{path}: {summary or 'already trained'}")


if __name__ == "__main__":
    raise SystemExit(main())
