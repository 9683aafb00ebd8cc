"""dehaze-run: takes the haze out of pictures, videos and live cameras."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .cli_options import build_parser
from .command import printable, run_command
from .doctor.about import print_diagnosis, print_models
from .errors import BatchError, DehazeError, UsageError, masked
from .live.address import PIPE, is_live, is_stream, read_address, shown_address
from .media.formats import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from .dehazer import Dehazer
    from .files.batch import Outcome
    from .files.batch_report import BatchReport
    from .files.job import RunOptions
    from .files.plan import Job, Jobs
    from .files.video import VideoOptions
    from .media.encoders import EncoderOptions
    from .stream import StreamOptions


_FEW_PICTURES = 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.doctor:
        return run_command(parser.prog, lambda: print_diagnosis(options), "nothing was changed")
    if not options.list_models and not options.paths:
        parser.error("expected an INPUT: a picture, a video, a folder, a glob or a camera")
    if options.paths:
        _name_inputs(options)
    # Imports make 200 000 objects that stay; looking through them again and again takes 0.05 s.
    gc.set_threshold(50_000)
    # NumPy's BLAS starts a thread for each core, which spins, for the few small products here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # `kill` ends a run as Ctrl-C does: without an unfinished file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    action = print_models if options.list_models else _run_telling_json
    live = not options.list_models and _is_live_run(options)
    left = "what was recorded is kept" if live else "the unfinished output was removed"
    return run_command(parser.prog, lambda: action(options), left)


def _name_inputs(options: argparse.Namespace) -> None:
    """Sets `inputs`, `input` (the first) and `output` by the names that were given."""
    from .files.plan import split_paths

    paths = options.paths
    if options.output is not None:
        options.inputs = paths
    elif is_live(paths[0]) and len(paths) == 2:  # its recording may be written over
        options.inputs, options.output = paths[:1], paths[1]
    elif len(paths) > 1 and is_stream(paths[-1]):
        options.inputs, options.output = paths[:-1], paths[-1]
    else:
        options.inputs, options.output = split_paths(paths)
        if len(paths) == 2 and options.output is None:
            print(
                f"dehaze-run: {paths[1]} exists and is taken for another input; "
                f"--output writes over it",
                file=sys.stderr,
            )
    options.input = options.inputs[0]


def _is_live_run(options: argparse.Namespace) -> bool:
    return is_live(options.input) or is_stream(options.output or "")


def _run_telling_json(options: argparse.Namespace) -> None:
    """Runs the command; with --json a failure becomes an object on standard output, too."""
    try:
        _run(options)
    except BatchError:
        raise
    except DehazeError as error:
        if options.json:
            shown = shown_address(options.input)
            _print_json({"input": shown, "error": masked(str(error))}, options)
        raise


def _report_stream(options: argparse.Namespace) -> TextIO:
    """Standard output, unless it carries frames."""
    return sys.stderr if options.output == "-" else sys.stdout


def _print_json(figures: dict[str, Any], options: argparse.Namespace) -> None:
    print(json.dumps(figures), file=_report_stream(options))


def _run(options: argparse.Namespace) -> None:
    options.inputs[0] = options.input = read_address(options.input)
    options.output = options.output and read_address(options.output)
    is_sent = is_stream(options.output or "")
    live = [name for name in options.inputs if is_live(name)] + [options.output] * is_sent
    if not live:
        _run_files(options)
        return
    if len(options.inputs) > 1:
        raise UsageError(f"{shown_address(live[0])} is live: expected one input, no other beside")
    wants_live = is_sent or any(getattr(options, name) for name in _ONLY_LIVE)
    from .files.download import downloaded

    with downloaded("" if wants_live else options.input) as path:
        if path is None:
            _run_live(options)
            return
        options.inputs = [str(path)]
        options.output = options.output or f"{path.stem}{options.suffix}{path.suffix}"
        _run_files(options)


def _run_files(options: argparse.Namespace) -> None:
    from .files.plan import plan_jobs

    plan = plan_jobs(options.inputs, options.output, options.suffix, recursive=options.recursive)
    # Only now the slow imports: a wrong path is told at once.
    from .files.batch_report import closing_line, notice_lines
    from .files.job import RunOptions
    from .output_file import remove_leftovers

    # Of pictures alone nothing is asked but that a codec's name is right: that imports FFmpeg.
    without_videos = _has_pictures_alone(plan.jobs) and options.codec is None
    run_options = RunOptions(
        overwrite=options.overwrite,
        side_by_side=options.side_by_side,
        auto=options.auto,
        video=None if without_videos else _video_options(options),
    )
    _refuse_unused(options, _ONLY_LIVE, "cameras, streams and pipes")
    own = (options.backend, options.provider, options.trust_engine)
    if options.ray and own != ("auto", "cpu", False):
        raise UsageError(
            "each machine of a cluster chooses its backend and knows its own engines; leave "
            "--backend, --provider and --trust-engine out"
        )
    if plan.is_batch:
        _run_batch(plan, run_options, options)
        return
    _refuse_unused(options, _ONLY_BATCH, "folders and globs")
    for path in remove_leftovers(plan.jobs[0].target.parent):
        print(f"dehaze-run: a live run was killed; it recorded {printable(path)}", file=sys.stderr)
    with _open(_model_for(plan.jobs, options), options) as dehazer:
        figures = _model(options, dehazer.backend) | _run_one(plan.jobs[0], dehazer, run_options)
    for line in notice_lines(figures):
        print(line, file=sys.stderr)
    print(json.dumps(figures) if options.json else closing_line(figures))


_ONLY_LIVE = ("raw", "give_up", "segment", "preview", "preview_host")
_ONLY_BATCH = ("ray", "failures")
_ONLY_FILES = (*_ONLY_BATCH, "recursive", "hwaccel")


def _refuse_unused(options: argparse.Namespace, names: Sequence[str], what: str) -> None:
    """Raises UsageError where one of these options is given, which would have no effect."""
    for name in names:
        if getattr(options, name):
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is for {what}, got {shown_address(options.input)}")


def _video_options(options: argparse.Namespace) -> VideoOptions:
    from .files.video import VideoOptions

    return VideoOptions(
        encoder=_encoder(options),
        side_by_side=options.side_by_side,
        strict=options.strict,
        stream=_stream_options(options),
        hardware=options.hwaccel,
    )


def _encoder(options: argparse.Namespace) -> EncoderOptions:
    from .media.encoders import EncoderOptions

    encoder = EncoderOptions(codec=options.codec, quality=options.quality)
    encoder.encoder(".mp4")  # a wrong name is told once, not for every file
    return encoder


def _stream_options(options: argparse.Namespace) -> StreamOptions:
    from .stream import StreamOptions

    return StreamOptions(temporal=options.temporal, every=options.every, auto=options.auto)


def _open(model: dict[str, Any], options: argparse.Namespace) -> Dehazer:
    """Opens a model and says what runs it and why.

    Args:
        model: the arguments of `open_dehazer`.
    """
    from .compiled import tell_of_compiling
    from .dehazer import open_dehazer

    if tell := _compiling_notice(options):
        tell_of_compiling(tell)
    dehazer = open_dehazer(**model)
    _tell_backend(dehazer.backend)
    return dehazer


def _tell_backend(why: str) -> None:
    print(f"backend: {why}", file=sys.stderr)


def _compiling_notice(options: argparse.Namespace) -> Callable[[], None] | None:
    """What says why nothing moves for some seconds; None with --json."""

    def tell() -> None:
        from tqdm import tqdm  # whose bar may be in the line

        words = "dehaze-run: compiling loops for this processor, once; it takes some seconds"
        tqdm.write(words, file=sys.stderr)

    return None if options.json else tell


def _model_for(jobs: list[Job], options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `open_dehazer` for files."""
    threads = options.threads or _default_threads(jobs)
    return _model_of(options, threads) | {"compiled": _is_worth_compiling(jobs)}


