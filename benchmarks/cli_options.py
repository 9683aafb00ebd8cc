"""The command line of dehaze-bench."""

from __future__ import annotations

import argparse
from pathlib import Path

from dehaze.runtime.command import positive_float, positive_int
from dehaze.runtime.media.headers.picture_header import MAXIMUM_PIXELS

__all__ = ["build_parser"]

_METHODS = (
    "name of a shipped model; an .onnx or .engine file; a classical method: dcp, clahe or none; or "
    "an ONNX model from elsewhere with the range of its pixels and its size rule, such as "
    "other.onnx@input=0..1,multiple=16"
)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text}") from error
    if min(width, height) < 1 or width * height > MAXIMUM_PIXELS:
        raise argparse.ArgumentTypeError(f"expected from 1x1 to 16384x16384 pixels, got {text}")
    return width, height


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-bench",
        description="Measure the speed and the quality of dehazing models, and report and compare "
        "the results. `dehaze-bench COMMAND --help` lists the options of a command.",
        epilog="Exit codes: 0 done, 1 error, 2 wrong usage, 3 `compare` found a regression.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    latency = commands.add_parser("latency", help="measure the time per frame")
    quality = commands.add_parser(
        "quality", help="measure PSNR and SSIM of pairs, or contrast and artefacts of photographs"
    )
    flicker = commands.add_parser("flicker", help="measure how much a dehazed video flickers")
    formats = commands.add_parser(
        "formats", help="export a network to every form, and measure those that run here"
    )
    detect = commands.add_parser(
        "detect", help="measure what a detector finds in pictures before and after dehazing"
    )
    video = commands.add_parser(
        "video", help="measure what dehazing a video costs beside decoding and encoding it"
    )
    _add_latency(latency)
    _add_quality(quality)
    _add_video(video)
    _add_flicker(flicker)
    _add_formats(formats)
    _add_detect(detect)
    for command in (latency, quality, flicker, formats, detect, video):
        command.add_argument(
            "--threads",
            type=positive_int,
            nargs="+" if command is latency else None,
            metavar="N",
            help="number of CPU threads; several numbers are measured one after the other "
            "(default: one per core)"
            if command is latency
            else "number of CPU threads (default: that of dehaze-run)"
            if command is video
            else "number of CPU threads (default: one per core)",
        )
        command.add_argument(
            "--json", metavar="FILE", help="write the result to FILE as JSON; - prints it instead"
        )
    data = commands.add_parser("data", help="list the data sets in a folder and what they lack")
    data.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder of data sets, see docs/data.md"
    )
    _add_report(commands.add_parser("report", help="make a page out of results"))
    _add_compare(
        commands.add_parser("compare", help="fail if a new result is worse than an old one")
    )
    return parser


def _add_latency(latency: argparse.ArgumentParser) -> None:
    latency.add_argument("models", nargs="+", metavar="METHOD", help=_METHODS)
    latency.add_argument(
        *("--sizes", "--size"),
        type=_size,
        nargs="+",
        default=[(1280, 720)],
        metavar="WxH",
        help="size of the frames; several sizes are measured one after the other "
        "(default: 1280x720)",
    )
    latency.add_argument(
        "--backends",
        nargs="+",
        choices=("auto", "onnxruntime", "tensorrt", "rtx"),
        default=["auto"],
        help="libraries that run the models; every model is measured in each (default: auto)",
    )
    latency.add_argument(
        "--runs",
        type=positive_int,
        metavar="N",
        help="number of rounds; each round calls every model once, in random order (default: "
        "until the medians are stable)",
    )
    latency.add_argument(
        "--no-memory",
        dest="memory",
        action="store_false",
        help="do not measure the peak memory, which takes another start of every model",
    )
    latency.add_argument(
        "--stages",
        action="store_true",
        help="show how the time of a frame is spent (thumbnail, network, apply); for one model on "
        "the CPU",
    )
    latency.add_argument(
        "--operators",
        action="store_true",
        help="print how the time of the network is spent, by operators of ONNX Runtime; for one "
        "model on the CPU",
    )


def _add_quality(quality: argparse.ArgumentParser) -> None:
    quality.add_argument(
        "models",
        nargs="+",
        metavar="METHOD",
        help=_METHODS,
    )
    quality.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder that holds hazy/ and clear/ (or GT/), with files of the same names or named "
        "as in RESIDE, O-HAZE, NH-HAZE, BeDDE and others; or a folder of hazy photographs "
        "without clear counterparts; docs/data.md says where to get them",
    )
    quality.add_argument("--levels", action="store_true", help="add a line for each level of haze")
    quality.add_argument(
        "--do-no-harm",
        action="store_true",
        help="also dehaze the clear pictures, with and without --auto, and say how many come back "
        "unchanged",
    )


