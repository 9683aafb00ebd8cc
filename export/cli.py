"""dehaze-export: a checkpoint to a model file that dehaze-run takes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dehaze.runtime.command import run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-export",
        description="Export a network to ONNX, uint8 RGB pixels in and out, and compare it with "
        "torch on three sizes.",
    )
    parser.add_argument(
        "model",
        nargs="?",
        default="edge",
        help="a network with shipped weights (edge), a checkpoint of dehaze-train, or with "
        "--random-weights any network (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(), help="folder for NAME.onnx (default: here)"
    )
    parser.add_argument(
        "--random-weights", action="store_true", help="an untrained network, to measure its speed"
    )
    parser.add_argument(
        "--gridsample",
        action="store_true",
        help="make DeformConv of GridSample, for ONNX Runtime before 1.25 (Python 3.10)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command("dehaze-export", lambda: _run(options), "nothing was written")


def _run(options: argparse.Namespace) -> None:
    from dehaze.train.checkpoint import shipped_or_path

    from .model_file import COMPARED_SIZES, onnx_from_checkpoint, onnx_from_random_weights

    if options.random_weights:
        path, comparison = onnx_from_random_weights(
            options.model, options.out, gridsample=options.gridsample
        )
    else:
        path, comparison = onnx_from_checkpoint(
            shipped_or_path(options.model), options.out, gridsample=options.gridsample
        )
    sizes = ", ".join(f"{width}x{height}" for height, width in COMPARED_SIZES)
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB; at {sizes} within {comparison.largest}/255 "
        f"of torch, {comparison.differing:.4%} of the bytes differ"
    )
