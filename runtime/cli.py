"""dehaze-run: takes the haze out of pictures, videos and live cameras."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TextIO

from .cli_options import build_parser
from .command import run_command
from .doctor.about import print_diagnosis, print_models
from .errors import BatchError, DehazeError, UsageError
from .live.address import is_live

if TYPE_CHECKING:
    from .dehazer import Dehazer
    from .files.batch import Outcome
    from .files.batch_report import BatchReport
    from .files.job import RunOptions
    from .files.plan import Job, Jobs
    from .media.video_writer import EncoderOptions
    from .stream import StreamOptions


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.doctor:
        return run_command(parser.prog, lambda: print_diagnosis(options), "nothing was changed")
    if not options.list_models and options.input is None:
        parser.error("expected an INPUT: a picture, a video, a folder, a glob or a camera")
    # `kill` ends a run as Ctrl-C does: without an unfinished file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    action = print_models if options.list_models else _run_telling_json
    return run_command(parser.prog, lambda: action(options), "the unfinished output was removed")


def _run_telling_json(options: argparse.Namespace) -> None:
    """Runs the command; with --json a failure becomes an object on standard output, too."""
    try:
        _run(options)
    except BatchError:
        raise
    except DehazeError as error:
        if options.json:
            _print_json({"input": options.input, "error": str(error)}, options)
        raise


def _report_stream(options: argparse.Namespace) -> TextIO:
    """Standard output, unless it carries frames."""
    return sys.stderr if options.output == "-" else sys.stdout


def _print_json(figures: dict[str, Any], options: argparse.Namespace) -> None:
    print(json.dumps(figures), file=_report_stream(options))


def _run(options: argparse.Namespace) -> None:
    if is_live(options.input):
        _run_live(options)
        return
    from .files.plan import plan_jobs

    plan = plan_jobs(options.input, options.output, options.suffix, recursive=options.recursive)
    # Only now the slow imports: a wrong path is told at once.
    from .files.batch_report import closing_line
    from .files.job import RunOptions
    from .files.video import VideoOptions
    from .output_file import remove_leftovers

    run_options = RunOptions(
        overwrite=options.overwrite,
        video=VideoOptions(
            encoder=_encoder(options),
            side_by_side=options.side_by_side,
            stream=_stream_options(options),
        ),
    )
    _refuse_unused(options, _ONLY_LIVE, "cameras, streams and pipes")
    if options.ray and (options.backend, options.provider) != ("auto", "cpu"):
        raise UsageError(
            "each machine of a cluster chooses its backend; leave --backend and --provider out"
        )
    if plan.is_batch:
        _run_batch(plan, run_options, options)
        return
    _refuse_unused(options, _ONLY_BATCH, "folders and globs")
    remove_leftovers(plan.jobs[0].target.parent)
    with _open(options, options.threads or _default_threads(plan.jobs)) as dehazer:
        figures = _model(options, dehazer.backend) | _run_one(plan.jobs[0], dehazer, run_options)
    print(json.dumps(figures) if options.json else closing_line(figures))


_ONLY_LIVE = ("raw", "give_up", "preview", "preview_host")
_ONLY_BATCH = ("ray", "failures")
_ONLY_FILES = (*_ONLY_BATCH, "recursive")


def _refuse_unused(options: argparse.Namespace, names: Sequence[str], what: str) -> None:
    """Raises UsageError where one of these options is given, which would have no effect."""
    for name in names:
        if getattr(options, name):
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is for {what}, got {options.input}")


def _encoder(options: argparse.Namespace) -> EncoderOptions:
    from .media.video_writer import EncoderOptions

    encoder = EncoderOptions(codec=options.codec, quality=options.quality)
    encoder.encoder(".mp4")  # a wrong name is told once, not for every file
    return encoder


def _stream_options(options: argparse.Namespace) -> StreamOptions:
    from .stream import StreamOptions

    return StreamOptions(temporal=options.temporal, every=options.every, auto=options.auto)


def _open(options: argparse.Namespace, threads: int | None) -> Dehazer:
    """Opens the model and says what runs it and why."""
    from .dehazer import open_dehazer
    from .trt.options import TensorRTOptions

    dehazer = open_dehazer(
        options.model,
        threads=threads,
        strength=options.strength,
        backend=options.backend,
        provider=options.provider,
        tensorrt=TensorRTOptions(plugin=options.plugin),
    )
    print(f"backend: {dehazer.backend}", file=sys.stderr)
    return dehazer


def _model(options: argparse.Namespace, backend: str | None) -> dict[str, Any]:
    """The model's part of the `--json` object; no backend where each machine took its own."""
    return {"model": options.model, "backend": backend, "strength": options.strength}


