"""Damages pictures and videos and reads them back, each in a child process that may crash.

Half of the files are damaged in their structure (fuzz_structures.py), a third in their bytes, the
others in both; a quarter go through the whole of `dehaze-run`, the others are read.

    python tests/fuzz_media.py --count 5000 --seed 7 [--keep FOLDER]

Every file must either be read or be refused by a DehazeError of one line: no crash, no other
exception, no hang, no explosion of memory. The test of the runtime runs the same with a small
count.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_structures import restructured

SECONDS_A_FILE = 20
"""Processor time for a file, far above what any takes: they are a few kilobytes."""
WAITING_SECONDS = 300
"""For a file that takes no processor time, on however busy a machine."""
MEMORY_BYTES = 2**30
"""Memory that a file may take above that of an idle child; what announces more is refused."""
ADDRESS_BYTES = 6 * 2**30
"""Address space that a child may take: enough to see who would fill more than MEMORY_BYTES."""


@dataclass(frozen=True)
class Case:
    """A damaged file."""

    name: str
    source: str
    """The sound file that was damaged, as `fuzz_sources.py` calls it."""
    seed: int
    whole_run: bool


@dataclass(frozen=True)
class Verdict:
    case: Case
    outcome: str
    """`read`, `refused`, or what must not happen: `crash`, `hang`, `memory`, `raised`, `lines`."""
    words: str = ""


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The same file cut off, emptied, with bits flipped, bytes overwritten, or a part gone."""
    kind = rng.choice(["cut", "flips", "header", "header", "zeros", "gone", "again", "fields"])
    out = bytearray(data)
    size = len(out)
    if not size:
        return data
    if kind == "cut":
        return bytes(out[: rng.choice([0, 1, 4, rng.randrange(size), rng.randrange(size)])])
    if kind in ("flips", "header"):
        reach = size if kind == "flips" else min(size, rng.choice([64, 256, 1024]))
        for _ in range(rng.choice([1, 2, 8, 64])):
            out[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        start = rng.randrange(size)
        out[start : start + rng.choice([1, 16, 200])] = bytes(min(size - start, 200))
    elif kind == "gone":
        start = rng.randrange(size)
        del out[start : start + rng.choice([1, 7, 100])]
    elif kind == "again":
        start = rng.randrange(size)
        out[start:start] = out[start : start + 300]
    else:  # a length, a size or an offset at its extremes
        for _ in range(rng.choice([1, 2, 4])):
            start = rng.randrange(min(size, 2048))
            extreme = rng.choice([b"\xff" * 4, b"\x7f" + b"\xff" * 3, bytes(4), b"\xff\xff"])
            out[start : start + len(extreme)] = extreme
    return bytes(out)


def read_damaged(path: Path, whole_run: bool) -> tuple[str, str]:
    """Reads as dehaze-run does; returns outcome and words."""
    from dehaze.runtime import DehazeError, FunctionSession
    from dehaze.runtime.dehazer import Dehazer
    from dehaze.runtime.files.job import RunOptions, run_job
    from dehaze.runtime.files.plan import Job
    from dehaze.runtime.media.pictures import read_picture
    from dehaze.runtime.media.video_reader import VideoReader

    job = Job(path, path.with_name(f"out-{path.name}"))
    try:
        if whole_run:
            with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
                run_job(job, dehazer, RunOptions())
        elif job.is_image:
            read_picture(path)
        else:
            with VideoReader(path) as reader:
                for _ in reader.read():
                    pass
    except DehazeError as error:
        one_line = str(error).isprintable() and 10 < len(str(error)) < 400
        if list(path.parent.glob("*.part*")) or job.target.exists():
            return "leftover", str(error)
        # Of the tree alone: another one, told in a line, is a decoder's that nobody thought of.
        if "cannot be processed" in str(error):
            return "raised", str(error)
        return "refused" if one_line else "lines", str(error).replace(str(path), "FILE")
    except MemoryError as error:
        return "memory", str(error)
    except BaseException as error:
        return "raised", f"{type(error).__name__}: {error}"
    finally:
        job.target.unlink(missing_ok=True)
    return "read", ""


def _child(connection: Any, folder: str) -> None:
    """Reads the files whose names come in, until the parent is gone."""
    from dehaze.runtime.media import limits, picture_content, pictures, video_reader  # noqa: F401

    limits.free_bytes = picture_content.free_bytes = lambda: MEMORY_BYTES

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libpng and libtiff say
    limit = limits.address_space_bytes() + ADDRESS_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    idle = _peak_bytes()
    connection.send("ready")
    while True:
        try:
            name, whole_run = connection.recv()
        except EOFError:
            return
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        outcome = read_damaged(Path(folder) / name, whole_run)
        taken = _peak_bytes() - idle
        if taken > MEMORY_BYTES and outcome[0] in ("read", "refused"):
            outcome = ("memory", f"{taken >> 20} MiB: {outcome[1]}")
        connection.send(outcome)


def _peak_bytes() -> int:
    """The most memory that this process has taken since its peak began."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


class Child:
    """A process that reads damaged files; a new one takes over where it crashes or hangs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_child, args=(theirs, str(self.folder)), daemon=True)
        self._process.start()
        theirs.close()
        assert self._connection.recv() == "ready"

    def read(self, name: str, whole_run: bool) -> tuple[str, str]:
        self._connection.send((name, whole_run))
        try:
            if self._has_answer():
                answer: tuple[str, str] = self._connection.recv()
                return answer
            outcome = ("hang", f"more than {SECONDS_A_FILE} s, or stuck")
        except (EOFError, ConnectionError):
            self._process.join(5)
            outcome = ("crash", f"exit code {self._process.exitcode}")
        self.close()
        for unfinished in self.folder.glob(".*.part*"):  # not the next file's fault
            unfinished.unlink()
        self._start()
        return outcome

    def _has_answer(self) -> bool:
        """Waits for an answer; False when the file has taken too long."""
        used, started = self._processor_seconds(), time.monotonic()
        while not self._connection.poll(1):
            if time.monotonic() - started > WAITING_SECONDS:
                return False
            if self._processor_seconds() - used > SECONDS_A_FILE:
                return False
        return True

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()


