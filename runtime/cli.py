"""dehaze-run: takes the haze out of pictures and videos."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .command import positive_int, run_command
from .errors import BatchError, DehazeError
from .models import DEFAULT_MODEL, list_models

if TYPE_CHECKING:
    from .dehazer import Dehazer
    from .inputs import Job
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
    add("--list-models", action="store_true", help="show the shipped models and leave")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not options.list_models and options.input is None:
        parser.error("expected an INPUT: a picture, a video, a folder or a glob")
    # `kill` ends a run as Ctrl-C does: without an unfinished file.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    action = _print_models if options.list_models else _run
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


def _run(options: argparse.Namespace) -> None:
    from .inputs import plan_jobs

    plan = plan_jobs(options.input, options.output, options.suffix)
    # Only now the slow imports: a wrong path is told at once.
    from .dehazer import open_dehazer
    from .run import RunOptions
    from .video import VideoOptions
    from .video_writer import EncoderOptions

    encoder = EncoderOptions(codec=options.codec, quality=options.quality)
    encoder.encoder(".mp4")  # a wrong name is told once, not for every file
    run_options = RunOptions(
        overwrite=options.overwrite,
        video=VideoOptions(encoder=encoder, side_by_side=options.side_by_side),
    )
    threads = options.threads or _default_threads(plan.jobs)
    with open_dehazer(options.model, threads=threads, strength=options.strength) as dehazer:
        model = {"model": options.model, "strength": options.strength}
        if not plan.is_batch:
            figures = _run_one(plan.jobs[0], dehazer, run_options)
            print(json.dumps({**model, **figures}) if options.json else _closing_line(figures))
            return
        result = _run_batch(plan.jobs, dehazer, run_options, quiet=options.json)
    done, failed = result["files"], result["failed"]
    if options.json:
        print(json.dumps({**model, **result}))
    else:
        print(f"{len(done)} done, {len(result['skipped'])} skipped, {len(failed)} failed")
    if failed:
        raise BatchError(f"{len(failed)} of {len(plan.jobs)} files failed, see above")


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


def _run_batch(
    jobs: list[Job], dehazer: Dehazer, options: RunOptions, *, quiet: bool
) -> dict[str, Any]:
    """Every file in turn; one that fails is told and does not stop the others."""
    files: list[dict[str, Any]] = []
    skipped: list[str] = []
    failed: list[dict[str, str]] = []
    for job in jobs:
        # os.path: unlike Path.exists it does not raise where it may not look.
        if os.path.exists(job.target) and not options.overwrite:  # noqa: PTH110
            skipped.append(str(job.source))
            continue
        try:
            files.append(_run_one(job, dehazer, options))
        except DehazeError as error:
            print(f"dehaze-run: {error}", file=sys.stderr)
            failed.append({"input": str(job.source), "error": str(error)})
            continue
        if not quiet:
            print(_closing_line(files[-1]))
    return {"files": files, "skipped": skipped, "failed": failed}


def _closing_line(figures: dict[str, Any]) -> str:
    stages = ", ".join(
        f"{stage} {figures[f'{stage}_ms']['p50']:.1f}/{figures[f'{stage}_ms']['p95']:.1f}"
        for stage in ("decode", "inference", "encode")
    )
    return (
        f"{figures['output']}: {figures['frames']} frame{'s' * (figures['frames'] != 1)} "
        f"in {figures['seconds']:.2f} s, "
        f"{figures['fps']:.1f} fps; p50/p95 ms: {stages}"
    )


if __name__ == "__main__":
    sys.exit(main())
