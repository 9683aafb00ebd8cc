"""dehaze-bench: how fast and how good."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dehaze.runtime.command import positive_float, positive_int, run_command
from dehaze.runtime.media.headers.picture_header import MAXIMUM_PIXELS

_METHODS = (
    "shipped names, .onnx and .engine files, dcp, clahe, none, or a model from elsewhere with its "
    "pixels: other.onnx@input=0..1,multiple=16"
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
        prog="dehaze-bench", description="Measure how fast and how good models are."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    latency = commands.add_parser("latency", help="milliseconds per frame, models interleaved")
    quality = commands.add_parser(
        "quality", help="PSNR and SSIM; contrast and artefacts of photographs"
    )
    flicker = commands.add_parser("flicker", help="how steady a dehazed video is")
    _add_latency(latency)
    _add_quality(quality)
    _add_flicker(flicker)
    for command in (latency, quality, flicker):
        command.add_argument(
            "--threads",
            type=positive_int,
            nargs="+" if command is latency else None,
            help="CPU threads (default: all cores)",
        )
        command.add_argument("--json", metavar="FILE", help="write the result, - to print it")
    data = commands.add_parser("data", help="which data sets a folder holds, and what they lack")
    data.add_argument("folder", type=Path, metavar="FOLDER", help="what it may hold: docs/data.md")
    _add_report(commands.add_parser("report", help="results as a page to show"))
    _add_compare(commands.add_parser("compare", help="is the new result worse than the old one?"))
    return parser


def _add_latency(latency: argparse.ArgumentParser) -> None:
    latency.add_argument("models", nargs="+", metavar="METHOD", help=_METHODS)
    latency.add_argument(
        *("--sizes", "--size"),
        type=_size,
        nargs="+",
        default=[(1280, 720)],
        metavar="WxH",
        help="(default: 1280x720)",
    )
    latency.add_argument(
        "--backends",
        nargs="+",
        choices=("auto", "onnxruntime", "tensorrt"),
        default=["auto"],
        help="every model runs in each (default: auto)",
    )
    latency.add_argument(
        "--runs", type=positive_int, help="rounds (default: until the medians are stable)"
    )
    latency.add_argument(
        "--no-memory",
        dest="memory",
        action="store_false",
        help="skip the peak memory, which opens every model once more",
    )
    latency.add_argument(
        "--stages",
        action="store_true",
        help="of one model on the CPU: what a frame's time consists of",
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
        help="photographs, or hazy/ and clear/ (or GT/) with files of the same names or named as "
        "in RESIDE, O-HAZE, NH-HAZE, BeDDE and others; docs/data.md says where to get such",
    )
    quality.add_argument("--levels", action="store_true", help="a line for each haze level, too")
    quality.add_argument(
        "--do-no-harm",
        action="store_true",
        help="dehaze the clear pictures, too: what is left of them, without and with --auto",
    )


def _add_flicker(flicker: argparse.ArgumentParser) -> None:
    flicker.add_argument("model", metavar="MODEL", help="a shipped name or an .onnx file")
    flicker.add_argument("--hazy", type=Path, required=True, help="a video")
    flicker.add_argument("--clear", type=Path, required=True, help="its clear original")
    flicker.add_argument("--every", type=positive_int, default=1, help="as of dehaze-run")


def _add_report(report: argparse.ArgumentParser) -> None:
    report.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.json",
        help="results written with --json; *.sensitivity.json of dehaze-export",
    )  # fmt: skip
    report.add_argument(
        "--out", nargs="+", type=Path, default=[], metavar="FILE", help="*.html, *.md or both"
    )
    report.add_argument(
        "--into", nargs="+", type=Path, default=[], metavar="FILE.md",
        help="fill in the table of FILE.json between <!-- dehaze-bench FILE --> and <!-- end -->",
    )  # fmt: skip
    report.add_argument(
        "--pictures", type=Path, metavar="PATH",
        help="a folder of hazy pictures or a video that may be shown: before and after on the page",
    )  # fmt: skip
    report.add_argument("--model", default="edge", help="for --pictures (default: %(default)s)")
    report.add_argument("--title", default="Dehazing benchmark", help="(default: %(default)s)")


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("old", type=Path, metavar="OLD.json")
    compare.add_argument("new", type=Path, metavar="NEW.json")
    compare.add_argument(
        "--tolerance", type=positive_float, default=0.05, metavar="SHARE",
        help="of a latency, on top of its interval, of memory, energy and flicker "
        "(default: %(default)s)",
    )  # fmt: skip
    compare.add_argument(
        "--relative", action="store_true",
        help="latency as ratios to the first model of each run: for a machine that others use, too",
    )  # fmt: skip
    compare.add_argument(
        "--force", action="store_true", help="compare other machines, data or models all the same"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    options.typed = arguments
    return run_command("dehaze-bench", lambda: _run(options), "nothing was reported")


def _run(options: argparse.Namespace) -> None:
    run = {
        "latency": _latency,
        "quality": _quality,
        "flicker": _flicker,
        "report": _report,
        "compare": _compare,
        "data": _data,
    }[options.command]
    if "json" in options:
        from .results.file import expect_writable

        expect_writable(options.json)
    run(options)


def _latency(options: argparse.Namespace) -> None:
    from .latency_command import run_latency
    from .measure.surroundings import command_line

    run_latency(options, command_line(options.typed))


def _report(options: argparse.Namespace) -> None:
    from .report.page import write_reports

    write_reports(
        options.files,
        options.out,
        options.title,
        into=options.into,
        pictures=options.pictures,
        model=options.model,
    )


def _compare(options: argparse.Namespace) -> None:
    from .results.compare import compare_files

    compare_files(
        options.old,
        options.new,
        tolerance=options.tolerance,
        force=options.force,
        relative=options.relative,
    )


def _data(options: argparse.Namespace) -> None:
    from .data_command import check_data

    check_data(options.folder)


def _quality(options: argparse.Namespace) -> None:
    from .measure.surroundings import command_line
    from .quality_command import quality_result
    from .results.file import write_result

    def say(line: str) -> None:
        if options.json != "-":
            print(line, flush=True)

    result = quality_result(
        options.models,
        options.data,
        options.threads,
        command_line(options.typed),
        do_no_harm=options.do_no_harm,
        each_level=options.levels,
        say=say,
    )
    if options.json:
        write_result(result, options.json)


def _flicker(options: argparse.Namespace) -> None:
    from .flicker_command import run_flicker
    from .measure.surroundings import command_line

    run_flicker(options, command_line(options.typed))
