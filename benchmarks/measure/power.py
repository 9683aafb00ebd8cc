"""Power and energy of a Jetson, as its tegrastats reports them. Not run on a Jetson yet."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

__all__ = ["Power", "measure_power", "total_watts"]

INTERVAL_MS = 100
_RAIL = re.compile(r"\b([A-Z]\w*) (\d+)(?:mW)?/(\d+)(?:mW)?(?=\s|$)")
_TOTALS = (
    ("VDD_IN",),  # Orin Nano and NX, Xavier NX: the module
    ("VIN",),  # Thor: the board
    ("POM_5V_IN",),  # Nano of 2019
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),  # AGX Orin, side by side
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),  # AGX Xavier
)
"""The rails that add up to the whole, the first that a line has. Rails below them lie within."""


class Power(NamedTuple):
    """The power and energy while one model ran without a pause."""

    watts: float
    """Mean of the whole module, idle power included."""
    joules_per_frame: float


def total_watts(line: str) -> float | None:
    """The power in a line of tegrastats, in watts; None where it has no rail that is known."""
    rails = {name: int(now) / 1000 for name, now, _average in _RAIL.findall(line)}
    for names in _TOTALS:
        if all(name in rails for name in names):
            return sum(rails[name] for name in names)
    return None


def measure_power(call: Callable[[], object], seconds: float = 5.0) -> Power | None:
    """Calls without a pause while tegrastats runs; None where there is no tegrastats."""
    program = shutil.which("tegrastats")
    if program is None:
        return None
    command = [program, "--interval", str(INTERVAL_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tegrastats:
        try:
            started, calls = time.perf_counter(), 0
            while (passed := time.perf_counter() - started) < seconds:
                call()
                calls += 1
        finally:  # it would run, and be waited for, without end
            tegrastats.terminate()
        lines = tegrastats.communicate()[0].splitlines()
    return _power(lines, passed / calls)


def _power(lines: Iterable[str], seconds_per_frame: float) -> Power | None:
    watts = [total for line in lines if (total := total_watts(line)) is not None]
    if not watts:
        return None
    mean = sum(watts) / len(watts)
    return Power(mean, mean * seconds_per_frame)
