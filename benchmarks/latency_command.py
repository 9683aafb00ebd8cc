"""`dehaze-bench latency`: every size with every number of threads, as a table and a file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dehaze.runtime.errors import UsageError
from dehaze.runtime.haze.strips import CORES

from .measure.latency import (
    FEWEST,
    FEWEST_SLOW,
    LONGEST_S,
    MOST,
    STABLE,
    WARM_UP,
    WARM_UP_S,
    measure_latency,
    measure_stages,
)
from .measure.methods import expect_different, is_ours
from .measure.operators import OperatorTime, measure_operators
from .measure.power import INTERVAL_MS
from .measure.surroundings import machine, now
from .results.file import write_result
from .results.records import LatencyRow, Model, Result

__all__ = ["run_latency"]

_MEMORY = (
    "resident, at its highest, of a process of its own that opens the model and runs 3 frames: "
    "Python and the libraries (memory_before_mib), the model, the frames; not a separate GPU's"
)


def run_latency(options: argparse.Namespace, command: str) -> None:
    """Measures, prints a table and writes the file that --json names.

    Raises:
        UsageError: --stages or --operators with several models or one from elsewhere, a model
            twice.
    """
    for name in ("stages", "operators"):
        if getattr(options, name) and (len(options.models) != 1 or not is_ours(options.models[0])):
            raise UsageError(f"--{name} expects one model of ours, got {' '.join(options.models)}")
    expect_different(options.models)
    created, load = now(), _load()
    measured: list[tuple[Model, LatencyRow]] = []
    operators: dict[tuple[int, int, int], list[OperatorTime]] = {}
    for size in dict.fromkeys(options.sizes):
        for threads in dict.fromkeys(options.threads or [CORES]):
            part = measure_latency(
                options.models, size, threads, options.runs,
                backends=options.backends, memory=options.memory,
            )  # fmt: skip
            if options.stages:
                stages = measure_stages(options.models[0], size, threads, options.runs)
                part = [(model, replace(row, stages_ms=stages)) for model, row in part]
            if options.operators:
                setting = (*size, threads)
                operators[setting] = measure_operators(
                    options.models[0], size, threads, options.runs
                )
            measured += part
    rows = [row for _, row in measured]
    if options.json != "-":
        _print(rows, operators)
    if options.json:
        models = list(dict.fromkeys(model for model, _ in measured))
        protocol = _protocol(options.runs, load)
        result = Result("latency", created, command, machine(), models, None, protocol, rows)
        write_result(result, options.json)


def _protocol(runs: int | None, load: str) -> dict[str, str]:
    rounds = f"{runs}" if runs else (
        f"{FEWEST} to {MOST}, until the 95 % interval of every median is within "
        f"{STABLE:.0%} of it; {FEWEST_SLOW} at least where that takes longer than {LONGEST_S:g} s"
    )  # fmt: skip
    return {
        "frame": "random uint8 RGB, the same in every call; pixels in, pixels out",
        "order": "interleaved: a round is one call of each model, in an order of its own",
        "warm-up": f"{WARM_UP} calls of each, fewer where they take longer than {WARM_UP_S:g} s",
        "rounds": rounds,
        "ratio": "of the medians; 95 % interval by a bootstrap over the rounds, paired",
        "peak memory": _MEMORY,
        "power": f"tegrastats every {INTERVAL_MS} ms over 5 s of calls without a pause, "
        f"the whole module; on a Jetson alone",
        "load before": load,
    }


def _load() -> str:
    """The load that other programs put on the machine."""
    if not hasattr(os, "getloadavg"):
        return "not known"
    return f"{os.getloadavg()[0]:.2f} processes over the last minute"


def _print(
    rows: Sequence[LatencyRow], operators: Mapping[tuple[int, int, int], Sequence[OperatorTime]]
) -> None:
    print(
        f"{'model':28} {'backend':11} {'size':>10} {'thr.':>4} {'p50 ms':>8} {'p95 ms':>8} "
        f"{'fps':>6} {'ratio':>6} {'95 %':>11} {'MiB':>6}"
    )
    for row in rows:
        low, high = row.ratio_interval
        memory = f"{row.peak_memory_mib:6.0f}" if row.peak_memory_mib else f"{'':6}"
        print(
            f"{row.model[-28:]:28} {row.backend:11} {f'{row.width}x{row.height}':>10} "
            f"{row.threads:4} {row.p50_ms:8.2f} {row.p95_ms:8.2f} {row.fps:6.1f} "
            f"{row.ratio_to_first:6.2f} {f'{low:.2f}-{high:.2f}':>11} {memory}"
        )
        if row.compute_ms is not None:
            print(
                f"  of it on the device: copy {row.copy_ms:.2f}, compute {row.compute_ms:.2f}, "
                f"copy back {row.copy_back_ms:.2f} ms"
            )
        if row.power_w is not None and row.energy_per_frame_j is not None:
            print(f"  {row.power_w:.1f} W, {1000 * row.energy_per_frame_j:.0f} mJ per frame")
        for name, milliseconds in row.stages_ms.items():
            share = milliseconds / row.stages_ms["call"]
            print(f"  {name:17} {milliseconds:8.2f} ms {share:7.1%} of the call")
        found = operators.get(row.setting, [])
        total = sum(each.milliseconds for each in found)
        for name, nodes, milliseconds in found:
            share = milliseconds / total
            print(f"  {nodes:2} {name:18} {milliseconds:8.2f} ms {share:7.1%} of the network")
