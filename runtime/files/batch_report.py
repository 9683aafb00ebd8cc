"""Reports on a batch: a progress bar, a line for each file, the failures at the end."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..command import printable
from ..errors import OutputError, UsageError, one_line
from ..media.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from ..timing import stages_in_words
from .batch import Outcome
from .plan import Job

__all__ = ["BatchReport", "closing_line", "notice_lines"]

_LISTED = 20
"""Failures listed on a terminal; more go into the failures file or --json."""


class BatchReport:
    """Gathers outcomes and tells of them. A context manager.

    Args:
        total: files still to do.
        skipped: sources whose results were there from the start.
        quiet: no line a file on standard output, which then carries JSON alone.
        failures: gets a line of JSON, `{"input", "error"}`, for every failure as it happens.

    Raises:
        OutputError: `failures` cannot be written.
    """

    def __init__(
        self, total: int, skipped: list[str], *, quiet: bool, failures: Path | None = None
    ) -> None:
        from tqdm import tqdm

        self.backend: str | None = None
        """The backend and the reason for it; None on a cluster, where each worker takes its own."""
        self.files: list[dict[str, Any]] = []
        self.skipped = skipped
        self.failed: list[dict[str, str]] = []
        self._quiet = quiet
        self._failures_path = failures
        self._failures = _opened(failures) if failures else None
        self._started = time.perf_counter()
        # disable=None: no bar where standard error is not a terminal.
        self._bar = tqdm(total=total, unit="file", disable=None, smoothing=0.1, leave=False)
        self._frame = 0
        self._of_job: Job | None = None

    def add(self, outcome: Outcome) -> None:
        """Reports a file that is done, was skipped or failed."""
        if outcome.error is not None:
            self.add_failure(str(outcome.job.source), outcome.error)
        elif outcome.figures is not None:
            self.files.append(outcome.figures)
            for line in notice_lines(outcome.figures):
                self._bar.write(line, file=sys.stderr)
            if not self._quiet:
                self._bar.write(closing_line(outcome.figures), file=sys.stdout)
        else:
            self.skipped.append(str(outcome.job.source))
        self._bar.update()

    def add_failure(self, source: str, error: str) -> None:
        self.failed.append({"input": source, "error": error})
        self._bar.set_postfix_str(f"{len(self.failed)} failed")
        if self._failures:
            try:
                self._failures.write(json.dumps(self.failed[-1]) + "\n")
                self._failures.flush()
            except OSError as written:
                self._give_up_the_file(written)

    def _give_up_the_file(self, error: OSError) -> None:
        """Says that the failures file ends here; the batch goes on."""
        self.say(f"{self._failures_path}: cannot be written ({one_line(error)})")
        self._failures = self._failures_path = None

    def say(self, words: str) -> None:
        """Prints a line on standard error, above the bar."""
        self._bar.write(f"dehaze-run: {printable(words)}", file=sys.stderr)

    def on_frame(self, job: Job, expected: int | None) -> None:
        """Shows how far a video is, which may take longer than a thousand pictures."""
        self._frame = self._frame + 1 if self._of_job == job else 1
        self._of_job = job
        share = f"{100 * self._frame // expected} %" if expected else f"frame {self._frame}"
        self._bar.set_postfix_str(f"{printable(job.source.name)}: {share}", refresh=False)
        self._bar.update(0)

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "files": self.files,
            "skipped": self.skipped,
            "failed": self.failed,
            "seconds": round(time.perf_counter() - self._started, 3),
        }

    def _summary(self) -> str:
        seconds = time.perf_counter() - self._started
        done, skipped, failed = len(self.files), len(self.skipped), len(self.failed)
        rate = f"; {seconds:.1f} s, {done / seconds:.1f} files/s" if done else ""
        return f"{done} done, {skipped} skipped, {failed} failed{rate}"

    def __enter__(self) -> BatchReport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lists the failures, also those of a batch that was stopped."""
        self._bar.close()
        if self._failures:
            try:
                self._failures.close()
            except OSError as written:
                self._give_up_the_file(written)
        for failure in self.failed[:_LISTED]:
            print(f"dehaze-run: {printable(failure['error'])}", file=sys.stderr)
        if len(self.failed) > _LISTED:
            where = f", all in {self._failures_path}" if self._failures_path else ""
            where = where or "; --failures FILE or --json tells all"
            print(f"dehaze-run: ... {len(self.failed) - _LISTED} more{where}", file=sys.stderr)
        if not self._quiet:
            print(self._summary())


def _opened(path: Path) -> IO[str]:
    """Opens a new file, one of an earlier run (emptied), or a device such as /dev/stderr."""
    if path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        raise UsageError(f"--failures {path}: expected a text file, got the name of a picture")
    try:
        if path.exists() and not path.is_file():
            return path.open("w")
        # One descriptor for both: what is emptied is what was looked at.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        file = os.fdopen(descriptor, "r+", errors="replace")
        if not _holds_failures(file):
            file.close()
            raise OutputError(
                f"--failures {path}: expected a new name or the failures of an earlier run, got "
                f"another file; name another one"
            )
        file.seek(0)
        file.truncate()
        return file
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({one_line(error)})") from error


_LINE = '{"input": "'
"""The beginning of every line of a failures file."""


def _holds_failures(file: IO[str]) -> bool:
    """Returns whether an earlier run wrote the file, whose last line may be cut off."""
    if not _LINE.startswith(file.read(len(_LINE))):
        return False  # a video may have no line feed for gigabytes
    file.seek(0)
    return all(line.startswith(_LINE) or _LINE.startswith(line) for line in file)


def notice_lines(figures: dict[str, Any]) -> list[str]:
    """A line for each thing that was dropped, changed or guessed on the way of a file."""
    return [
        f"dehaze-run: {printable(figures['input'])}: {printable(notice)}"
        for notice in figures.get("notices", ())
    ]


def closing_line(figures: dict[str, Any]) -> str:
    """The line to print about a finished file."""
    if "frames" not in figures:
        return printable(figures["output"])
    counts = {what: figures.get(f"{what}_frames", 0) for what in ("lost", "damaged")}
    damage = "".join(f", {count} {what}" for what, count in counts.items() if count)
    return (
        f"{printable(figures['output'])}: {figures['frames']} "
        f"frame{'s' * (figures['frames'] != 1)}{damage} in {figures['seconds']:.2f} s, "
        f"{figures['fps']:.1f} fps; {stages_in_words(figures, ('decode', 'inference', 'encode'))}"
    )
