"""`make gpu-check` where there is no GPU: what can be done is done, the rest says why not."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from dehaze.benchmarks import gpu_check
from dehaze.runtime.model.shipped import MODELS_FOLDER

REPORT = """<?xml version="1.0"?><testsuites><testsuite tests="5" failures="1" errors="0"
 skipped="2"><properties><property name="(1, 32, 90, 160) torch.float16"
 value='{"ours_ms": 0.05, "ratio": 2.5}'/></properties>
 <testcase><skipped message="torch sees no NVIDIA GPU"/></testcase></testsuite></testsuites>"""


def test_the_report_of_the_kernels_tests_is_read() -> None:
    figures = gpu_check.figures_of_tests(REPORT)
    assert figures["outcome"] == "2 passed, 1 failed, 2 not run"
    assert figures["not_run_because"] == ["torch sees no NVIDIA GPU"]
    assert figures["figures"]["(1, 32, 90, 160) torch.float16"]["ratio"] == 2.5


def test_without_a_gpu_it_says_what_was_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu_check, "kernel_figures", lambda: {"outcome": "not run: no nvcc"})
    model = onnx.load(MODELS_FOLDER / "edge.onnx")  # for ONNX Runtime: no builder takes it
    onnx.save(model, tmp_path / "edge.onnx")
    assert gpu_check.main(["edge.onnx", "--json", "results/gpu.json"]) == 0
    result = json.loads((tmp_path / "results" / "gpu.json").read_text())
    assert result["gpu"].startswith("not run: expected an NVIDIA GPU")
    (row,) = result["engines"]
    assert row["outcome"].startswith("not run: ")
    table = (tmp_path / "results" / "gpu.md").read_text()
    assert "| not run | not run |" in table
    assert table in capsys.readouterr().out
