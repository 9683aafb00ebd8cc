"""One run at a time in a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dehaze.runtime.errors import OutputError, UsageError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the folder, which is made where it is missing; the system frees it if we die.

    Raises:
        OutputError: the folder cannot be made.
        UsageError: another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make this folder: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"{folder}: another dehaze-train is at work there; wait for it or give another --out"
        ) from error
    else:
        yield
    finally:
        os.close(handle)
