"""Runs `dehaze-run` on a small folder while system calls fail, or until it is killed.

    python tests/fault_runs.py              # every call that the run makes on its files fails once
    python tests/fault_runs.py --kills 100  # kill -9 at random moments, and a second run after each
    python tests/fault_runs.py --fsync 200  # what fsync costs with 200 pictures, in turns without

A C compiler makes `failing_calls.c`, which is preloaded into this process. Each run is a fork of
it, which saves the two seconds in which the command would import its libraries.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

SOURCE = Path(__file__).with_name("failing_calls.c")
FRAMES = 8
_HANGS_SECONDS = 300.0
_PRELOADED = "FAULT_PRELOADED"
ERRORS = {
    "open": (errno.EACCES, errno.EIO),
    "read": (errno.EIO,),
    "write": (errno.ENOSPC, errno.EIO),
    "fsync": (errno.EIO, errno.ENOSPC),
    "truncate": (errno.EIO,),
    "link": (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EPERM),
    "rename": (errno.EIO, errno.ENOSPC),
    "unlink": (errno.EACCES,),
    "mkdir": (errno.EACCES, errno.ENOSPC),
}
"""The errors with which each call fails."""


@dataclass(frozen=True)
class Fault:
    """A call that fails: the `number`-th one of its name, from 1."""

    call: str
    number: int
    error: int

    @property
    def settings(self) -> dict[str, str]:
        """What `failing_calls.c` reads from the environment."""
        return {
            "FAULT_CALL": self.call,
            "FAULT_NUMBER": str(self.number),
            "FAULT_ERRNO": str(self.error),
        }

    def __str__(self) -> str:
        return f"{self.call} {self.number}: {errno.errorcode[self.error]}"


def faults_of(calls: Counter[str]) -> list[Fault]:
    """Every call of a run, once with each error that it may meet."""
    return [
        Fault(call, number, error)
        for call, errors in ERRORS.items()
        for number in range(1, calls[call] + 1)
        for error in errors
    ]


def build(folder: Path) -> Path | None:
    """The library to preload; None without a C compiler."""
    compiler = shutil.which("cc") if sys.platform == "linux" else None
    if compiler is None:
        return None
    library = folder / "failing_calls.so"
    flags = ["-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([compiler, *flags], check=True)
    return library


def run_preloaded(folder: Path) -> None:
    """Begins this program anew with the library, built in `folder`, unless it has it."""
    if _PRELOADED in os.environ:
        return
    library = build(folder)
    if library is None:
        sys.exit("needs Linux and a C compiler, cc")
    environment = {**os.environ, "LD_PRELOAD": str(library), _PRELOADED: "1"}
    sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    code: int
    stderr: str


def start_in_fork(
    arguments: list[str], printed: Path, settings: dict[str, str], stdin: int | None = None
) -> int:
    """Starts the command in a fork of this process; returns the fork's number.

    Args:
        printed: the file that takes standard error.
        settings: of the environment: which call fails.
        stdin: the descriptor to read from.
    """
    printed.write_text("")
    if child := os.fork():
        return child
    os.environ.update(settings)
    if stdin is not None:
        os.dup2(stdin, 0)
        os.closerange(3, 256)  # the other end of the pipe
    _run_and_exit(arguments, printed)
    raise AssertionError("it has exited")


def ended(child: int, deadline: float) -> int:
    """The exit code of a fork, which is killed at the deadline (of time.monotonic)."""
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            found = os.waitpid(child, 0)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(found[1])


def _run_and_exit(arguments: list[str], printed: Path) -> None:
    """What the interpreter does with the command, in the fork."""
    from dehaze.runtime.cli import main as dehaze_run
    from dehaze.runtime.output_file import flush_folders

    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(printed, os.O_WRONLY), 2)
        code = dehaze_run(arguments)
        flush_folders()  # by itself at the exit of an interpreter
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


class Workplace:
    """A folder with three pictures and a video, and what a run without a fault makes of them."""

    def __init__(self, folder: Path) -> None:
        self._printed, self._log = folder / "printed", folder / "calls"
        self._count = folder / "count"
        self._files = folder.resolve() / "files"
        self.hazy, self.clear = self._files / "hazy", self._files / "clear"
        self.hazy.mkdir(parents=True)
        import_all()
        for index in range(3):
            cv2.imwrite(str(self.hazy / f"{index}.png"), _picture(index))
        _write_video(self.hazy / "video.mp4")
        self._inputs = _contents(self.hazy)
        self.codes: Counter[int] = Counter()
        """Exit codes of the runs so far."""
        self.met = 0
        """The number of faults that came to pass."""
        run = self.run(FAULT_LOG=str(self._log))
        assert run.code == 0, run.stderr
        self.calls = Counter(line.split()[0] for line in self._log.read_text().splitlines())
        self._results = _contents(self.clear)

    def run(self, kill_after: float | None = None, **settings: str) -> Run:
        """Runs the command in a fork; after `kill_after` seconds it is killed."""
        arguments = [str(self.hazy), str(self.clear), "--threads", "1"]
        settings |= {"FAULT_FOLDER": f"{self._files}/", "FAULT_COUNT": str(self._count)}
        self._count.write_bytes(b"")
        child = start_in_fork(arguments, self._printed, settings)
        deadline = time.monotonic() + (_HANGS_SECONDS if kill_after is None else kill_after)
        run = Run(ended(child, deadline), self._printed.read_text(errors="replace"))
        self.codes[run.code] += 1
        return run

    def wrong_after(self, fault: Fault) -> list[str]:
        """What a run with this fault did that it must not; empty where all is well."""
        shutil.rmtree(self.clear, ignore_errors=True)
        run = self.run(**fault.settings)
        self.met += self._count.stat().st_size >= fault.number
        wrong = self.wrong_files()
        lines = [line for line in run.stderr.splitlines() if not line.startswith("backend: ")]
        missing = self._results.keys() - _contents(self.clear).keys()
        failed = run.code == 5
        if run.code not in (0, 5) or failed != bool(missing):
            wrong.append(f"exit code {run.code}, {len(missing)} results are missing")
        if len(lines) != (len(missing) + 1 if missing else 0):
            wrong.append(f"{len(lines)} lines for {len(missing)} missing results")
        if any("Traceback" in line for line in lines):
            wrong.append("a traceback")
        if fault.call != "unlink" and any(self.clear.glob(".*")):
            wrong.append("an unfinished file is left")
        return [f"{words}: {run.stderr[-1500:]}" for words in wrong]

    def wrong_files(self) -> list[str]:
        """Inputs that have changed, and results that are not whole."""
        changed = ["the input has changed"] if _contents(self.hazy) != self._inputs else []
        return changed + [
            f"{name} is not whole"
            for name, content in _contents(self.clear).items()
            if content != self._results[name]
        ]

    def kills(self, count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
        """What is wrong after each of so many kills; runs that end before do not count."""
        moments = random.Random(seed)
        shutil.rmtree(self.clear)
        started = time.perf_counter()
        self.run()
        most = time.perf_counter() - started
        while self.codes[-signal.SIGKILL] < count:
            seconds, before = moments.uniform(0, most), self.codes[-signal.SIGKILL]
            wrong = self.wrong_after_kill(seconds)
            if wrong or self.codes[-signal.SIGKILL] > before:
                yield f"kill after {seconds:.2f} s", wrong

    def wrong_after_kill(self, seconds: float) -> list[str]:
        """What is wrong after kill -9, and after the run that follows."""
        shutil.rmtree(self.clear, ignore_errors=True)
        self.run(kill_after=seconds)
        wrong = self.wrong_files()
        again = self.run()
        if again.code or _contents(self.clear) != self._results:
            wrong.append(f"the second run: exit code {again.code}: {again.stderr[-1500:]}")
        if any(self.clear.glob(".*")):
            wrong.append("the second run left an unfinished file")
        return wrong


def import_all() -> None:
    """Imports what the runs need, none of which starts a thread."""
    import onnxruntime  # noqa: F401

    import dehaze.runtime.files.batch_report
    import dehaze.runtime.files.video
    import dehaze.runtime.haze.compiled_passes
    import dehaze.runtime.onnxruntime_session  # noqa: F401


def _contents(folder: Path) -> dict[str, bytes]:
    """The files that are not hidden; nothing where there is no folder."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path.read_bytes() for path in files if not path.name.startswith(".")}


