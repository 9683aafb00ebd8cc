"""`dehaze-bench compare`: is a new result worse than an old one, beyond noise?

latency    the interval of the ratio of the medians, new to old, lies above 1 + tolerance. The
           samples of one run know nothing of how runs differ, hence the tolerance. A machine that
           others use may be three times as slow an hour later: --relative compares each model's
           ratio to the first model of its own run, round by round, which slows down with it.
quality    the interval of the mean difference, picture by picture and drawn by scene, lies on the
           bad side of a limit that changes of kernels stay within (LIMITS); so of clear pictures
flicker    the figure moved to the bad side by more than the tolerance: there are no samples
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dehaze.runtime.errors import GateError, UsageError

from .intervals import mean_interval, ratio_interval
from .result_file import read_result
from .results import FlickerRow, LatencyRow, QualityRow, Result

__all__ = ["Change", "changes", "compare_files"]

LIMITS = {
    "psnr_db": (1, 0.02),
    "auto_psnr_db": (1, 0.02),
    "ssim": (1, 0.0005),
    "sigma": (-1, 0.001),
}
"""Of the columns that are judged: 1 where higher is better, else -1; the smallest change that
counts. FP16 in place of FP32, on all of SOTS-indoor, moves PSNR by less than 0.01 dB."""
HIGHEST_DB = 50.0
"""A PSNR above it counts as this, and so does that of equal pictures, which is infinite: nobody
sees the difference, and a single level of 255 somewhere moves it by tens of decibels."""


@dataclass(frozen=True)
class Change:
    """One figure, before and after."""

    what: str
    """`edge onnxruntime 1280x720, 2 threads: median`."""
    old: float
    new: float
    interval: tuple[float, float] | None
    """95 %, of the ratio for latency, of the difference for quality; None where nothing says."""
    verdict: str
    """`worse`, `better` or empty."""


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
    """Why the two are not to be compared."""
    if old.kind == "latency":
        for name in ("processor", "usable_cores", "instructions", "gpu", "power_mode", "clocks"):
            was, now = getattr(old.machine, name), getattr(new.machine, name)
            if was != now:
                yield f"the machines differ: {name} {was!r} and {now!r}"
    if old.data and new.data and old.data.sha256 != new.data.sha256:
        yield f"the data differ: {_data(old)} and {_data(new)}"
    for name in sorted(old.protocol.keys() | new.protocol.keys()):
        was, now = old.protocol.get(name), new.protocol.get(name)
        if was != now and name not in ("load before", "rounds"):
            yield f"the protocols differ: {name} {was!r} and {now!r}"
    if lost := sorted(_by_key(old).keys() - _by_key(new).keys()):
        yield f"the new result lacks {', '.join(lost)}"
    after = {row.model: _figures(row) for row in new.rows(QualityRow)}
    for row in old.rows(QualityRow):
        for column, pictures in _figures(row).items() if row.model in after else ():
            if less := len(pictures.keys() - after[row.model].get(column, {}).keys()):
                yield f"the new result lacks {column} of {less} pictures of {row.model}"


def _data(result: Result) -> str:
    data = result.data
    return f"{data.path} ({data.number} files, {data.sha256[:8]})" if data else "none"


def _notes(old: Result, new: Result) -> Iterator[str]:
    """What differs and may explain a change, for comparing such is what this is for."""
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


def _by_key(result: Result) -> Mapping[str, LatencyRow | QualityRow | FlickerRow]:
    return {_key(row): row for row in result.results}


def _key(row: LatencyRow | QualityRow | FlickerRow) -> str:
    if isinstance(row, LatencyRow):
        threads = f"{row.threads} thread{'s' * (row.threads != 1)}"
        return f"{row.model} in {row.backend}, {row.width}x{row.height}, {threads}"
    return row.model if isinstance(row, QualityRow) else f"{row.model}, {row.way}"


def changes(old: Result, new: Result, tolerance: float) -> list[Change]:
    """Every figure that both have, in the order of the old one."""
    after = _by_key(new)
    found: list[Change] = []
    for key, before in _by_key(old).items():
        now = after.get(key)
        if isinstance(before, LatencyRow) and isinstance(now, LatencyRow):
            found.append(_latency(key, before, now, tolerance))
        elif isinstance(before, QualityRow) and isinstance(now, QualityRow):
            found += _quality(key, before, now)
        elif isinstance(before, FlickerRow) and isinstance(now, FlickerRow):
            found += _flicker(key, before, now, tolerance)
    return found


def _relative(result: Result, other: Result) -> Result:
    """Every round's time as a multiple of what the first model of the same size took in it.

    Raises:
        UsageError: nothing to compare with, or another model in the other result.
    """
    rows: list[LatencyRow] = []
    first, other_first = (  # of each setting
        {row.setting: row for row in reversed(one.rows(LatencyRow))} for one in (result, other)
    )
    for row in result.rows(LatencyRow):
        base = first[row.setting]
        if (there := other_first.get(row.setting)) and _key(base) != _key(there):
            raise UsageError(
                f"--relative expects the same first model, got {_key(base)} and {_key(there)}"
            )
        if row is not base:
            ratios = np.array(row.milliseconds) / np.array(base.milliseconds)
            rows.append(replace(row, milliseconds=ratios.tolist()))
    if not rows:
        raise UsageError("--relative expects latencies of two models or more")
    return replace(result, results=rows)


def _latency(key: str, old: LatencyRow, new: LatencyRow, tolerance: float) -> Change:
    after, before = np.array(new.milliseconds), np.array(old.milliseconds)
    low, high = ratio_interval(after, before, paired=False)
    verdict = "worse" if low > 1 + tolerance else "better" if high < 1 / (1 + tolerance) else ""
    medians = float(np.median(before)), float(np.median(after))
    return Change(f"{key}: median", *medians, (low, high), verdict)


def _quality(key: str, old: QualityRow, new: QualityRow) -> Iterator[Change]:
    scenes = {picture["name"]: picture.get("scene") for picture in old.pictures}
    after = _figures(new)
    for column, before in _figures(old).items():
        now = after.get(column, {})
        names = [name for name in before if name in now]
        if not names:
            continue
        sign, least = LIMITS[column.rpartition(" ")[2]]
        numbers = np.array([(before[name], now[name]) for name in names])
        low, high = mean_interval(
            numbers[:, 1] - numbers[:, 0], [str(scenes.get(name) or name) for name in names]
        )
        worst, best = (low, high) if sign > 0 else (-high, -low)
        verdict = "worse" if best < -least else "better" if worst > least else ""
        means = numbers.mean(axis=0)
        words = f"{key}: {column} ({len(names)} pictures)"
        yield Change(words, float(means[0]), float(means[1]), (low, high), verdict)


def _figures(row: QualityRow) -> dict[str, dict[str, float]]:
    """Of each judged column the value of every picture, by its name."""
    found: dict[str, dict[str, float]] = {}
    for kind, pictures in (("", row.pictures), ("clear ", row.clear_pictures)):
        for picture in pictures:
            for column in LIMITS.keys() & picture.keys():
                value = picture[column]
                if column.endswith("psnr_db") and not isinstance(value, str):
                    value = _capped(value)
                if isinstance(value, float):
                    found.setdefault(f"{kind}{column}", {})[str(picture["name"])] = value
    return dict(sorted(found.items()))


def _capped(psnr_db: float | None) -> float:
    return HIGHEST_DB if psnr_db is None else min(psnr_db, HIGHEST_DB)


def _flicker(key: str, old: FlickerRow, new: FlickerRow, tolerance: float) -> Iterator[Change]:
    for column in ("error_deviation", "error_change"):
        was, now = getattr(old, column), getattr(new, column)
        worse, better = now > was * (1 + tolerance), now * (1 + tolerance) < was
        verdict = "worse" if worse else "better" if better else ""
        yield Change(f"{key}: {column}", was, now, None, verdict)
    before, after = _capped(old.psnr_db), _capped(new.psnr_db)
    difference, least = after - before, LIMITS["psnr_db"][1]
    verdict = "worse" if difference < -least else "better" if difference > least else ""
    yield Change(f"{key}: psnr_db", before, after, None, verdict)


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
