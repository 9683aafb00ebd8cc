"""dehaze-train: trains a network on clear images with depth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dehaze.runtime.command import positive_int, run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-train",
        description="Train a network. A run that was stopped goes on where it was: "
        "give the same command again.",
    )
    parser.add_argument("network", choices=["edge"], help="which network")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/data"),
        help="folder with nyu/ and frida2/ (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NETWORK)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="train this long (default: 60)")
    length.add_argument("--steps", type=positive_int, help="train this many steps")
    parser.add_argument("--threads", type=positive_int, help="CPU threads (default: all cores)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command(
        "dehaze-train", lambda: _run(options), "the same command goes on from the last checkpoint"
    )


def _run(options: argparse.Namespace) -> None:
    import torch  # here, so that --help is instant

    from .loop import TrainingOptions, train_edge
    from .scenes import FRIDA2_HELD_OUT, NYU_HELD_OUT, load_frida2, load_nyu
    from .validation import Validation

    if options.threads:
        torch.set_num_threads(options.threads)
    minutes = 60.0 if options.minutes is None and options.steps is None else options.minutes
    out = options.out or Path("runs") / options.network
    indoor, indoor_held_out = load_nyu(options.data / "nyu").split(NYU_HELD_OUT)
    road, road_held_out = load_frida2(options.data / "frida2").split(FRIDA2_HELD_OUT)
    scores = train_edge(
        (indoor, road),
        Validation(indoor_held_out, road_held_out),
        out,
        TrainingOptions(steps=options.steps, minutes=minutes, seed=options.seed),
    )
    summary = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
    print(f"{out / 'edge.safetensors'}: {summary or 'already trained'}")