def _model_of(options: argparse.Namespace, threads: int | None) -> dict[str, Any]:
    from .trt.options import TensorRTOptions

    return {
        "model": options.model,
        "threads": threads,
        "strength": options.strength,
        "backend": options.backend,
        "provider": options.provider,
        "tensorrt": TensorRTOptions(plugin=options.plugin, trust_engine=options.trust_engine),
    }


def _model(options: argparse.Namespace, backend: str | None) -> dict[str, Any]:
    """The model's part of the `--json` object; no backend where each machine took its own."""
    return {"model": options.model, "backend": backend, "strength": options.strength}


def _run_live(options: argparse.Namespace) -> None:
    """Dehazes a camera, a stream or a pipe until it ends or is stopped."""
    _refuse_unused(options, _ONLY_FILES, "files")
    if not is_live(options.input) and Path(options.input).suffix.lower() in IMAGE_SUFFIXES:
        raise UsageError(f"{options.input}: a picture is no stream; name a video or a camera")
    if options.segment and (options.output in (None, PIPE) or is_stream(options.output)):
        raise UsageError("--segment is for a recording; name an OUTPUT such as street.mp4")
    if options.preview_host and options.preview is None:
        raise UsageError("--preview-host needs --preview PORT")
    from .live.run import LiveOptions, live_closing_line, run_live
    from .stream import Stream

    with _open(_model_of(options, options.threads or _cores_but_one()), options) as dehazer:
        live = LiveOptions(
            mode=options.raw,
            give_up_seconds=options.give_up,
            encoder=_encoder(options),
            side_by_side=options.side_by_side,
            overwrite=options.overwrite,
            segment_seconds=options.segment,
            preview_port=options.preview,
            preview_host=options.preview_host or "127.0.0.1",
            about={"model": options.model, "backend": dehazer.opened.backend},
        )
        dehazer.warm_up()
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
    return None if _has_pictures_alone(jobs) else _cores_but_one()


