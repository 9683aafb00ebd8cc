"""dehaze-run: takes the haze out of pictures and videos."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .command import positive_int, run_command
from .errors import BatchError, DehazeError, UsageError
from .models import DEFAULT_MODEL, list_models

if TYPE_CHECKING:
    from .batch import Outcome
    from .batch_report import BatchReport
    from .dehazer import Dehazer
    from .inputs import Job, Jobs
    from .run import RunOptions


def _strength(text: str) -> float:
    message = f"expected a number from 0 to 1, got {text}"
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message) from error
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(message)
    return value


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-run",
        description="Take the haze out of a picture, a video, or a folder of them.",
        epilog="Exit codes: 0 done, 1 error, 2 usage, 5 part of a batch failed.",
    )
    add = parser.add_argument
    add("input", nargs="?", metavar="INPUT", help="a picture, a video, a folder or a 'glob*.jpg'")
    add("output", nargs="?", metavar="OUTPUT", help="a file or folder (default: beside the input)")
    add("--model", default=DEFAULT_MODEL, help="a shipped name or a .onnx file (default: edge)")
    add("--strength", type=_strength, default=1.0, help="0 leaves the haze, 1 takes all of it")
    add("--side-by-side", action="store_true", help="show before and after next to each other")
    add("--suffix", default="-dehazed", help="in the names of results (default: %(default)s)")
    add("--recursive", action="store_true", help="do the folders in a folder too")
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--threads",
        type=positive_int,
        help="CPU threads for inference (default: all cores, for a video one less)",
    )
    add("--codec", help="h264, hevc, av1, vp9 or an FFmpeg encoder (default: h264, vp9 in .webm)")
    add(
        "--quality",
        type=int,
        choices=range(64),
        metavar="CRF",
        default=20,
        help="of the encoder, lower is better (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one JSON object on standard output")
    add("--failures", type=Path, metavar="FILE", help="of a batch, as lines of JSON")
    add(
        "--ray",
        metavar="ADDRESS",
        help="share a batch with the machines of a Ray cluster: local, auto or HOST:PORT",
    )
    add("--list-models", action="store_true", help="show the shipped models and leave")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not options.list_models and options.input is None:
        parser.error("expected an INPUT: a picture, a video, a folder or a glob")
    # `kill` ends a run as Ctrl-C does: without an unfinished file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    action = _print_models if options.list_models else _run_telling_json
    return run_command(parser.prog, lambda: action(options), "the unfinished output was removed")


def _print_models(options: argparse.Namespace) -> None:
    from .dehazer import open_dehazer
    from .models import MODELS_FOLDER

    models = []
    for name in list_models():
        path = MODELS_FOLDER / f"{name}.onnx"
        with open_dehazer(name) as dehazer:
            contract = vars(dehazer.contract)
        models.append({"model": name, "bytes": path.stat().st_size, **contract})
    if options.json:
        print(json.dumps({"models": models}, indent=2))
        return
    for model in models:
        print(
            f"{model['model']}: {model['parameters']} parameters, {model['precision']}, "
            f"{model['bytes'] / 1e6:.2f} MB\n    {model['card']}"
        )


def _run_telling_json(options: argparse.Namespace) -> None:
    """With --json a failure is an object on standard output too."""
    try:
        _run(options)
    except BatchError:
        raise
    except DehazeError as error:
        if options.json:
            print(json.dumps({"input": options.input, "error": str(error)}))
        raise


def _run(options: argparse.Namespace) -> None:
    from .inputs import plan_jobs

    plan = plan_jobs(options.input, options.output, options.suffix, recursive=options.recursive)
    # Only now the slow imports: a wrong path is told at once.
    from .batch_report import closing_line
    from .dehazer import open_dehazer
    from .output_file import remove_leftovers
    from .run import RunOptions
    from .video import VideoOptions
    from .video_writer import EncoderOptions

    encoder = EncoderOptions(codec=options.codec, quality=options.quality)
    encoder.encoder(".mp4")  # a wrong name is told once, not for every file
    run_options = RunOptions(
        overwrite=options.overwrite,
        video=VideoOptions(encoder=encoder, side_by_side=options.side_by_side),
    )
    if options.ray and not plan.is_batch:
        raise UsageError(f"--ray expects a folder or a glob, got one file: {options.input}")
    if plan.is_batch:
        _run_batch(plan, run_options, options)
        return
    remove_leftovers(plan.jobs[0].target.parent)
    threads = options.threads or _default_threads(plan.jobs)
    with open_dehazer(options.model, threads=threads, strength=options.strength) as dehazer:
        figures = _run_one(plan.jobs[0], dehazer, run_options)
    model = {"model": options.model, "strength": options.strength}
    print(json.dumps({**model, **figures}) if options.json else closing_line(figures))


def _default_threads(jobs: list[Job]) -> int | None:
    """All cores for pictures; for videos all but one, which decodes and encodes meanwhile.

    On two cores a 1280x720 video runs at 20 frames per second that way and at 17 with both.
    """
    if all(job.is_image for job in jobs):
        return None
    return max(1, (os.cpu_count() or 2) - 1)


def _run_one(job: Job, dehazer: Dehazer, options: RunOptions) -> dict[str, Any]:
    """One file, with a progress bar where it is a video."""
    from tqdm import tqdm

    from .run import run_job

    if job.is_image:
        return run_job(job, dehazer, options)
    # disable=None: no bar where standard error is not a terminal.
    with tqdm(unit="frame", desc=job.source.name, disable=None, leave=False) as bar:

        def on_frame(expected: int | None) -> None:
            bar.total = expected
            bar.update()

        return run_job(job, dehazer, options, on_frame)


def _run_batch(plan: Jobs, run_options: RunOptions, options: argparse.Namespace) -> None:
    """Every file that is not done yet; one that fails does not stop the others."""
    from .batch import is_done
    from .batch_report import BatchReport

    todo = [job for job in plan.jobs if not is_done(job, run_options)]
    done = {job.source for job in plan.jobs} - {job.source for job in todo}
    report = BatchReport(
        len(todo), sorted(map(str, done)), quiet=options.json, failures=options.failures
    )
    with report:
        for folder, error in plan.unreadable.items():
            report.add_failure(folder, error)
        with closing(_outcomes(todo, run_options, options, report)) as outcomes:
            for outcome in outcomes:
                report.add(outcome)
    if options.json:
        model = {"model": options.model, "strength": options.strength}
        print(json.dumps({**model, **report.as_dict()}))
    if report.failed:
        raise BatchError(f"{len(report.failed)} of {len(plan.jobs)} files failed")


def _outcomes(
    jobs: list[Job], run_options: RunOptions, options: argparse.Namespace, report: BatchReport
) -> Generator[Outcome, None, None]:
    """Of every job, done here or on a cluster."""
    if options.ray:
        from .ray_batch import ShippedModel, run_batch_on_ray

        model = ShippedModel.from_name(options.model, options.threads or 1, options.strength)
        yield from run_batch_on_ray(jobs, options.ray, model, run_options)
        return
    from .batch import run_batch
    from .dehazer import open_dehazer

    threads = options.threads or _default_threads(jobs)
    with open_dehazer(options.model, threads=threads, strength=options.strength) as dehazer:
        yield from run_batch(jobs, dehazer, run_options, report.on_frame)


if __name__ == "__main__":
    sys.exit(main())
