"""`dehaze-bench quality`: measures each method in turn and says what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dehaze.runtime.errors import UsageError

from .datasets import DataSet, find_data_set
from .methods import Method, about_method, open_method
from .quality import (
    PHOTOGRAPH_PROTOCOL,
    PROTOCOL,
    measure_harm,
    measure_photographs,
    measure_quality,
)
from .quality_tables import (
    harm_record,
    harm_row,
    level_rows,
    photograph_record,
    photograph_row,
    quality_record,
    quality_row,
)
from .results import QualityRow, Result
from .surroundings import data_of, machine, now

__all__ = ["quality_result"]


def quality_result(
    arguments: Sequence[str],
    folder: Path,
    threads: int | None,
    command: str,
    *,
    do_no_harm: bool,
    levels: bool,
    say: Callable[[str], None],
) -> Result:
    """Measures every method on the pictures of a folder.

    Args:
        arguments: see `open_method`.
        command: what the user typed, for the result.
        do_no_harm: dehaze the clear pictures, too.
        levels: say a line for each haze level.
        say: takes each line as soon as it is known.

    Raises:
        InputError: no pictures, or some that do not fit together.
        ModelError: a method that cannot be opened.
        UsageError: `do_no_harm` without clear pictures.
    """
    created = now()
    data = find_data_set(folder)
    if do_no_harm and not data.has_references:
        raise UsageError(f"--do-no-harm needs clear pictures, {folder} has photographs alone")
    say(f"{folder}: {data.layout}, {len(data.items)} hazy pictures")
    rows = []
    with ExitStack() as opened:
        # All of them first: a typing mistake in the last is told before minutes of measuring.
        methods = {name: opened.enter_context(open_method(name, threads)) for name in arguments}
        for argument, method in methods.items():
            record = _measured(argument, method, data, levels, say)
            if do_no_harm:
                harms = measure_harm(method, data)
                record["clear_to_clear"] = harm_record(harms)
                say(harm_row(harms))
            rows.append(_row(argument, record))
        models = [about_method(argument, method) for argument, method in methods.items()]
    protocol = PROTOCOL if data.has_references else PHOTOGRAPH_PROTOCOL
    for name, words in protocol.items():
        say(f"{name}: {words}")
    files = {file for item in data.items for file in (item.hazy, item.clear) if file}
    return Result(
        kind="quality",
        created=created,
        command=command,
        machine=machine(),
        models=models,
        data=data_of(folder, files, data.layout),
        protocol=dict(protocol),
        results=rows,
    )


def _row(argument: str, record: Mapping[str, Any]) -> QualityRow:
    """Of a record: its numbers as means, those of inner records by both names."""
    means: dict[str, float | None] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            for way in ("plain", "auto"):
                inner = value.get(way, {})
                means |= {f"{name}_{way}_{key}": number for key, number in inner.items()}
        elif not isinstance(value, list):
            means[name] = value
        elif name.endswith("_interval"):
            means |= {f"{name}_{end}": v for end, v in zip(("low", "high"), value, strict=True)}
    return QualityRow(argument, means, record["scores"])


def _measured(
    argument: str, method: Method, data: DataSet, levels: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    if not data.has_references:
        gains = measure_photographs(method, data)
        say(photograph_row(argument, gains))
        return photograph_record(gains)
    scores = measure_quality(method, data)
    say(quality_row(argument, scores))
    if levels:
        for row in level_rows(scores):
            say(row)
    return quality_record(scores)
