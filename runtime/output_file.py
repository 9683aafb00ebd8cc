"""Outputs appear whole or not at all: written beside their name, renamed when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError, one_line

__all__ = ["finished_output"]


@contextmanager
def finished_output(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary name in the folder of `path`; renames it at the end.

    When the block raises, the temporary file is removed and `path` stays as it was. The temporary
    name keeps the suffix, from which formats are chosen.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, or it cannot be written.
    """
    # Short: a name may be as long as the file system allows, and this one goes beside it.
    unfinished = path.with_name(f".{os.getpid()}.part{path.suffix}")
    try:
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists; name another output or use --overwrite")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({one_line(error)})") from error
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({one_line(error)})") from error
    finally:
        unfinished.unlink(missing_ok=True)