def _picture(index: int) -> np.ndarray:
    y, x = np.mgrid[0:72, 0:96] / 12
    waves = np.stack((np.sin(x + index), np.cos(y), np.sin(x + y)), -1)
    return (170 + 40 * waves).astype(np.uint8)


def _write_video(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(_picture(index), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def fsync_seconds(folder: Path, pictures: int, rounds: int) -> Iterator[list[float]]:
    """Seconds of a batch of small pictures with fsync and without, in turns: a pair a round."""
    hazy, clear = folder / "hazy", folder / "clear"
    hazy.mkdir()
    for index in range(pictures):
        cv2.imwrite(str(hazy / f"{index}.jpg"), cv2.resize(_picture(index), (640, 480)))
    command = [sys.executable, "-m", "dehaze.runtime.cli", str(hazy), str(clear)]
    for number in range(rounds + 1):
        pair = []
        for without in ({}, {"FAULT_NO_FSYNC": "1"}):
            shutil.rmtree(clear, ignore_errors=True)
            os.sync()
            started = time.perf_counter()
            subprocess.run(command, env={**os.environ, **without}, check=True, capture_output=True)
            pair.append(time.perf_counter() - started)
        if number:  # the first one warms caches
            yield pair


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, help="only so many calls, spread over all")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--fsync", type=int, default=0, metavar="PICTURES")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_preloaded(folder)
        if options.fsync:
            pairs = list(fsync_seconds(folder, options.fsync, options.rounds))
            print("seconds with and without:", *(f"{a:.2f}/{b:.2f}" for a, b in pairs))
            extra = [1000 * (a - b) / options.fsync for a, b in pairs]
            print(f"median: {statistics.median(extra):.2f} ms a picture")
            return 0
        return _judged(Workplace(folder), options)


def _judged(place: Workplace, options: argparse.Namespace) -> int:
    print(f"calls of a run: {dict(place.calls)}", flush=True)
    if options.kills:
        verdicts = place.kills(options.kills, options.seed)
    else:
        faults = faults_of(place.calls)
        chosen = faults[:: max(1, len(faults) // options.points)] if options.points else faults
        verdicts = ((str(fault), place.wrong_after(fault)) for fault in chosen)
    count = bad = 0
    for what, wrong in verdicts:
        count += 1
        if wrong:
            bad += 1
            print(f"{what}:", *wrong, sep="\n  ", flush=True)
    codes = ", ".join(f"{times} with {code}" for code, times in sorted(place.codes.items()))
    met = "" if options.kills else f"; {place.met} of the faults came to pass"
    print(f"{count} points, {bad} wrong; runs ended {codes}{met}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
