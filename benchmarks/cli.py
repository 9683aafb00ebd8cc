"""dehaze-bench: measures the speed and the quality of models, reports and compares results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from dehaze.runtime.command import run_command

from .cli_options import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    options.typed = arguments
    return run_command("dehaze-bench", lambda: _run(options), "nothing was reported", extra="bench")


def _run(options: argparse.Namespace) -> None:
    run = {
        "latency": _latency,
        "quality": _quality,
        "flicker": _flicker,
        "formats": _formats,
        "detect": _detect,
        "video": _video,
        "report": _report,
        "compare": _compare,
        "data": _data,
    }[options.command]
    if "json" in options:
        from .results.file import expect_writable

        expect_writable(options.json)
    try:
        run(options)
    except ModuleNotFoundError as error:
        from dehaze.runtime.errors import UsageError

        raise UsageError(
            f"dehaze-bench {options.command} needs the package {error.name}, which is not "
            f"installed; the extra bench has it: pip install 'dehaze-edge[bench]', or '.[bench]' "
            f"in the checkout"
        ) from error


def _latency(options: argparse.Namespace) -> None:
    from .latency_command import run_latency
    from .measure.surroundings import command_line

    run_latency(options, command_line(options.typed))


def _formats(options: argparse.Namespace) -> None:
    from .formats_command import run_formats
    from .measure.surroundings import command_line

    run_formats(options, command_line(options.typed))


def _video(options: argparse.Namespace) -> None:
    from .measure.surroundings import command_line
    from .video_command import run_video

    run_video(options, command_line(options.typed))


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


def _detect(options: argparse.Namespace) -> None:
    from .detect_command import run_detect
    from .measure.surroundings import command_line

    run_detect(options, command_line(options.typed))
