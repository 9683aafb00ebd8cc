"""Dehazes files: what `dehaze-run` does once its arguments are read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .dehazer import Dehazer
from .errors import DehazeError
from .images import dehaze_picture, encode_picture, pictures_side_by_side, read_picture
from .inputs import Job
from .output_file import finished_output
from .timing import StageTimes
from .video import VideoOptions, dehaze_video

__all__ = ["RunOptions", "run_job"]


@dataclass(frozen=True)
class RunOptions:
    """What to do with every file."""

    overwrite: bool = False
    video: VideoOptions = field(default_factory=VideoOptions)


def run_job(
    job: Job,
    dehazer: Dehazer,
    options: RunOptions,
    on_frame: Callable[[int | None], None] | None = None,
) -> dict[str, Any]:
    """Dehazes one picture or video; returns what `--json` prints of it.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target exists or cannot be written.
    """
    try:
        with finished_output(job.target, overwrite=options.overwrite) as unfinished:
            if job.is_image:
                data, figures = _run_picture(job, dehazer, options)
                unfinished.write_bytes(data)
            else:
                summary = dehaze_video(job.source, unfinished, dehazer, options.video, on_frame)
                figures = summary.as_dict()
    except DehazeError as error:
        if str(job.source) in str(error) or str(job.target) in str(error):
            raise
        raise type(error)(f"{job.source}: {error}") from error
    return {"input": str(job.source), "output": str(job.target), **figures}


def _run_picture(job: Job, dehazer: Dehazer, options: RunOptions) -> tuple[bytes, dict[str, Any]]:
    """The encoded result and its figures."""
    started = time.perf_counter()
    decode, inference, encode = StageTimes(), StageTimes(), StageTimes()
    with decode.measure():
        hazy = read_picture(job.source)
    with inference.measure():
        clear = dehaze_picture(hazy, dehazer)
    with encode.measure():
        shown = pictures_side_by_side(hazy, clear) if options.video.side_by_side else clear
        data = encode_picture(shown, job.target.suffix)
    seconds = time.perf_counter() - started
    figures = {
        "frames": 1,
        "seconds": round(seconds, 3),
        "width": shown.rgb.shape[1],
        "height": shown.rgb.shape[0],
        "decode_ms": decode.percentiles(),
        "inference_ms": inference.percentiles(),
        "encode_ms": encode.percentiles(),
        "fps": round(1 / seconds, 2),
    }
    return data, figures
