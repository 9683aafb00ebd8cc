"""The arguments of dehaze-run."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command import positive_float, positive_int
from .errors import UsageError
from .live.address import LIVE_HELP, FrameMode, frame_mode
from .model.shipped import DEFAULT_MODEL

__all__ = ["build_parser"]

_EPILOG = """\
Exit codes: 0 done, 1 error, 2 usage, 4 an engine was built for another device or TensorRT, 5 part
of a batch failed.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-run",
        description="Take the haze out of a picture, a video, a folder of them, or a live camera.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        metavar="INPUT",
        help=f"pictures, videos, folders, a 'glob*.jpg'; live: {LIVE_HELP}; the last of several "
        "names is the output where it is a folder or is not there yet",
    )
    add(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="a file or folder (default: beside the input); of a live input a video, or - for raw "
        "frames on standard output",
    )
    add("--json", action="store_true", help="print one JSON object on standard output")
    add("--doctor", action="store_true", help="say what works on this machine, and leave")
    add("--list-models", action="store_true", help="show the shipped models and leave")
    _add_haze(parser.add_argument_group("haze"))
    _add_output(parser.add_argument_group("output"))
    _add_batch(parser.add_argument_group("folders and globs"))
    _add_live(parser.add_argument_group("cameras, streams and pipes"))
    _add_backend(parser.add_argument_group("speed"))
    return parser


def _add_haze(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--model",
        default=DEFAULT_MODEL,
        help="a shipped name, an .onnx or an .engine file (default: edge)",
    )
    add("--strength", type=_strength, default=1.0, help="0 leaves the haze, 1 takes all of it")
    add("--auto", action="store_true", help="leave clear pictures and frames as they are")
    add(
        "--temporal",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="smooth videos over time against flicker (default: on)",
    )
    add(
        "--every",
        type=positive_int,
        metavar="K",
        default=1,
        help="estimate the haze of every K-th frame alone, and move it along between",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--side-by-side", action="store_true", help="show before and after next to each other")
    add("--suffix", default="-dehazed", help="in the names of results (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace results that exist")
    add("--strict", action="store_true", help="refuse a damaged video instead of mending it")
    add("--codec", help="h264, hevc, av1, vp9 or an FFmpeg encoder (default: h264, vp9 in .webm)")
    add(
        "--quality",
        type=int,
        choices=range(64),
        metavar="CRF",
        default=20,
        help="of the encoder, lower is better (default: %(default)s)",
    )


def _add_batch(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--recursive", action="store_true", help="do the folders in a folder too")
    add("--failures", type=Path, metavar="FILE", help="list them there as lines of JSON")
    add(
        "--ray",
        metavar="ADDRESS",
        help="share the files with the machines of a Ray cluster: local, auto or HOST:PORT",
    )


def _add_live(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--raw",
        type=_mode,
        metavar="WxH@FPS",
        help="of raw RGB24 frames on standard input; asked of a camera",
    )
    add(
        "--give-up",
        type=positive_float,
        metavar="SECONDS",
        help="wait so long for a lost stream (default: for ever)",
    )
    add(
        "--segment",
        type=_duration,
        metavar="TIME",
        help="begin another file after so long, e.g. 10m, 1h or 30s",
    )
    add("--preview", type=_port, metavar="PORT", help="show the live picture to a browser")
    add(
        "--preview-host",
        metavar="ADDRESS",
        help="0.0.0.0 shows it to everybody, without a password (default: 127.0.0.1)",
    )


def _add_backend(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--threads",
        type=positive_int,
        help="CPU threads for inference (default: all cores, for a video one less)",
    )
    add(
        "--backend",
        choices=("auto", "onnxruntime", "tensorrt", "rtx"),
        default="auto",
        help="what runs the model; rtx is TensorRT-RTX, for desktop GPUs (default: auto, the first "
        "of tensorrt, rtx and onnxruntime that can)",
    )
    add(
        "--provider",
        default="cpu",
        metavar="NAME",
        help="what ONNX Runtime runs on: cpu, cuda, tensorrt, a device of an installed plugin such "
        "as openvino-npu, or auto, the fastest of them, measured once; --doctor lists them "
        "(default: %(default)s)",
    )
    add("--plugin", type=Path, metavar="FILE", help="the TensorRT plugin, where it is not found")


def _strength(text: str) -> float:
    message = f"expected a number from 0 to 1, got {text}"
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message) from error
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(message)
    return value


def _mode(text: str) -> FrameMode:
    try:
        return frame_mode(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> float:
    """`90`, `30s`, `10m` or `1h` in seconds."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    return positive_float(text[:-1]) * unit if unit else positive_float(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 (any) to 65535, got {text}")
    return int(text)
