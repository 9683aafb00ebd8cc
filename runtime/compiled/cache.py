"""The private folder of compiled code.

What lies there is run, so nobody else may write there: a folder of the user's own with mode 0700.
It does not depend on the home, which a service may not have, nor on the working folder. A checksum
in each file finds what a power cut has damaged, and of several processes one compiles. Who adds a
file removes those that nobody has used for a month, such as those of older versions.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["kept"]

_PLACES = ("/var/tmp", "/tmp") if os.name == "posix" else (tempfile.gettempdir(),)
"""The first one outlives a restart."""
_LOCK = "lock"
_SUM_BYTES = 32
_WAIT_SECONDS = 30.0
"""For another process that compiles; then this one does it alone, without the cache."""
_DAY_SECONDS = 86_400.0
_UNUSED_DAYS = 30
"""After which a file is removed. Nothing is lost by it: a run that wants it compiles it again."""


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """The bytes that are kept under a name; what `make` returns, and kept, where there are none."""
    folder = _private_folder()
    if folder is None:
        return make()
    path = folder / name
    found = _whole(path)
    if found is not None:
        return found
    with _locked(folder / _LOCK) as is_locked:
        # Another process may have made it meanwhile.
        found = _whole(path) if is_locked else None
        if found is not None:
            return found
        made = make()
        if is_locked:
            _store(path, made)
            _remove_unused(folder)
        return made


def _whole(path: Path) -> bytes | None:
    """The bytes of a file as they were stored; None where it is missing or damaged."""
    with suppress(OSError):
        content = path.read_bytes()
        made = content[_SUM_BYTES:]
        if made and content[:_SUM_BYTES] == _sum(made):
            _mark_used(path)
            return made
    return None


def _mark_used(path: Path) -> None:
    """Sets the file's time to now, once a day: a disk need not keep when files are read."""
    with suppress(OSError):  # a read-only disk
        if time.time() - path.stat().st_mtime > _DAY_SECONDS:
            os.utime(path)


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - _UNUSED_DAYS * _DAY_SECONDS
    for pattern in ("*.o", "*.unfinished"):
        for path in folder.glob(pattern):
            with suppress(OSError):
                if path.lstat().st_mtime < oldest:
                    path.unlink()


def _store(path: Path, made: bytes) -> None:
    """Writes a file that appears whole or not at all; a full disk does not matter."""
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.write_bytes(_sum(made) + made)
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()


def _sum(made: bytes) -> bytes:
    return hashlib.sha256(made).digest()


def _private_folder() -> Path | None:
    """The folder, made where it is missing; None where there is none that is private.

    `NUMBA_CACHE_DIR` names another place for it.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    for place in filter(None, (os.environ.get("NUMBA_CACHE_DIR"), *_PLACES)):
        folder = Path(place) / f"dehaze-edge-{user}"
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            if _is_private(folder, user):
                return folder
    return None


def _is_private(folder: Path, user: int) -> bool:
    status = folder.lstat()
    if os.name != "posix":  # where the temporary folder is the user's own
        return True
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == user
    return mine and not status.st_mode & 0o077


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Keeps other processes out; yields False where the lock cannot be had, or not in time."""
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError:  # a read-only or full disk
        yield False
        return
    try:
        yield _is_locked(lock)
    finally:
        os.close(lock)


def _is_locked(descriptor: int) -> bool:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            _lock(descriptor)
            return True
        except ImportError:  # neither Windows nor POSIX
            return False
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def _lock(descriptor: int) -> None:
    """Raises OSError where another process has the lock."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
