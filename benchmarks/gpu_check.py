"""What only a machine with an NVIDIA GPU can show, in one run that needs no network.

    make gpu-check        # or: python -m dehaze.benchmarks.gpu_check MODEL.onnx ... --json FILE

The models are forms for TensorRT. Of each, an engine is built (TensorRT-RTX does that without a
GPU), and the whole TensorRT session runs it: copies, CUDA graphs, two frames in flight. Its
pictures are compared with ONNX Runtime's of the shipped model. The plugin's kernel is run by its
tests. Whatever cannot run is marked "not run", with the reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np

from dehaze.runtime.backends import open_session
from dehaze.runtime.command import run_command
from dehaze.runtime.cuda.device import cuda_device
from dehaze.runtime.errors import DehazeError, one_line
from dehaze.runtime.model.shipped import DEFAULT_MODEL, contract_of, model_path
from dehaze.runtime.output_file import finished_output
from dehaze.runtime.providers.self_test import hazy_picture
from dehaze.runtime.session import Frames, Session
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.engine_file import read_engine
from dehaze.runtime.trt.options import (
    EngineOptions,
    LibraryName,
    ShapeRange,
    TensorRTOptions,
    using_library,
)

from .measure.surroundings import machine, now

SIZES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
"""Name to (height, width)."""
SHAPES = ShapeRange((1, 64, 64, 3), (1, 720, 1280, 3), (1, 2160, 3840, 3))
FRAMES = 200
"""Timed of each size, after as many as warm up: the graphs of both slots, and the clocks."""
WARM_UP = 20
KERNEL_TESTS = (
    Path(__file__).resolve().parent.parent / "tests" / "export" / "plugin" / "test_plugin.py"
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dehaze.benchmarks.gpu_check",
        description="Check and time what needs an NVIDIA GPU; without one, what can be done there.",
    )
    parser.add_argument("models", nargs="*", type=Path, help="ONNX files for TensorRT")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE")
    parser.add_argument("--library", choices=("tensorrt", "rtx"), default="rtx")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command("gpu_check", lambda: _run(options), "nothing was written")


def _run(options: argparse.Namespace) -> None:
    result = {
        "dehaze_gpu_check": 1,
        "created": now(),
        "command": f"make gpu-check, or {' '.join(['gpu_check', *sys.argv[1:]])}",
        "machine": dataclasses.asdict(machine()),
        "gpu": _gpu(),
        "kernel": kernel_figures(),
        "engines": [
            row for model in options.models for row in engine_figures(model, options.library)
        ],
    }
    with finished_output(options.json, overwrite=True) as unfinished:
        unfinished.write_text(json.dumps(result, indent=1) + "\n")
    table = markdown(result)
    with finished_output(options.json.with_suffix(".md"), overwrite=True) as unfinished:
        unfinished.write_text(table)
    print(table)


def _gpu() -> str:
    try:
        device = cuda_device()
    except DehazeError as error:
        return f"not run: {one_line(error)}"
    return f"{device.name}, compute capability {device.compute_capability}"


def kernel_figures() -> dict[str, Any]:
    """The plugin's kernel against its steps on the CPU and torchvision, by its own tests."""
    if not KERNEL_TESTS.is_file():
        return {"outcome": f"not run: expected a checkout with {KERNEL_TESTS.name}"}
    report = Path("build") / "gpu-check.xml"
    report.parent.mkdir(exist_ok=True)
    # Without the other tests' fixtures, which need packages that such a machine may lack.
    options = ["-q", "--noconftest", f"--junitxml={report.absolute()}"]
    command = [sys.executable, "-m", "pytest", str(KERNEL_TESTS), *options]
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=KERNEL_TESTS.parents[3])
    if not report.is_file():
        return {"outcome": "not run: expected pytest, and what the tests import"}
    return figures_of_tests(report.read_text())


