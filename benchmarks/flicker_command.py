"""`dehaze-bench flicker`: frame by frame against smoothed, as lines and a file."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict

from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.stream import StreamOptions

from .measure.flicker import FLICKER_PROTOCOL, Flicker, measure_flicker
from .measure.surroundings import data_of, machine, model_of, now
from .results.file import write_result
from .results.records import FlickerRow, Result

__all__ = ["run_flicker"]


def run_flicker(options: argparse.Namespace, command: str) -> None:
    """Measures, prints and writes the file that --json names."""
    created, name = now(), options.model
    ways = {
        "frame by frame": StreamOptions(temporal=False),
        "smoothed": StreamOptions(every=options.every),
    }
    results = {
        way: measure_flicker(name, options.hazy, options.clear, how, options.threads)
        for way, how in ways.items()
    }
    if options.json != "-":
        _print(results)
    if options.json:
        with open_dehazer(name, threads=options.threads) as dehazer:
            model = model_of(name, dehazer.opened)
        data = data_of(options.hazy, (options.hazy, options.clear), "a hazy and a clear video")
        rows = [FlickerRow(name, way, **asdict(result)) for way, result in results.items()]
        write_result(
            Result("flicker", created, command, machine(), [model], data, FLICKER_PROTOCOL, rows),
            options.json,
        )


def _print(results: dict[str, Flicker]) -> None:
    alone, smooth = results.values()
    for way, result in results.items():
        print(
            f"{way:15} PSNR {result.psnr_db:.2f} dB; error: deviation over time "
            f"{result.error_deviation:.2f}, change from frame to frame {result.error_change:.3f}"
        )
    print(
        f"smoothed is {_share(smooth.error_deviation, alone.error_deviation)} and "
        f"{_share(smooth.error_change, alone.error_change)} times that, "
        f"{smooth.psnr_db - alone.psnr_db:+.2f} dB"
    )


def _share(part: float, whole: float) -> str:
    """The ratio as text; the whole may be 0, for a video that stands still."""
    return f"{part / whole:.2f}" if whole else f"{1.0 if part == whole else math.inf:.2f}"
