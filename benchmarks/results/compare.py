"""`dehaze-bench compare`: finds where a new result is worse than an old one, beyond noise."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dehaze.runtime.errors import GateError, UsageError

from .changes import Change, by_key, changes, figures, key_of
from .figures import FIGURES
from .file import read_result
from .records import LatencyRow, QualityRow, Result

__all__ = ["compare_files"]

_FIGURE_NAMES = {figure.name for figure in FIGURES.values()}


def compare_files(
    old_path: Path, new_path: Path, *, tolerance: float, force: bool, relative: bool = False
) -> None:
    """Prints a table of all figures; `relative` takes latencies as ratios to their first model.

    Raises:
        GateError: at least one is worse.
        UsageError: they measure something else, or on something else and `force` is not set.
        InputError: a file that cannot be read.
    """
    old, new = read_result(old_path), read_result(new_path)
    if old.kind != new.kind:
        raise UsageError(f"expected two results of one kind, got {old.kind} and {new.kind}")
    if different := list(_different(old, new)):
        words = "; ".join(different)
        if not force:
            raise UsageError(f"{words}; measure both alike, or use --force to compare all the same")
        print(f"compared all the same: {words}", file=sys.stderr)
    for note in _notes(old, new):
        print(note)
    if relative:
        old, new = _relative(old, new), _relative(new, old)
    found = changes(old, new, tolerance)
    if not found:
        raise UsageError(f"expected figures that are in both {old_path} and {new_path}, got none")
    _print(found)
    if worse := [change for change in found if change.verdict == "worse"]:
        raise GateError(
            f"{len(worse)} of {len(found)} figures are worse than in {old_path}, "
            f"the first: {worse[0].what} {worse[0].old:g} -> {worse[0].new:g}"
        )


def _different(old: Result, new: Result) -> Iterator[str]:
    """The reasons why two results cannot be compared."""
    if old.kind == "latency":
        for name in ("processor", "usable_cores", "instructions", "gpu", "power_mode", "clocks"):
            was, now = getattr(old.machine, name), getattr(new.machine, name)
            if was != now:
                yield f"the machines differ: {name} {was!r} and {now!r}"
    if old.data and new.data and old.data.sha256 != new.data.sha256:
        yield f"the data differ: {_data(old)} and {_data(new)}"
    for name in sorted(old.protocol.keys() | new.protocol.keys()):
        was, now = old.protocol.get(name), new.protocol.get(name)
        is_new_figure = was is None and name in _FIGURE_NAMES  # compared with nothing
        if was != now and name not in ("load before", "rounds") and not is_new_figure:
            yield f"the protocols differ: {name} {was!r} and {now!r}"
    if lost := sorted(by_key(old).keys() - by_key(new).keys()):
        yield f"the new result lacks {', '.join(lost)}"
    after = {row.model: figures(row) for row in new.rows(QualityRow)}
    for row in old.rows(QualityRow):
        for column, pictures in figures(row).items() if row.model in after else ():
            if less := len(pictures.keys() - after[row.model].get(column, {}).keys()):
                yield f"the new result lacks {column} of {less} pictures of {row.model}"


def _data(result: Result) -> str:
    data = result.data
    return f"{data.path} ({data.number} files, {data.sha256[:8]})" if data else "none"


def _notes(old: Result, new: Result) -> Iterator[str]:
    """The differences that may explain a change, which such a comparison is for."""
    before = {model.name: model.sha256 for model in old.models}
    for model in dict.fromkeys((model.name, model.sha256) for model in new.models):
        if before.get(model[0], model[1]) != model[1]:
            yield f"model {model[0]} is another file: {before[model[0]][:8]}, now {model[1][:8]}"
    load = "load before"
    if {load} & old.protocol.keys() & new.protocol.keys():
        yield f"{load}: {old.protocol[load]}; now {new.protocol[load]}"
    was, now = ({"Python": r.machine.python, **r.machine.versions} for r in (old, new))
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield f"{name}: {was.get(name, 'none')}, now {now.get(name, 'none')}"


def _relative(result: Result, other: Result) -> Result:
    """The times of every round as multiples of the first model's, for the same size, in that round.

    Raises:
        UsageError: nothing to compare with, or another model in the other result.
    """
    rows: list[LatencyRow] = []
    first, other_first = (  # of each setting
        {row.setting: row for row in reversed(one.rows(LatencyRow))} for one in (result, other)
    )
    for row in result.rows(LatencyRow):
        base = first[row.setting]
        if (there := other_first.get(row.setting)) and key_of(base) != key_of(there):
            raise UsageError(
                f"--relative expects the same first model, got {key_of(base)} and {key_of(there)}"
            )
        if row is not base:
            ratios = np.array(row.milliseconds) / np.array(base.milliseconds)
            rows.append(replace(row, milliseconds=ratios.tolist()))
    if not rows:
        raise UsageError("--relative expects latencies of two models or more")
    return replace(result, results=rows)


def _print(found: Sequence[Change]) -> None:
    width = max(len(change.what) for change in found)
    print(f"{'figure':{width}} {'old':>9} {'new':>9} {'95 % interval':>20}")
    for change in found:
        interval = (
            f"{change.interval[0]:.4f} to {change.interval[1]:.4f}" if change.interval else ""
        )
        print(
            f"{change.what:{width}} {change.old:9.4f} {change.new:9.4f} {interval:>20} "
            f"{change.verdict}".rstrip()
        )
