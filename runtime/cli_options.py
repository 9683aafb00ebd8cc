"""The arguments of dehaze-run."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command import positive_float, positive_int
from .errors import UsageError
from .live.address import LIVE_HELP, STREAM_HELP, FrameMode, frame_mode
from .model.shipped import DEFAULT_MODEL

__all__ = ["build_parser"]

_EPILOG = """\
examples:
  dehaze-run photo.jpg                          writes photo-dehazed.jpg beside it
  dehaze-run video.mp4 clear.mp4 --strength 0.6
  dehaze-run photos/ results/ --recursive       done files are skipped when run again
  dehaze-run rtsp://camera/stream --preview 8080

Exit codes: 0 done, 1 error, 2 wrong usage, 4 the engine was built for another device or TensorRT
version, 5 some files of a batch failed, 130 stopped by Ctrl-C or kill.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-run",
        description="Remove haze and fog from pictures, videos and live cameras.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        help="file or folder to write (default: beside the input, see --suffix); for live input, a "
        f"video to record, or - to write raw RGB24 frames to standard output; {STREAM_HELP}",
    )
    add("--json", action="store_true", help="print the result as one JSON object")
    add("--doctor", action="store_true", help="check what works on this machine and exit")
    add("--list-models", action="store_true", help="list the shipped models and exit")
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
        help="name of a shipped model (see --list-models), or an .onnx or .engine file "
        "(default: %(default)s)",
    )
    add(
        "--strength",
        type=_strength,
        default=1.0,
        help="how much haze to remove, from 0 (none) to 1 (all of it; the default)",
    )
    add("--auto", action="store_true", help="leave pictures and frames without haze unchanged")
    add(
        "--temporal",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="smooth the result over time, so that videos do not flicker (default: on)",
    )
    add(
        "--every",
        type=positive_int,
        metavar="K",
        default=1,
        help="estimate the haze only in every K-th video frame, which is faster; for the frames "
        "between, the estimate follows the motion of the picture (default: 1)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--side-by-side", action="store_true", help="show before and after next to each other")
    add("--suffix", default="-dehazed", help="in the names of results (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace results that exist")
    add("--strict", action="store_true", help="refuse a damaged video instead of mending it")
    add(
        "--codec",
        help="h264, hevc, av1, vp9 or an FFmpeg encoder, such as h264_nvenc (default: h264, hevc "
        "for more than 8 bits, vp9 or av1 in .webm, prores for alpha in .mov)",
    )
    add(
        "--quality",
        type=int,
        choices=range(64),
        metavar="CRF",
        default=20,
        help="constant rate factor of the video encoder, from 0 to 63; lower means better quality "
        "and larger files (default: %(default)s)",
    )


def _add_batch(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--recursive", action="store_true", help="include the folders inside a folder")
    add(
        "--failures",
        type=Path,
        metavar="FILE",
        help="write one line of JSON to FILE for each input that failed",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="distribute the files over a Ray cluster: local, auto or HOST:PORT",
    )


def _add_live(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--raw",
        type=_mode,
        metavar="WxH@FPS",
        help="size and frame rate of raw RGB24 input, such as 1280x720@30; for a camera, the mode "
        "to request",
    )
    add(
        "--give-up",
        type=positive_float,
        metavar="SECONDS",
        help="stop when a lost stream, in or out, has not come back after this time (default: keep "
        "trying)",
    )
    add(
        "--preview",
        type=_port,
        metavar="PORT",
        help="show the live picture in a browser, at http://localhost:PORT; 0 takes a free port",
    )
    add(
        "--segment",
        type=_duration,
        metavar="TIME",
        help="begin a new file of a recording after this time, such as 10m, 1h or 30s",
    )
    add(
        "--preview-host",
        metavar="ADDRESS",
        help="network address on which the preview listens; 0.0.0.0 shows it to every machine of "
        "the network, without a password (default: 127.0.0.1, this machine only)",
    )


def _add_backend(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--threads",
        type=positive_int,
        metavar="N",
        help="number of CPU threads for the model (default: one per core; for videos and live "
        "input, one core is left free; with --ray, one)",
    )
    add(
        "--hwaccel",
        metavar="DEVICE",
        help="decode video files on a device of this kind, such as cuda, vaapi or videotoolbox "
        "(default: on the CPU)",
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
    add(
        "--plugin",
        type=Path,
        metavar="LIBRARY",
        help="library of the TensorRT plugin, if it is not found by itself",
    )
    add(
        "--trust-engine",
        action="store_true",
        help="run an engine that was not built here; it is machine code and can do what you can",
    )


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
