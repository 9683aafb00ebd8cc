"""`dehaze-bench formats`: every form that a network can be exported to, in one table."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dehaze.runtime.errors import UsageError
from dehaze.runtime.haze.strips import CORES

from .measure.datasets import pictures_to_measure
from .measure.formats import make_formats, measure_formats
from .measure.quality.scores import PROTOCOL
from .measure.surroundings import data_of, machine, now
from .results.file import write_result
from .results.records import FormatRow, Result

__all__ = ["run_formats"]


def run_formats(options: argparse.Namespace, command: str) -> None:
    """Exports into a temporary folder, measures, prints a table and writes what --json names.

    Raises:
        InputError: no pictures, or some that do not fit together.
        UsageError: pictures without clear ones.
    """
    created, folder, threads = now(), options.data, options.threads or CORES
    data = pictures_to_measure(folder)
    if not data.has_references:
        raise UsageError(f"PSNR needs clear pictures, {folder} has photographs alone")
    with tempfile.TemporaryDirectory() as exported:
        made = make_formats(options.model, Path(exported), options.calibrate)
        rows, models = measure_formats(made, data, options.size, threads)
    width, height = options.size
    protocol = {
        "size": "of the file: an engine where one was built, else an ONNX file",
        "PSNR": PROTOCOL["PSNR"],
        "time": f"median per frame of {width}x{height} random pixels, pixels to pixels, the forms "
        f"in turns, {threads} CPU thread{'s' * (threads != 1)}",
    }
    if options.json != "-":
        print(f"{folder}: {data.layout}, {len(data.items)} hazy pictures")
        _print(rows)
        for name, words in protocol.items():
            print(f"{name}: {words}")
    if options.json:
        files = {file for item in data.items for file in (item.hazy, item.clear) if file}
        about = data_of(folder, files, data.layout)
        result = Result("formats", created, command, machine(), models, about, protocol, rows)
        write_result(result, options.json)


def _print(rows: Sequence[FormatRow]) -> None:
    print(f"{'form':22} {'MB':>5} {'PSNR, dB':>8} {'ms':>7}  status")
    for row in rows:
        size = f"{row.bytes / 1e6:5.2f}" if row.bytes is not None else f"{'':5}"
        psnr = f"{row.psnr_db:8.2f}" if row.psnr_db is not None else f"{'':8}"
        spent = f"{row.p50_ms:7.2f}" if row.p50_ms is not None else f"{'':7}"
        print(f"{row.model:22} {size} {psnr} {spent}  {row.status}")
