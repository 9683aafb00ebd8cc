"""Measures what dehazing a video costs, end to end, beside plain transcoding in alternation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dehaze.runtime.errors import InputError, UsageError
from dehaze.runtime.isolated.program import python_program
from dehaze.runtime.media.encoders import EncoderOptions, encoder_pixels, encoder_settings
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.pixels.frame_pixels import EncoderPixels
from dehaze.runtime.media.video_look import look_of
from dehaze.runtime.media.video_reader import VideoReader

from ..results.intervals import ratio_interval
from ..results.records import VideoRow

__all__ = ["ROUNDS", "VIDEO_PROTOCOL", "measure_video"]

ROUNDS = 5
VIDEO_PROTOCOL = {
    "dehazed": "dehaze-run with its defaults, in a process of its own, start included",
    "plain": "decoded and encoded with the same encoder, pixel format and settings in a process of "
    "its own; frames of another size or format are not converted",
    "order": "in turns; every other round begins with the other one",
    "first run": "of each is not counted: loops and Python's bytecode are compiled and kept",
    "ratio": "of the medians of the CPU seconds, user and system; 95 % interval by a bootstrap "
    "over the rounds, paired",
    "peak memory": "resident, at its highest in any round, of the process",
    "stages": "wall time per frame, median of the last round; they overlap",
}
_LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
sys.exit(os.waitstatus_to_exitcode(status) and 1)
"""
"""Starts a process from a bare Python: the system also counts, as the memory of a process, what
the one held that started it."""
_STAGES = ("decode_ms", "inference_ms", "encode_ms")


@dataclass(frozen=True)
class _Run:
    """The figures of one process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str


def measure_video(source: Path, model: str, threads: int | None, rounds: int) -> VideoRow:
    """Dehazes and transcodes a video in turns.

    Raises:
        InputError: it cannot be read, or its frames do not fit the encoder as they are.
        UsageError: this system does not say what a process used.
    """
    if not hasattr(os, "wait4"):
        raise UsageError("dehaze-bench video needs Linux or macOS, which say what a process used")
    encoder, pixels, settings = _encoding(source)
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "out.mp4")
        options = ["--model", model, *(["--threads", str(threads)] if threads else [])]
        files = [str(source), "--output", target, "--overwrite"]
        dehaze = [*python_program("dehaze.runtime.cli"), *files]
        plain = [*python_program("dehaze.benchmarks.video.transcode"), str(source), target]
        commands = {
            "dehazed": [*dehaze, "--json", *options],
            "plain": [*plain, encoder, pixels.name, json.dumps(settings)],
        }
        # pip compiles what it installs; a checkout may be run without bytecode, which takes 0.1 s.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for command in commands.values():  # numba compiles, too, and the files come into memory
            _run(command, environment)
        runs: dict[str, list[_Run]] = {way: [] for way in commands}
        for index in tqdm(range(rounds), desc=source.name, disable=None, leave=False):
            for way in sorted(commands, reverse=index % 2 == 0):
                runs[way].append(_run(commands[way], environment))
    return _row(source, model, runs)


def _encoding(source: Path) -> tuple[str, EncoderPixels, dict[str, str]]:
    """The encoder, pixel format and settings with which dehaze-run would write an .mp4."""
    options = EncoderOptions()
    with VideoReader(source) as reader:
        first = next((f for p in reader.container.demux(reader.stream)
                      for f in reader.decoder.frames(p)), None)  # fmt: skip
        if first is None:
            raise InputError(f"{source}: the video holds no frame; is it complete?")
        look = look_of(first, reader.codec.name, Notices())
    encoder = options.encoder(".mp4", look)
    pixels = encoder_pixels(encoder, look, look.size, alpha=False, notices=Notices())
    return encoder, pixels, encoder_settings(options, encoder, ".mp4", pixels)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> _Run:
    with tempfile.NamedTemporaryFile("r") as usage:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, usage.name]
        started = time.perf_counter()
        done = subprocess.run(
            [*launcher, *command], capture_output=True, text=True, env=environment
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise InputError(f"{command[-1]}: a run failed ({last})")
        cpu_seconds, peak = usage.read().split()
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return _Run(seconds, float(cpu_seconds), int(peak) / unit, done.stdout)


def _row(source: Path, model: str, runs: dict[str, list[_Run]]) -> VideoRow:
    dehazed, plain = runs["dehazed"], runs["plain"]
    figures: dict[str, Any] = json.loads(dehazed[-1].output)
    cpu, cpu_plain = (np.array([r.cpu_seconds for r in way]) for way in (dehazed, plain))
    wall, wall_plain = (float(np.median([r.seconds for r in way])) for way in (dehazed, plain))
    frames = int(figures["frames"])
    return VideoRow(
        model=model,
        video=source.name,
        width=int(figures["width"]),
        height=int(figures["height"]),
        frames=frames,
        cpu_seconds=cpu.tolist(),
        plain_cpu_seconds=cpu_plain.tolist(),
        fps=frames / wall,
        plain_fps=frames / wall_plain,
        cpu_ms_per_frame=1000 * float(np.median(cpu)) / frames,
        plain_cpu_ms_per_frame=1000 * float(np.median(cpu_plain)) / frames,
        cpu_ratio=float(np.median(cpu) / np.median(cpu_plain)),
        cpu_ratio_interval=list(ratio_interval(cpu, cpu_plain, paired=True)),
        peak_memory_mib=max(r.peak_mib for r in dehazed),
        plain_peak_memory_mib=max(r.peak_mib for r in plain),
        stages_ms={stage[:-3]: float(figures[stage]["p50"]) for stage in _STAGES},
    )
