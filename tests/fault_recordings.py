"""Records raw frames with `dehaze-run` while system calls fail, or until it is killed.

    python tests/fault_recordings.py              # 50 of the calls, 25 kills
    python tests/fault_recordings.py --points 0 --kills 100

A camera's footage cannot be made again. After each fault, and again after the run that follows,
everything that went in must be readable, but for what was still on its way: in the pipe, in the
encoder, and in the last piece of two seconds. It needs a C compiler (see fault_runs.py).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from fault_runs import Fault, Run, ended, faults_of, import_all, run_preloaded, start_in_fork

WIDTH, HEIGHT, FPS = 96, 72, 25
FRAMES = 400
_FRAMES_OF_NEXT = 40
ON_THE_WAY = 150
"""Frames that may be lost: 50 in a piece of two seconds, 60 in the encoder, 40 in pipe, queues and
what FFmpeg holds back."""
_SUFFIXES = (".mp4", ".mkv")
_HANGS_SECONDS = 300.0


class Recorder:
    """A folder in which raw frames are recorded again and again."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder = folder.resolve() / f"files{suffix}"
        self._printed, self._log = folder / "printed", folder / "calls"
        self._count = folder / "count"
        self._target = self._folder / f"out{suffix}"
        self.met = 0
        """The number of faults that came to pass."""
        self.most_lost = 0
        """The most frames that went in and cannot be read."""
        self._log.unlink(missing_ok=True)
        run, _ = self._record(FAULT_LOG=str(self._log))
        assert run.code == 0, run.stderr
        assert _readable(self._target) == FRAMES
        self.calls = Counter(line.split()[0] for line in self._log.read_text().splitlines())

    def _record(
        self, frames: int = FRAMES, *, kill: bool = False, **settings: str
    ) -> tuple[Run, int]:
        """A recording of so many frames, killed behind them; returns how many went in, too."""
        reading, writing = os.pipe()
        arguments = ["-", str(self._target), "--raw", f"{WIDTH}x{HEIGHT}@{FPS}", "--threads", "1"]
        settings |= {"FAULT_FOLDER": f"{self._folder}/", "FAULT_COUNT": str(self._count)}
        self._count.write_bytes(b"")
        child = start_in_fork(arguments, self._printed, settings, reading)
        os.close(reading)
        feeder = _Feeder(writing, frames, child if kill else None)
        code = ended(child, time.monotonic() + _HANGS_SECONDS)
        feeder.join()
        return Run(code, self._printed.read_text(errors="replace")), feeder.sent

    def wrong_after(self, fault: Fault) -> list[str]:
        """What a recording with this fault did that it must not; empty where all is well."""
        shutil.rmtree(self._folder, ignore_errors=True)
        run, sent = self._record(**fault.settings)
        self.met += self._count.stat().st_size >= fault.number
        wrong = self._lost(sent)
        lines = [line for line in run.stderr.splitlines() if not line.startswith("backend: ")]
        if run.code not in (0, 1) or (run.code == 1 and len(lines) != 1):
            wrong.append(f"exit code {run.code} with {len(lines)} lines")
        if any("Traceback" in line for line in lines):
            wrong.append("a traceback")
        wrong += self._wrong_after_next(sent)
        return [f"{words} ({sent} frames went in): {run.stderr[-1500:]}" for words in wrong]

    def wrong_after_kill(self, frames: int) -> list[str]:
        """What is wrong after kill -9 at so many frames, and after the run that follows."""
        shutil.rmtree(self._folder, ignore_errors=True)
        _, sent = self._record(frames, kill=True)
        return self._lost(sent) + self._wrong_after_next(sent)

    def _lost(self, sent: int) -> list[str]:
        kept = self._kept()
        self.most_lost = max(self.most_lost, sent - kept)
        return [f"of {sent} frames {kept} are readable"] if kept < sent - ON_THE_WAY else []

    def _kept(self) -> int:
        return sum(map(_readable, self._folder.iterdir())) if self._folder.is_dir() else 0

    def _wrong_after_next(self, sent: int) -> list[str]:
        """The next recording, under another name, puts everything right and loses nothing."""
        before, self._target = self._target, self._target.with_stem("next")
        run, _ = self._record(_FRAMES_OF_NEXT)
        wrong = [] if run.code == 0 else [f"the next run: exit code {run.code}: {run.stderr}"]
        if _readable(self._target) != _FRAMES_OF_NEXT:
            wrong.append("the next recording is not whole")
        self._target.unlink(missing_ok=True)
        self._target = before
        if any(path.name.startswith(".") for path in self._folder.iterdir()):
            wrong.append("an unfinished file is left after the next run")
        if self._kept() > sent:
            wrong.append("frames are kept twice after the next run")
        return wrong + [f"{words} after the next run" for words in self._lost(sent)]


class _Feeder(threading.Thread):
    """Writes frames into a pipe until nobody reads; then kills the reader, where one is named."""

    def __init__(self, pipe: int, frames: int, victim: int | None) -> None:
        super().__init__(daemon=True)
        self._pipe, self._frames, self._victim = pipe, frames, victim
        self.sent = 0
        """Frames that the pipe has taken whole."""
        self.start()

    def run(self) -> None:
        scene = [_frame(index) for index in range(FPS)]
        with (
            suppress(BrokenPipeError, ProcessLookupError),
            os.fdopen(self._pipe, "wb", buffering=0) as pipe,
        ):
            while self.sent < self._frames:
                rest = memoryview(scene[self.sent % FPS]).cast("B")
                while rest:
                    rest = rest[pipe.write(rest) :]
                self.sent += 1
            if self._victim is not None:
                os.kill(self._victim, signal.SIGKILL)


def _frame(index: int) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / 12
    waves = np.stack((np.sin(x + index / 5), np.cos(y), np.sin(x + y)), -1)
    return (170 + 40 * waves).astype(np.uint8)


def _readable(path: Path) -> int:
    """The frames that can be decoded."""
    count = 0
    with suppress(av.FFmpegError, OSError), av.open(str(path)) as container:
        for _ in container.decode(video=0):
            count += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, default=50, help="calls that fail, at random")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    count = bad = 0
    with tempfile.TemporaryDirectory() as name:
        run_preloaded(Path(name))
        import_all()
        recorders = [Recorder(Path(name), suffix) for suffix in _SUFFIXES]
        for recorder, suffix in zip(recorders, _SUFFIXES, strict=True):
            print(f"{suffix}: calls of a run: {dict(recorder.calls)}", flush=True)
        for index in range(options.points + options.kills):
            which = index % len(recorders)
            if index < options.points:
                # Of each kind of call as many: most are writes.
                every = faults_of(recorders[which].calls)
                call = chance.choice(sorted({fault.call for fault in every}))
                fault = chance.choice([fault for fault in every if fault.call == call])
                what, wrong = str(fault), recorders[which].wrong_after(fault)
            else:
                frames = chance.randrange(FRAMES)
                what, wrong = f"kill at {frames}", recorders[which].wrong_after_kill(frames)
            count += 1
            if wrong:
                bad += 1
                print(f"{_SUFFIXES[which]}: {what}:", *wrong, sep="\n  ", flush=True)
    lost = max(recorder.most_lost for recorder in recorders)
    met = sum(recorder.met for recorder in recorders)
    print(
        f"{count} points, {bad} wrong; at most {lost} frames of {FRAMES} were lost; "
        f"{met} of {options.points} faults came to pass"
    )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
