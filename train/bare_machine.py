"""Trains on a machine that has torch, NumPy and OpenCV, and neither a network nor this package.

    make gpu-bundle                    # here: packs the data and the few packages that are missing
    python train/bare_machine.py --minutes 9 --out result      # there, in the repository's folder

It measures which batch, precision and compiler are fastest, trains with them for the time that is
left, and writes the checkpoint, `log.csv`, `samples.jpg` and `speed.json` into the folder. Called
again with the same folder it goes on where it stopped: `--total` says how long the whole training
takes, over all calls.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = Path("build") / "gpu"
TUNING_SHARE = 0.2
"""Largest share of this call's time before the last trial begins."""
ENDING_S = 20.0
"""Seconds kept for the last scores and files."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", nargs="?", default="edge", help="(default: %(default)s)")
    parser.add_argument("--data", default=str(ROOT / BUNDLE / "thumbnails.npz"), help="packed file")
    parser.add_argument("--packages", type=Path, default=ROOT / BUNDLE / "packages")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, required=True, help="end this call after so long")
    parser.add_argument("--total", type=float, help="minutes of training over all calls")
    parser.add_argument("--init", metavar="WEIGHTS", help="start from these weights")
    parser.add_argument("--guide", metavar="WEIGHTS", help="super-resolution teacher")
    parser.add_argument("--teacher", metavar="WEIGHTS", help="dehazing teacher")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    started = time.monotonic()
    options = build_parser().parse_args(arguments)
    with ExitStack() as stack:
        if "dehaze" not in sys.modules:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            _make_importable(Path(folder), options.packages)
        from dehaze.runtime.command import run_command

        return run_command("bare_machine", lambda: _run(options, started), "call it again")


def _make_importable(folder: Path, packages: Path) -> None:
    """Puts the folders of this repository on the path as the packages that they are."""
    (folder / "dehaze").mkdir()
    for name in ("train", "runtime"):
        (folder / "dehaze" / name).symlink_to(ROOT / name, target_is_directory=True)
    sys.path[:0] = [str(folder), *([str(packages)] if packages.is_dir() else [])]


def _run(options: argparse.Namespace, started: float) -> None:
    import torch

    from dehaze.train.data.folders import open_data
    from dehaze.train.data.store import store_from_collections
    from dehaze.train.loop import Run, train
    from dehaze.train.networks import build_network
    from dehaze.train.networks.eight_bit import learn_eight_bits
    from dehaze.train.objective import Objective
    from dehaze.train.recipe import load_recipe
    from dehaze.train.run.lock import exclusive
    from dehaze.train.run.processes import joined_processes
    from dehaze.train.teachers import first_weights, load_teachers
    from dehaze.train.tuning import Trial, best, trials, tuned
    from dehaze.train.validation import validation_from

    recipe = load_recipe(options.recipe, options.set)
    teachers, origins = load_teachers(recipe, options.guide, options.teacher, None)
    torch.manual_seed(0)
    network = build_network(recipe.network)
    if options.init:
        network, origins["init"] = first_weights(recipe, options.init)
    if recipe.quantised:
        learn_eight_bits(network)
    with joined_processes() as processes, exclusive(options.out):
        data = open_data([options.data], recipe.scale)
        store = store_from_collections(data.trained).to(processes.device)
        objective = Objective(network, recipe.losses, teachers).to(processes.device)
        speeds = options.out / "speed.json"
        if speeds.exists():
            chosen = Trial(**json.loads(speeds.read_text())["chosen"])
        else:
            budget = 60 * options.minutes * TUNING_SHARE
            done = trials(objective, recipe, store, budget)
            chosen = best(done)
            table = {"chosen": asdict(chosen), "trials": [asdict(trial) for trial in done]}
            speeds.write_text(json.dumps(table, indent=1))
        print(f"{processes.device}: {chosen}", flush=True)
        recipe = tuned(recipe, chosen)
        validation = validation_from(data.held_out, recipe)
        left = max(1.0, 60 * options.minutes - (time.monotonic() - started) - ENDING_S)
        run = Run(
            options.out,
            minutes=options.total or left / 60,
            pause_s=left if options.total else None,
            compiled=chosen.compiled,
            origins=origins,
        )
        scores = train(objective, recipe, store, validation, run, processes)
        state = f"choice {scores['choice']:.2f}" if scores else "call it again to go on"
        print(f"{options.out / recipe.network}.safetensors: {state}")


if __name__ == "__main__":
    raise SystemExit(main())