def fuzz(folder: Path, count: int, seed: int, keep: Path | None = None) -> Iterator[Verdict]:
    """Reads `count` damaged files in `folder`, alternating between the kinds of files."""
    from fuzz_sources import REFUSED, sound_files

    files = sound_files(folder)
    child = Child(folder)
    for name, data in files.items():  # the files themselves are sound
        (folder / name).write_bytes(data)
        outcome, words = child.read(name, False)
        expected = "refused" if name in REFUSED else "read"
        assert outcome == expected, f"{name}: {outcome}, {words}"
    try:
        for index in range(count):
            source = list(files)[index % len(files)]
            seed_here = seed * 1_000_003 + index
            rng = random.Random(seed_here)
            # A name may say another kind than the content; what is decoded goes by the content.
            name = rng.choice(list(files)) if rng.random() < 0.05 else source
            case = Case(name, source, seed_here, whole_run=rng.random() < 0.25)
            content = _damaged_anyhow(files[source], rng)
            (folder / name).write_bytes(content)
            verdict = Verdict(case, *child.read(name, case.whole_run))
            if keep and verdict.outcome not in ("read", "refused"):
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{verdict.outcome}-{case.seed}-{name}").write_bytes(content)
            yield verdict
    finally:
        child.close()


def _damaged_anyhow(sound: bytes, rng: random.Random) -> bytes:
    """Damages the structure, the bytes, or both."""
    kind = rng.choice(["structure", "structure", "structure", "bytes", "bytes", "both"])
    content = sound if kind == "bytes" else restructured(sound, rng)
    if kind != "structure" or content == sound:
        content = damaged(content, rng)
    return content


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the files that misbehave")
    options = parser.parse_args()
    outcomes: Counter[tuple[str, str]] = Counter()
    words: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for verdict in fuzz(Path(folder), options.count, options.seed, options.keep):
            outcomes[verdict.case.name, verdict.outcome] += 1
            if verdict.outcome not in ("read", "refused"):
                print(f"{verdict.outcome}: {verdict.case}: {verdict.words}", flush=True)
            elif verdict.words:
                words[verdict.words[:110]] += 1
    for (name, outcome), number in sorted(outcomes.items()):
        print(f"{name:18} {outcome:8} {number}")
    for line, number in words.most_common(25):
        print(f"{number:6} {line}")
    print(f"{options.count} files in {time.monotonic() - started:.0f} s")
    return int(any(outcome not in ("read", "refused") for _, outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
