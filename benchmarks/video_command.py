"""`dehaze-bench video`: the cost of dehazing videos beside transcoding, as a table and a file."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av

from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.errors import InputError, one_line

from .measure.surroundings import data_of, machine, model_of, now
from .results.file import write_result
from .results.records import Result, VideoRow
from .video.cost import ROUNDS, VIDEO_PROTOCOL, measure_video
from .video.transcode import scaled_copy

__all__ = ["run_video"]

MOST_FRAMES = 120
"""The beginning of a video that is scaled, in frames."""


def run_video(options: argparse.Namespace, command: str) -> None:
    """Measures, prints a table and writes the file that --json names."""
    created, rounds = now(), options.runs or ROUNDS
    with open_dehazer(options.model, threads=options.threads, compiled=False) as dehazer:
        model = model_of(options.model, dehazer.opened)
    files = list(dict.fromkeys(options.videos))
    folder = files[0].parent
    data = data_of(folder, files, ", ".join(file.name for file in files))
    rows: list[VideoRow] = []
    with tempfile.TemporaryDirectory() as name:
        for file in files:
            for source in _of_sizes(file, options.sizes, Path(name)):
                row = measure_video(source, options.model, options.threads, rounds)
                rows.append(replace(row, video=file.name))
    if options.json != "-":
        _print(rows)
    if options.json:
        protocol = {**VIDEO_PROTOCOL, "rounds": str(rounds)}
        if options.sizes:
            protocol["sizes"] = f"the first {MOST_FRAMES} frames, scaled, as H.264 of CRF 20"
        write_result(
            Result("video", created, command, machine(), [model], data, protocol, rows),
            options.json,
        )


def _of_sizes(file: Path, sizes: list[tuple[int, int]], folder: Path) -> Iterator[Path]:
    """Copies of a video at each size, one at a time; the video itself where there are none.

    Raises:
        InputError: it cannot be read.
    """
    if not sizes:
        yield file
    for size in dict.fromkeys(sizes):
        copy = folder / "scaled.mp4"
        try:
            scaled_copy(str(file), str(copy), size, MOST_FRAMES)
        except (av.FFmpegError, OSError, IndexError, ValueError) as error:
            raise InputError(f"{file}: cannot be scaled to {size} ({one_line(error)})") from error
        yield copy


def _print(rows: list[VideoRow]) -> None:
    for row in rows:
        low, high = row.cpu_ratio_interval
        print(
            f"{row.video}: {row.width}x{row.height}, {row.frames} frames; {row.fps:.1f} fps, plain "
            f"{row.plain_fps:.1f}; CPU ms a frame {row.cpu_ms_per_frame:.1f}, plain "
            f"{row.plain_cpu_ms_per_frame:.1f}: {row.cpu_ratio:.2f} times ({low:.2f}-{high:.2f}); "
            f"MiB {row.peak_memory_mib:.0f}, plain {row.plain_peak_memory_mib:.0f}"
        )
        stages = ", ".join(f"{name} {value:.1f}" for name, value in row.stages_ms.items())
        print(f"  stages, ms: {stages}")
