"""dehaze-train: trains a network by a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from dehaze.runtime.command import positive_float, positive_int, run_command

EXAMPLES = """examples:
  dehaze-train edge --data data --minutes 80           the student that ships
  dehaze-train sr-teacher --minutes 5                  the guide of RFD
  dehaze-train rfd --guide runs/sr-teacher/sr-teacher.safetensors
  dehaze-train aecr-net --vgg vgg19-dcbb9e9d.pth
  dehaze-train edge --set losses.affinity=0.25 --guide sr-teacher
  dehaze-train edge --data RESIDE/ITS=0.7 --data foggy:sharp=0.3
  dehaze-train edge --data data --pack thumbnails.npz  all pictures as one file that travels
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
        required=True,
        metavar="FOLDER[=SHARE]",
        help="a folder with data sets by name (nyu/, frida2/, ...), with hazy and clear pictures, "
        "with clear ones and depth, or with clear photographs; HAZY:CLEAR for two folders; or a "
        "file made by --pack; may be repeated",
    )
    parser.add_argument(
        "--pack", type=Path, metavar="FILE", help="write all of the data into one file, and end"
    )
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/RECIPE)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive_float, help="train this long")
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

    from .data.folders import open_data, pack_data
    from .data.store import store_from_collections
    from .lock import exclusive
    from .loop import Run, train
    from .networks import build_network
    from .networks.eight_bit import learn_eight_bits
    from .objective import Objective
    from .processes import joined_processes
    from .recipe import load_recipe
    from .teachers import first_weights, load_teachers
    from .validation import Validation, examples_from, photographs_from

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = load_recipe(options.recipe, options.set)
    if options.pack:
        pack_data(open_data(options.data, recipe.scale), options.pack)
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
            limit, doubling = recipe.validation_pictures, recipe.super_resolution
            examples = examples_from(data.held_out, limit, super_resolution=doubling)
            photographs = () if doubling else photographs_from(data.held_out, limit)
            validation = Validation(examples, photographs)
            scores = train(objective, recipe, store, validation, run, processes)
        if processes.first:
            summary = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
            path = run.out / f"{recipe.network}.safetensors"
            print(f"{path}: {summary or 'already trained'}")


if __name__ == "__main__":
    raise SystemExit(main())
