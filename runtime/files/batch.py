"""Dehazes many files: reading the next and writing the last picture overlap inference."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..dehazer import Dehazer
from ..errors import DehazeError, OutputError
from ..output_file import flush_folders, remove_leftovers
from ..prefetch import Prefetch
from .job import PictureReader, PictureRun, RunOptions, VideoDehazer, run_video
from .plan import Job

__all__ = ["Outcome", "is_done", "run_batch", "run_pictures", "run_videos"]

_BYTES_HELD = 256 * 2**20
"""Limit on the bytes of waiting pixels: many photographs, but only one of 16384x16384."""


@dataclass(frozen=True)
class Outcome:
    """The result for a file: figures, an error, or neither where it was skipped."""

    job: Job
    figures: dict[str, Any] | None = None
    error: str | None = None


def is_done(job: Job, options: RunOptions) -> bool:
    """Returns whether a result exists already and is to be kept."""
    # os.path: unlike Path.exists it does not raise where it may not look.
    return not options.overwrite and os.path.exists(job.target)  # noqa: PTH110


def run_batch(
    jobs: Iterable[Job], dehazer: Dehazer, options: RunOptions
) -> Generator[Outcome, None, None]:
    """Dehazes pictures, then videos, in this process; yields the outcome of each.

    A file that fails does not stop the others. Unfinished files of runs that were killed are
    removed from the folders of the results.
    """
    jobs = list(jobs)
    yield from run_pictures([job for job in jobs if job.is_image], dehazer, options)
    videos = [job for job in jobs if not job.is_image]
    if videos:
        from .video import dehaze_video

        yield from run_videos(videos, partial(dehaze_video, dehazer=dehazer), options)


def run_videos(
    jobs: list[Job],
    dehaze: VideoDehazer,
    options: RunOptions,
    on_frame: Callable[[Job, int | None], None] | None = None,
) -> Iterator[Outcome]:
    """Dehazes videos one after the other; see `run_batch`.

    Args:
        on_frame: called after each frame, with the number of frames to expect.
    """
    _remove_leftovers(jobs)
    for job in jobs:
        told = partial(on_frame, job) if on_frame else None
        yield _outcome(job, options, partial(run_video, job, dehaze, options, told))
    flush_folders()


def _remove_leftovers(jobs: list[Job]) -> None:
    for folder in {job.target.parent for job in jobs}:
        remove_leftovers(folder)


def _outcome(job: Job, options: RunOptions, action: Callable[[], dict[str, Any]]) -> Outcome:
    """Runs `action`, unless a result exists by now, and keeps an error as the outcome."""
    if is_done(job, options):  # another run may share the work
        return Outcome(job)
    try:
        return Outcome(job, figures=action())
    except DehazeError as error:
        if isinstance(error, OutputError) and is_done(job, options):  # while this one worked on it
            return Outcome(job)
        return Outcome(job, error=str(error))


@dataclass(frozen=True)
class _Step:
    """A picture between two threads; it holds `run` or is at its end with `outcome`."""

    run: PictureRun
    outcome: Outcome | None = None


def run_pictures(
    jobs: list[Job],
    dehazer: Dehazer,
    options: RunOptions,
    read_one: PictureReader | None = None,
) -> Iterator[Outcome]:
    """Decodes in one thread, dehazes in a second, encodes in the caller's; see `run_batch`.

    Args:
        read_one: decodes a picture.
    """
    _remove_leftovers(jobs)
    memory = _Memory(_BYTES_HELD)

    def decoded() -> Iterator[_Step]:
        for job in jobs:
            run = PictureRun(job, options, read_one)
            yield _stepped(_Step(run), options, run.decode)
            memory.wait_for_room(run.bytes_held)

    def dehazed(steps: Iterable[_Step]) -> Iterator[_Step]:
        for step in steps:
            yield _stepped(step, options, partial(step.run.infer, dehazer))

    with (
        Prefetch(decoded(), depth=2) as read,
        Prefetch(dehazed(read), depth=2) as clear,
        memory,  # the last in and first out: the threads must not wait for room any more
    ):
        for step in clear:
            held = step.run.bytes_held
            outcome = step.outcome or _outcome(step.run.job, options, step.run.finish)
            memory.free(held)
            yield outcome
    flush_folders()


def _stepped(step: _Step, options: RunOptions, action: Callable[[], None]) -> _Step:
    """Takes a step unless the picture is at its end."""
    if step.outcome:
        return step
    if is_done(step.run.job, options):
        return _Step(step.run, Outcome(step.run.job))
    try:
        action()
    except DehazeError as error:
        return _Step(step.run, Outcome(step.run.job, error=str(error)))
    return step


class _Memory:
    """Counts bytes that one thread takes and another frees. A context manager."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    def wait_for_room(self, taken: int) -> None:
        """Adds `taken` bytes; returns when what is held fits the limit again."""
        with self._changed:
            self._held += taken
            self._changed.wait_for(lambda: self._held <= self._limit or self._closed)

    def free(self, given: int) -> None:
        with self._changed:
            self._held -= given
            self._changed.notify()

    def __enter__(self) -> _Memory:
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
