"""ONNX Runtime's wheels gather telemetry in ~/.cache and look up whom to send it to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SESSION = "from dehaze.runtime.model.shipped import MODELS_FOLDER as f\n"
_SESSION += "onnxruntime.InferenceSession(str(f / 'edge-gridsample.onnx'))\n"
PROGRAMS = {
    "the API": (
        "import numpy as np\n"
        "from dehaze.runtime import open_dehazer\n"
        "with open_dehazer(threads=1, compiled=False) as dehazer:\n"
        "    dehazer(np.zeros((64, 64, 3), np.uint8))\n"
    ),
    "dehaze-export": "import dehaze.export.cli, onnxruntime\n" + _SESSION,
    "dehaze-bench": "import dehaze.benchmarks.cli, onnxruntime\n" + _SESSION,
    "dehaze-train": "import dehaze.train.cli, onnxruntime\n" + _SESSION,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_collected_and_nobody_is_called(program: str, tmp_path: Path) -> None:
    home, calls = tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    # A collector is looked up some seconds after the start.
    code = PROGRAMS[program] + "import time; time.sleep(4)\n"
    command = [sys.executable, "-c", code]
    if strace := shutil.which("strace"):
        command = [strace, "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(calls), *command]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if "ptrace" in run.stderr:
        pytest.skip("system calls may not be watched here")
    assert run.returncode == 0, run.stderr
    assert list(home.rglob("*")) == []
    told = calls.read_text() if calls.exists() else ""
    assert [line for line in told.splitlines() if "AF_INET" in line or "AF_UNIX" in line] == []
