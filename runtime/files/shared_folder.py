"""Tells batches that write to the same folder from one another.

The folder itself is locked (flock), so no file is left in it, and the lock ends with its process.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import OutputError
from .plan import Job

__all__ = ["locked_folders", "share_work"]

_MOST = 16
"""Folders that are locked, of a glob that leads to many."""


@contextmanager
def locked_folders(folders: Iterable[Path]) -> Iterator[Path | None]:
    """Locks the folders of results until the end, and makes those that are missing.

    Yields:
        A folder that another batch has locked, or None. Where folders cannot be locked, as on some
        network drives and on Windows, nobody knows of the other.
    """
    with ExitStack() as locks:
        taken = None
        for folder in _outermost(folders)[:_MOST]:
            if not _lock(folder, locks):
                taken = taken or folder
        yield taken


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """The folders that lie in no other one, sorted."""
    everyone = {Path(os.path.abspath(folder)) for folder in folders}  # noqa: PTH100  # keeps links
    return sorted(folder for folder in everyone if not everyone & set(folder.parents))


def _lock(folder: Path, locks: ExitStack) -> bool:
    """Returns False where another process has the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    with suppress(OSError):  # told of each file, as its output
        if not folder.exists():
            folder.mkdir(parents=True)
            locks.callback(_remove_empty, folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        locks.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty
        folder.rmdir()


def share_work(folder: Path, jobs: list[Job], *, overwrite: bool) -> str:
    """Puts the jobs into another order than that of the batch that works on the folder, too.

    Returns:
        The line for the user.

    Raises:
        OutputError: with `overwrite` both would do every file.
    """
    if overwrite:
        raise OutputError(
            f"{folder}: another dehaze-run works on this folder, and with --overwrite both would "
            f"do every file; wait for it, or name another folder"
        )
    random.shuffle(jobs)
    return (
        f"{folder}: another dehaze-run works on this folder, too; this one takes the files in "
        f"random order and skips what is done"
    )
