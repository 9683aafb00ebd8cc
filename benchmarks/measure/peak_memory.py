"""Measures the memory that a model needs, in a process of its own that runs nothing else.

python -m dehaze.benchmarks.measure.peak_memory edge onnxruntime 2 1280 720
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from dehaze.runtime.errors import ModelError
from dehaze.runtime.isolated.program import python_program

__all__ = ["PeakMemory", "peak_memory"]

FRAMES = 3


class PeakMemory(NamedTuple):
    """Resident memory at its highest, in MiB; that of a separate GPU is not in it."""

    before_mib: float
    """Python and the libraries, before the model is opened."""
    mib: float
    """All memory after three frames, in MiB: the libraries, the model and the frames."""


def peak_memory(model: str, backend: str, threads: int, width: int, height: int) -> PeakMemory:
    """Opens the model in another process and runs three frames there.

    Raises:
        ModelError: the process failed, though the model opens in this one.
    """
    arguments = [model, backend, str(threads), str(width), str(height)]
    command = [*python_program("dehaze.benchmarks.measure.peak_memory"), *arguments]
    child = subprocess.run(command, capture_output=True, text=True)
    if child.returncode:
        last = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise ModelError(f"{model}: its memory could not be measured ({last}); use --no-memory")
    return PeakMemory(**json.loads(child.stdout.splitlines()[-1]))


def _highest_mib() -> float:
    """The peak memory of this process.

    Linux's own figure, since getrusage's also counts what the parent held when it started this
    process: 325 MiB for a bare Python started by one that held 300.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        if sys.platform == "win32":
            return _highest_mib_on_windows()
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _highest_mib_on_windows() -> float:
    """The peak working set (psapi.h, PROCESS_MEMORY_COUNTERS)."""

    class Counters(ctypes.Structure):
        _fields_ = (
            ("size", ctypes.c_uint32),
            ("faults", ctypes.c_uint32),
            ("peak", ctypes.c_size_t),
            ("others", ctypes.c_size_t * 7),
        )

    counters = Counters(size=ctypes.sizeof(Counters))
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
    kernel.K32GetProcessMemoryInfo(
        kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size
    )
    return int(counters.peak) / 2**20


def main() -> None:
    import numpy as np

    from dehaze.runtime.dehazer import open_dehazer

    from .methods import is_ours, open_method

    model, backend, threads, width, height = sys.argv[1:]
    frame = np.random.default_rng(0).integers(0, 256, (int(height), int(width), 3), np.uint8)
    before = _highest_mib()
    if is_ours(model):
        method: Any = open_dehazer(model, threads=int(threads), backend=backend)  # type: ignore[arg-type]
    else:
        method = open_method(model, int(threads))
    with method:
        for _ in range(FRAMES):
            method(frame)
    print(json.dumps({"before_mib": round(before, 1), "mib": round(_highest_mib(), 1)}))
