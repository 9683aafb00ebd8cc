"""Results made up for tests: of known times and scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dehaze.benchmarks.results.file import write_result
from dehaze.benchmarks.results.records import (
    Data,
    FlickerRow,
    LatencyRow,
    Machine,
    Model,
    QualityRow,
    Result,
)

MACHINE = Machine("Test CPU", 4, 4, "avx2", 8000, "Linux", "3.11.7", {"numpy": "2"})


def stored(path: Path, result: Result) -> Path:
    write_result(result, str(path))
    return path


def _models(names: Sequence[str]) -> list[Model]:
    return [Model(n, f"{n}.onnx", n * 64, "fp32", 100, 2**20, "onnxruntime", "") for n in names]


def latency_result(times: Mapping[str, Sequence[float]], machine: Machine = MACHINE) -> Result:
    """A latency result with one row per model at 1280x720 with 2 threads."""
    rows = []
    for name, milliseconds in times.items():
        p50, mean = float(np.median(milliseconds)), float(np.mean(milliseconds))
        shares = {"p90_ms": p50, "p95_ms": p50, "p99_ms": p50}
        rows.append(
            LatencyRow(
                *(name, "onnxruntime", 1280, 720, 2, list(milliseconds), p50),
                **shares, mean_ms=mean, fps=1000.0, ratio_to_first=1.0, ratio_interval=[1.0, 1.0],
            )
        )  # fmt: skip
    models = _models(list(times))
    return Result("latency", "2026-01-01T00:00:00+00:00", "dehaze-bench latency", machine, models,
                  None, {"warm-up": "3"}, rows)  # fmt: skip


def quality_result(scores: Mapping[str, Sequence[float]], sha256: str = "d" * 64) -> Result:
    """PSNR per picture, of levels 0 and 1 in turns."""
    rows = []
    for name, psnr in scores.items():
        pictures: list[dict[str, float | str | None]] = [
            {
                "name": f"{number}", "psnr_db": score, "ssim": 0.9,
                "haze": f"level {number % 2}", "beta": float(number % 2),
            }
            for number, score in enumerate(psnr)
        ]  # fmt: skip
        means: dict[str, float | None] = {"psnr_db": float(np.mean(psnr)), "ssim": 0.9}
        if not np.isfinite(means["psnr_db"] or 0):
            means["psnr_db"] = None
        rows.append(QualityRow(name, means, pictures))
    data = Data("pairs", "SOTS", 2, sha256)
    return Result("quality", "2026-01-01T00:00:00+00:00", "dehaze-bench quality", MACHINE,
                  _models(list(scores)), data, {"crop": "none"}, rows)  # fmt: skip


def files(tmp_path: Path) -> list[str]:
    """Latency and quality of three models, flicker of one, a ranking of layers."""
    latency = latency_result({"fast": [5.0, 6.0], "good": [9.0, 10.0], "worst": [20.0, 21.0]})
    quality = quality_result({"fast": [20.0, 21.0], "good": [28.0, 29.0], "worst": [15.0, 16.0]})
    flicker = replace(
        quality, kind="flicker", results=[FlickerRow("good", "smoothed", 9, 18.0, 1.234, 0.5)]
    )
    ranking = {
        "float32_db": 26.4, "drop_db": 0.04, "kept": ["first"], "drops_db": [0.3, 0.04],
        "ranking": [{"layer": "first", "drop_db": 0.25}, {"layer": "second", "drop_db": -0.01}],
    }  # fmt: skip
    sensitivity = tmp_path / "good-int8.sensitivity.json"
    sensitivity.write_text(json.dumps(ranking))
    paths = [
        stored(tmp_path / f"{result.kind}.json", result) for result in (latency, quality, flicker)
    ]
    return [str(path) for path in (*paths, sensitivity)]
