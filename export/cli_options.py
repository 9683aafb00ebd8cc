"""The arguments of dehaze-export."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dehaze.runtime.command import positive_float, positive_int

__all__ = ["build_parser", "given"]

_EPILOG = """examples:
  dehaze-export --fp16
  dehaze-export --int8
  dehaze-export runs/edge/edge.safetensors --int8 --data FOLDER --target onnxruntime tensorrt
  dehaze-export --fp16 --engine --library rtx
  dehaze-export edge-fp16-tensorrt.onnx --engine --shapes 640x480 1280x720 1920x1080

--fp16 and --int8 of the network that ships need no torch; an engine of an .onnx file needs no onnx
either. TensorRT builds on the device, for its GPU;
TensorRT-RTX on any x86-64 machine, for every desktop GPU since Ampere.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 the result is too far from its source, 130 stopped.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-export",
        description="Export a trained network as an ONNX model that takes and returns uint8 RGB\n"
        "pixels of any size, and check that it computes what torch computes. On a device\n"
        "with TensorRT, build an engine of the model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        nargs="?",
        default="edge",
        help="name of a network with shipped weights (default: %(default)s) or a checkpoint that "
        "dehaze-train wrote; with --random-weights, the name of any network; with --engine or "
        "--lint, an .onnx file",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(), help="folder for the results (default: the current one)"
    )
    _add_graph_options(parser.add_argument_group("ONNX model"))
    _add_data_options(parser.add_argument_group("pictures for --int8 and --validate"))
    _add_engine_options(parser.add_argument_group("TensorRT"))
    return parser


def _add_graph_options(group: argparse._ArgumentGroup) -> None:
    precision = group.add_mutually_exclusive_group()
    precision.add_argument(
        "--fp16", action="store_true", help="store and compute in half precision"
    )
    precision.add_argument(
        "--int8",
        action="store_true",
        help="compute with 8-bit integers; the network that ships needs no --data for it",
    )
    group.add_argument(
        "--target",
        nargs="+",
        choices=("onnxruntime", "onnxruntime-arm", "tensorrt"),
        help="what will run the model; one file is written for each (default: onnxruntime; with "
        "--engine, tensorrt)",
    )
    group.add_argument(
        "--deform",
        choices=("standard", "plugin", "gridsample"),
        help="deformable convolution as DeformConv, as our TensorRT plugin, or made of GridSample, "
        "for TensorRT-RTX and ONNX Runtime before 1.25 (default: plugin for tensorrt, gridsample "
        "for an engine of rtx and where ONNX Runtime is older, else standard)",
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        help="export the network untrained, to measure its speed",
    )


def _add_data_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        action="append",
        metavar="FOLDER",
        help="data as for dehaze-train, of which the held-out pictures are used; may be repeated; "
        "docs/data.md says where to get them",
    )
    group.add_argument(
        "--pictures",
        type=positive_int,
        help="number of held-out pictures of --data to calibrate on; as many others are used to "
        "measure the PSNR (default: 24)",
    )
    group.add_argument(
        "--max-drop",
        type=positive_float,
        metavar="DB",
        help="largest loss of PSNR on --data that INT8 may cost, in dB; as long as it costs more, "
        "another layer keeps its higher precision (default: 0.2)",
    )
    group.add_argument(
        "--validate",
        action="store_true",
        help="measure the PSNR on --data for FP32 and FP16 models as well",
    )


def _add_engine_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--engine",
        action="store_true",
        help="build an engine, too: for the GPU here, or with --library rtx for all RTX cards",
    )
    group.add_argument(
        "--lint",
        action="store_true",
        help="list what TensorRT would reject in an .onnx file",
    )
    group.add_argument(
        "--shapes",
        nargs=3,
        type=_frame_size,
        metavar=("MIN", "OPT", "MAX"),
        help="smallest, most frequent and largest frame as WIDTHxHEIGHT (default: 64x64 1280x720 "
        "1920x1080)",
    )
    group.add_argument(
        "--plugin",
        type=Path,
        metavar="LIBRARY",
        help="plugin library that `make plugin` built (default: $DEHAZE_PLUGIN or build/plugin)",
    )
    group.add_argument(
        "--workspace",
        type=positive_int,
        default=1024,
        metavar="MIB",
        help="GPU memory in MiB that the engine may use for intermediate results "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--timing-cache",
        type=Path,
        metavar="FILE",
        help="keep the builder's timings in FILE, so that later builds take less time",
    )
    group.add_argument(
        "--version-compatible",
        action="store_true",
        help="build an engine that later TensorRT versions can run as well",
    )
    group.add_argument(
        "--hardware-compatible",
        choices=("none", "same_compute_capability", "ampere_plus"),
        default="none",
        help="build an engine that other GPUs can run as well; not possible on a Jetson (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--library",
        choices=("tensorrt", "rtx"),
        help="what builds: TensorRT, or TensorRT-RTX, which needs no GPU and builds for all since "
        "Ampere (default: tensorrt where it and a GPU are, else rtx)",
    )


def _frame_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT to (height, width)."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text}")
    return int(height), int(width)


def given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """The flags that the user gave, of the options with these names."""
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