def _add_flicker(flicker: argparse.ArgumentParser) -> None:
    flicker.add_argument("model", metavar="MODEL", help="name of a shipped model, or an .onnx file")
    flicker.add_argument(
        "--hazy", type=Path, required=True, metavar="VIDEO", help="video to dehaze"
    )
    flicker.add_argument(
        "--clear", type=Path, required=True, metavar="VIDEO", help="the same video without haze"
    )
    flicker.add_argument(
        "--every",
        type=positive_int,
        metavar="K",
        default=1,
        help="estimate the haze only in every K-th frame, as dehaze-run does (default: 1)",
    )


def _add_formats(formats: argparse.ArgumentParser) -> None:
    formats.add_argument(
        "model",
        nargs="?",
        default="edge",
        help="name of a network with shipped weights or a checkpoint (default: %(default)s)",
    )
    formats.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="hazy pictures with clear ones, as for quality, on which the PSNR is measured",
    )
    formats.add_argument(
        "--calibrate",
        type=Path,
        metavar="FOLDER",
        help="data to calibrate INT8 on, as --data of dehaze-export; not those of --data (default: "
        "the ranges that ship with the weights)",
    )
    formats.add_argument(
        "--size",
        type=_size,
        default=(1280, 720),
        metavar="WxH",
        help="size of the frames that are timed (default: 1280x720)",
    )


def _add_detect(detect: argparse.ArgumentParser) -> None:
    detect.add_argument(
        "models", nargs="*", default=["edge"], metavar="METHOD",
        help=f"{_METHODS}; the pictures as they are always stand beside (default: edge)",
    )  # fmt: skip
    detect.add_argument(
        "--detector", type=Path, required=True, metavar="FILE.onnx",
        help="detector of objects with the outputs of a YOLO (v5 to v12, end-to-end) or RT-DETR",
    )  # fmt: skip
    detect.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER",
        help="pictures with boxes in COCO's, VOC's (RTTS) or YOLO's form; with hazy/ and clear/ "
        "the clear ones are measured, too; see docs/data.md",
    )  # fmt: skip
    detect.add_argument(
        "--names", type=Path, metavar="FILE",
        help="names of the detector's classes, one a line (default: those in the ONNX file)",
    )  # fmt: skip


def _add_video(video: argparse.ArgumentParser) -> None:
    video.add_argument("videos", nargs="+", type=Path, metavar="FILE", help="video to dehaze")
    video.add_argument("--model", default="edge", help="model that dehazes (default: %(default)s)")
    video.add_argument(
        "--sizes",
        type=_size,
        nargs="+",
        default=[],
        metavar="WxH",
        help="scale the first 120 frames of every video to these sizes before (default: as it is)",
    )
    video.add_argument(
        "--runs",
        type=positive_int,
        metavar="N",
        help="number of rounds; each dehazes and transcodes every video once (default: 5)",
    )


def _add_report(report: argparse.ArgumentParser) -> None:
    report.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.json",
        help="results written with --json, and *.sensitivity.json files of dehaze-export",
    )  # fmt: skip
    report.add_argument(
        "--out",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="page to write: an .html file, an .md file or both",
    )
    report.add_argument(
        "--into", nargs="+", type=Path, default=[], metavar="FILE.md",
        help="Markdown file to update: the table of NAME.json goes between the lines "
        "<!-- dehaze-bench NAME --> and <!-- end -->",
    )  # fmt: skip
    report.add_argument(
        "--pictures", type=Path, metavar="PATH",
        help="folder of hazy pictures or a hazy video, shown on the page before and after "
        "dehazing; take only pictures that may be published",
    )  # fmt: skip
    report.add_argument(
        "--model", default="edge", help="model that dehazes --pictures (default: %(default)s)"
    )
    report.add_argument(
        "--title", default="Dehazing benchmark", help="title of the page (default: %(default)s)"
    )


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("old", type=Path, metavar="OLD.json", help="result to compare with")
    compare.add_argument("new", type=Path, metavar="NEW.json", help="result to judge")
    compare.add_argument(
        "--tolerance", type=positive_float, default=0.05, metavar="SHARE",
        help="relative change that still counts as equal, for latency (beyond its confidence "
        "interval), memory, energy and flicker (default: %(default)s, which is 5 %%)",
    )  # fmt: skip
    compare.add_argument(
        "--relative", action="store_true",
        help="compare ratios to the first model of each result instead of milliseconds, for "
        "machines that are busy with other work",
    )  # fmt: skip
    compare.add_argument(
        "--force",
        action="store_true",
        help="compare even if the machine, the data or the models are not the same",
    )
