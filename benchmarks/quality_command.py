"""`dehaze-bench quality`: measures each method in turn and says what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dehaze.runtime.errors import UsageError

from .datasets import DataSet, find_data_set
from .methods import Method, open_method
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

__all__ = ["quality_record_of"]


def quality_record_of(
    arguments: Sequence[str],
    folder: Path,
    threads: int | None,
    *,
    do_no_harm: bool,
    levels: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measures every method on the pictures of a folder.

    Args:
        arguments: see `open_method`.
        do_no_harm: dehaze the clear pictures, too.
        levels: say a line for each haze level; the record has them in any case.
        say: takes each line as soon as it is known.

    Returns:
        `data`, `layout`, `protocol`, and in `quality` one entry an argument.

    Raises:
        InputError: no pictures, or some that do not fit together.
        ModelError: a method that cannot be opened.
        UsageError: `do_no_harm` without clear pictures.
    """
    data = find_data_set(folder)
    if do_no_harm and not data.has_references:
        raise UsageError(f"--do-no-harm needs clear pictures, {folder} has photographs alone")
    say(f"{folder}: {data.layout}, {len(data.items)} hazy pictures")
    report = {}
    with ExitStack() as opened:
        # All of them first: a typing mistake in the last is told before minutes of measuring.
        methods = {name: opened.enter_context(open_method(name, threads)) for name in arguments}
        for argument, method in methods.items():
            report[argument] = _measured(argument, method, data, levels, say)
            if do_no_harm:
                harms = measure_harm(method, data)
                report[argument]["do_no_harm"] = harm_record(harms)
                say(harm_row(harms))
    protocol = PROTOCOL if data.has_references else PHOTOGRAPH_PROTOCOL
    for name, words in protocol.items():
        say(f"{name}: {words}")
    return {
        "data": str(folder),
        "layout": data.layout,
        "protocol": protocol,
        "quality": report,
    }


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
