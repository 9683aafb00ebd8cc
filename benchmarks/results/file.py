"""The file that every dehaze-bench command writes with --json.

One JSON object, of one version for all kinds. `Result` is its shape; every field is written, and a
number that is not finite (the PSNR of equal pictures) is written as null.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from dehaze.runtime.decoding import WrongValueError, decode
from dehaze.runtime.errors import InputError, OutputError, one_line
from dehaze.runtime.output_file import finished_output

from .records import (
    DetectionRow,
    FlickerRow,
    FormatRow,
    Kind,
    LatencyRow,
    QualityRow,
    Result,
    VideoRow,
)

__all__ = ["VERSION", "expect_writable", "read_json", "read_result", "write_result"]

VERSION = 1
"""Raised when an older reader could no longer read what is written."""

_ROWS: Mapping[str, Any] = {
    "latency": list[LatencyRow],
    "quality": list[QualityRow],
    "flicker": list[FlickerRow],
    "formats": list[FormatRow],
    "detection": list[DetectionRow],
    "video": list[VideoRow],
}


def expect_writable(path: str | None) -> None:
    """Raises at once the error that `write_result` would raise after minutes of measuring.

    Raises:
        OutputError: `path` is a folder, a device, a pipe or a file that no command of dehaze-bench
            wrote, or its folder cannot be written to.
    """
    if path is None or path == "-":
        return
    file = Path(path)
    if not path or (file.exists() and not file.is_file()):
        raise OutputError(f"--json: expected a file to write or -, got {path!r}")
    if file.exists() and not _is_result(file):
        raise OutputError(
            f"--json {path}: expected a new name or a result of dehaze-bench, got another file; "
            f"name another one"
        )
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: expected a folder that can be written to, got {folder}")


def _is_result(file: Path) -> bool:
    """Returns whether a file may be replaced; one that cannot be read is told later."""
    try:
        with file.open("rb") as opened:
            beginning = opened.read(64)
    except OSError:
        return True
    return not beginning or b'"dehaze_bench"' in beginning


def write_result(result: Result, path: str) -> None:
    """Writes to the file `path`, whole or not at all; `-` is standard output.

    Raises:
        OutputError: it cannot be written.
    """
    document = {"dehaze_bench": VERSION, **_plain(dataclasses.asdict(result))}
    text = json.dumps(document, allow_nan=False, indent=1) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    with finished_output(Path(path), overwrite=True) as unfinished:
        unfinished.write_text(text, "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def read_result(path: Path) -> Result:
    """Reads what `write_result` wrote.

    Raises:
        InputError: it cannot be read, or is no such file; says what is wrong where.
    """
    document = read_json(path)
    if not isinstance(document, dict) or "dehaze_bench" not in document:
        raise InputError(f"{path}: expected a file written by dehaze-bench --json, got other JSON")
    if document["dehaze_bench"] is True or document["dehaze_bench"] != VERSION:
        raise InputError(
            f"{path}: expected version {VERSION} of the format, got {document['dehaze_bench']!r}; "
            f"measure again with this dehaze-bench"
        )
    try:
        return _result(document)
    except WrongValueError as error:
        raise InputError(f"{path}: {error}; measure again") from error


def read_json(path: Path) -> Any:
    """Reads any JSON file.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: expected JSON, got something else ({one_line(error)})"
        ) from error


def _result(document: dict[str, Any]) -> Result:
    kind = decode(document.get("kind"), Kind, "kind")
    rows = decode(document.get("results"), _ROWS[kind], "results")
    if not rows:
        raise WrongValueError("results", "at least one row", [])
    rounds: dict[tuple[int, int, int], int] = {}
    for index, row in enumerate(rows):
        if isinstance(row, LatencyRow):
            times, size = row.milliseconds, (row.width, row.height, row.threads)
            if min(size) < 1:
                raise WrongValueError(f"results[{index}]", "sizes and threads above 0", size)
            expected = rounds.setdefault(row.setting, len(times))
            if not times or len(times) != expected or min(*times, row.p50_ms) <= 0:
                words = f"{max(1, expected)} times above 0, as many as other rows of its size"
                raise WrongValueError(f"results[{index}].milliseconds", words, times)
        for column in ("pictures", "clear_pictures") if isinstance(row, QualityRow) else ():
            for number, picture in enumerate(getattr(row, column)):
                if not isinstance(picture.get("name"), str):
                    where = f"results[{index}].{column}[{number}]"
                    raise WrongValueError(where, "a name", picture)
    names = [f.name for f in dataclasses.fields(Result) if f.name not in ("kind", "results")]
    hints = get_type_hints(Result)
    others = {name: decode(document.get(name), hints[name], name) for name in names}
    return Result(kind=kind, results=rows, **others)