def figures_of_tests(report: str) -> dict[str, Any]:
    """What a JUnit report says: counts, why some were not run, and the figures they recorded."""
    suite = next(ElementTree.fromstring(report).iter("testsuite"))
    skipped = {str(found.get("message")) for found in suite.iter("skipped")}
    figures = {
        str(found.get("name")): json.loads(str(found.get("value")))
        for found in suite.iter("property")
    }
    count = {what: int(str(suite.get(what))) for what in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return {
        "outcome": f"{passed} passed, {failed} failed, {count['skipped']} not run",
        "not_run_because": sorted(skipped),
        "figures": figures or "not run",
    }


def engine_figures(model: Path, library: LibraryName) -> list[dict[str, Any]]:
    """Builds the engine of a model and runs it at every size: a row for each."""
    started = time.perf_counter()
    row: dict[str, Any] = {"model": model.name, "precision": contract_of(model).precision}
    try:
        with using_library(library):
            engine = engine_from_onnx(model, Path("build"), EngineOptions(SHAPES, 4096))
        header, _ = read_engine(engine)
        row |= {
            "library": header.host.tensorrt,
            "engine": engine.name,
            "layers": header.layers,
            "build_s": round(time.perf_counter() - started, 1),
        }
        notices: list[str] = []
        opened = open_session(engine, tensorrt=TensorRTOptions(notice=notices.append))
    except DehazeError as error:
        return [row | {"size": "all", "outcome": f"not run: {one_line(error)[:200]}"}]
    reference = open_session(model_path(DEFAULT_MODEL), "onnxruntime").session
    try:
        return [
            row | {"size": name} | _timed(opened.session, reference, size) | {"said": notices}
            for name, size in SIZES.items()
        ]
    finally:
        opened.session.close()
        reference.close()


def _timed(session: Session, reference: Session, size: tuple[int, int]) -> dict[str, Any]:
    """Differences from ONNX Runtime, and times with two frames in flight."""
    picture = hazy_picture(*size)
    frames = [np.roll(picture, 8 * step, axis=2) for step in range(4)]
    run_many = cast(Any, session).run_many
    try:
        expected = [reference.run(frame, 1.0) for frame in frames]
        got: list[Frames] = list(run_many(frames, 1.0))
        parts = []
        for _ in run_many((frames[i % 4] for i in range(FRAMES)), 1.0):
            times = cast(Any, session).device_times
            parts.append((times.upload_ms, times.compute_ms, times.download_ms))
        started = time.perf_counter()
        for _ in run_many((frames[i % 4] for i in range(FRAMES)), 1.0):
            pass
        frame_ms = 1000 * (time.perf_counter() - started) / FRAMES
    except DehazeError as error:
        return {"outcome": f"failed: {one_line(error)[:200]}"}
    upload, compute, download = np.median(parts[WARM_UP:], axis=0).round(3).tolist()
    difference = np.abs(np.stack(got).astype(int) - np.stack(expected))
    mean = float((difference**2).mean())
    return {
        "outcome": "run",
        "largest_difference": int(difference.max()),
        "psnr_db": round(10 * float(np.log10(255**2 / mean)), 2) if mean else None,
        "upload_ms": upload,
        "compute_ms": compute,
        "download_ms": download,
        "frame_ms": round(frame_ms, 3),
    }


_COLUMNS = ("upload_ms", "compute_ms", "download_ms", "frame_ms", "psnr_db", "largest_difference")


def markdown(result: dict[str, Any]) -> str:
    """The figures as a page; "not run" wherever they are missing."""
    lines = [
        "# What needs a GPU",
        "",
        "Filled by `make gpu-check` on a machine with an NVIDIA GPU.",
        "",
        f"GPU: {result['gpu']}",
        "",
        f"The plugin's kernel: {result['kernel']['outcome']}.",
        "",
        *_kernel_table(result["kernel"].get("figures")),
        "| model | library | layers | size | copy in, ms | compute, ms | copy out, ms "
        "| frame, ms | PSNR to ONNX Runtime, dB | largest difference |",
        "|---" * 10 + "|",
    ]
    for row in result["engines"]:
        layers = ", ".join(f"{count} {name}" for name, count in row.get("layers", {}).items())
        cells = [row["model"], row.get("library", ""), layers, row["size"]]
        cells += [str(row.get(column, "not run")) for column in _COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
    reasons = {row["outcome"] for row in result["engines"] if row["outcome"] != "run"}
    lines += ["", *sorted(re.sub(r"\S+/", "", reason) for reason in reasons)]
    return "\n".join(lines).rstrip() + "\n"


def _kernel_table(figures: object) -> list[str]:
    """Times of the kernel beside torchvision's, where they were measured."""
    if not isinstance(figures, dict):
        return []
    rows = [
        f"| {size} | {times['ours_ms']} | {times['torchvision_ms']} | {times['ratio']} |"
        for size, times in figures.items()
    ]
    head = "| features, type | ours, ms | torchvision, ms | times as fast |"
    return [head, "|---" * 4 + "|", *rows, ""]


if __name__ == "__main__":
    sys.exit(main())