def _run_live(options: argparse.Namespace) -> None:
    """Dehazes a camera, a stream or a pipe until it ends or is stopped."""
    _refuse_unused(options, _ONLY_FILES, "files")
    if options.preview_host and options.preview is None:
        raise UsageError("--preview-host needs --preview PORT")
    from .live.run import LiveOptions, live_closing_line, run_live
    from .stream import Stream

    with _open(options, options.threads or _cores_but_one()) as dehazer:
        live = LiveOptions(
            mode=options.raw,
            give_up_seconds=options.give_up,
            encoder=_encoder(options),
            side_by_side=options.side_by_side,
            overwrite=options.overwrite,
            preview_port=options.preview,
            preview_host=options.preview_host or "127.0.0.1",
            about={"model": options.model, "backend": dehazer.opened.backend},
        )
        stream = Stream(dehazer, _stream_options(options))
        figures = _model(options, dehazer.backend) | run_live(
            options.input, options.output, stream, live
        )
    if options.json:
        _print_json(figures, options)
    else:
        print(live_closing_line(figures), file=_report_stream(options))


def _default_threads(jobs: list[Job]) -> int | None:
    """Every core for pictures; for videos all but one, which decodes and encodes meanwhile.

    On two cores a 1280x720 video runs at 20 frames per second that way and at 17 with both.
    """
    if all(job.is_image for job in jobs):
        return None
    return _cores_but_one()


def _cores_but_one() -> int:
    return max(1, (os.cpu_count() or 2) - 1)


def _run_one(job: Job, dehazer: Dehazer, options: RunOptions) -> dict[str, Any]:
    """Dehazes a single file, with a progress bar where it is a video."""
    from tqdm import tqdm

    from .files.job import run_job

    if job.is_image:
        return run_job(job, dehazer, options)
    # disable=None: no bar where standard error is not a terminal.
    with tqdm(unit="frame", desc=job.source.name, disable=None, leave=False) as bar:

        def on_frame(expected: int | None) -> None:
            bar.total = expected
            bar.update()

        return run_job(job, dehazer, options, on_frame)


def _run_batch(plan: Jobs, run_options: RunOptions, options: argparse.Namespace) -> None:
    """Dehazes every file that is not done yet; a file that fails does not stop the others."""
    from .files.batch import is_done
    from .files.batch_report import BatchReport

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
        print(json.dumps(_model(options, report.backend) | report.as_dict()))
    if report.failed:
        raise BatchError(f"{len(report.failed)} of {len(plan.jobs)} files failed")


def _outcomes(
    jobs: list[Job], run_options: RunOptions, options: argparse.Namespace, report: BatchReport
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every job, done here or on a cluster."""
    if options.ray:
        from .files.ray_batch import ShippedModel, run_batch_on_ray

        model = ShippedModel.from_name(options.model, options.threads or 1, options.strength)
        yield from run_batch_on_ray(jobs, options.ray, model, run_options)
        return
    from .files.batch import run_batch

    with _open(options, options.threads or _default_threads(jobs)) as dehazer:
        report.backend = dehazer.backend
        yield from run_batch(jobs, dehazer, run_options, report.on_frame)


if __name__ == "__main__":
    sys.exit(main())
