"""Lets a single run at a time write into a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dehaze.runtime.errors import OutputError, UsageError, one_line


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the folder, which is made where it is missing; the system frees it if we die.

    Raises:
        OutputError: the folder cannot be made.
        UsageError: another process holds it.
    """
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        if isinstance(error, Timeout):
            raise UsageError(
                f"{folder}: another dehaze-train is at work there; wait for it or give another "
                f"--out"
            ) from error
        raise OutputError(f"{folder}: cannot make this folder: {one_line(error)}") from error
    try:
        yield
    finally:
        lock.release()