def _is_worth_compiling(jobs: list[Job]) -> bool:
    """A video always, pictures where there are several: compiling needs seconds the first time."""
    return len(jobs) > _FEW_PICTURES or not _has_pictures_alone(jobs)


def _has_pictures_alone(jobs: list[Job]) -> bool:
    return all(job.is_image for job in jobs)


def _cores_but_one() -> int:
    from .haze.strips import CORES

    return max(1, CORES - 1)


def _run_one(job: Job, dehazer: Dehazer, options: RunOptions) -> dict[str, Any]:
    """One file, with a progress bar where it is a video."""
    from .files.job import run_job

    if job.is_image:
        return run_job(job, dehazer, options)
    if not sys.stderr.isatty():  # no bar, and tqdm's import takes 50 ms of CPU
        return run_job(job, dehazer, options)
    from tqdm import tqdm

    with tqdm(unit="frame", desc=job.source.name, leave=False) as bar:

        def on_frame(expected: int | None) -> None:
            bar.total = expected
            bar.update()

        return run_job(job, dehazer, options, on_frame)


def _run_batch(plan: Jobs, run_options: RunOptions, options: argparse.Namespace) -> None:
    """Dehazes every file that is not done yet; a file that fails does not stop the others."""
    from .files.batch import is_done
    from .files.batch_report import BatchReport
    from .files.shared_folder import locked_folders, share_work

    todo = [job for job in plan.jobs if not is_done(job, run_options)]
    done = {job.source for job in plan.jobs} - {job.source for job in todo}
    report = BatchReport(
        len(todo), sorted(map(str, done)), quiet=options.json, failures=options.failures
    )
    with report, locked_folders({job.target.parent for job in todo}) as taken:
        for path, reason in plan.left_out.items():
            report.say(f"{path}: left out, for {reason}")
        for folder, error in plan.unreadable.items():
            report.add_failure(folder, error)
        if taken:
            report.say(share_work(taken, todo, overwrite=options.overwrite))
        with closing(_outcomes(todo, run_options, options, report)) as outcomes:
            for outcome in outcomes:
                report.add(outcome)
    if options.json:
        print(json.dumps(_model(options, report.backend) | report.as_dict()))
    if report.failed:
        everything = len(plan.jobs) + len(plan.unreadable)
        raise BatchError(f"{len(report.failed)} of {everything} files failed")


def _outcomes(
    jobs: list[Job], run_options: RunOptions, options: argparse.Namespace, report: BatchReport
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every job, done here or on a cluster."""
    if options.ray:
        from .files.ray_batch import ShippedModel, run_batch_on_ray

        model = ShippedModel.from_name(options.model, options.threads or 1, options.strength)
        yield from run_batch_on_ray(jobs, options.ray, model, run_options)
        return
    from .files.batch import run_pictures, run_videos

    pictures = [job for job in jobs if job.is_image]
    videos = [job for job in jobs if not job.is_image]
    if pictures or not videos:  # where all is done the backend is told all the same
        from .media.picture_process import PictureProcess

        with PictureProcess() as process:
            if pictures:
                process.start()  # while the model opens
            with _open(_model_for(pictures, options), options) as dehazer:
                report.backend = dehazer.backend
                yield from run_pictures(pictures, dehazer, run_options, process.read)
    if videos:
        from .files.video_process import VideoProcess

        with VideoProcess(_compiling_notice(options), **_model_for(videos, options)) as worker:
            backend = worker.open()
            if backend != report.backend:
                _tell_backend(backend)
            report.backend = backend
            yield from run_videos(videos, worker.dehaze, run_options, report.on_frame)


if __name__ == "__main__":
    sys.exit(main())
