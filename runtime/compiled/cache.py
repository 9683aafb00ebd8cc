"""The private folder of compiled code.

What lies in numba's cache is unpickled and run, so nobody else may write there: a folder of the
user's own with mode 0700. It does not depend on the home, which a service may not have, nor on the
working folder. A checksum finds what a power cut has damaged, and a lock keeps processes apart.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Cache", "cache_folder", "locked_cache"]

_PLACES = ("/var/tmp", "/tmp") if os.name == "posix" else (tempfile.gettempdir(),)
"""The first one outlives a restart."""
_LOCK, _SUMS = "lock", "sums"
_WAIT_SECONDS = 30.0
"""For another process that compiles; then this one does it alone, without the cache."""


class Cache:
    """The folder while no other process uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def empty(self) -> None:
        """Removes everything that was compiled."""
        for path in self.folder.iterdir():
            if path.name == _LOCK:
                continue
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def is_whole(self) -> bool:
        """Whether every file is as it was when it was stored."""
        with suppress(OSError):
            return (self.folder / _SUMS).read_text() == self._sums()
        return False

    def seal(self) -> None:
        """Notes the checksums of all files."""
        with suppress(OSError):
            (self.folder / _SUMS).write_text(self._sums())

    def _sums(self) -> str:
        files = sorted(path for path in self.folder.rglob("*.nb?") if path.is_file())
        return "".join(f"{zlib.crc32(path.read_bytes()):08x} {path.name}\n" for path in files)


def cache_folder() -> Path | None:
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
def locked_cache() -> Iterator[Cache | None]:
    """The cache, kept from other processes; None where there is none, or it stays locked."""
    folder = cache_folder()
    lock = _locked(folder / _LOCK) if folder else None
    if folder is None or lock is None:
        yield None
        return
    cache = Cache(folder)
    try:
        if not cache.is_whole():
            cache.empty()
        yield cache
        cache.seal()
    finally:
        os.close(lock)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed; None where it cannot be had in time."""
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)  # Windows has neither
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError:  # a read-only or full disk
        return None
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            _lock(lock)
            return lock
        except ImportError:  # neither Windows nor POSIX
            os.close(lock)
            return None
        except OSError:
            if time.monotonic() > deadline:
                os.close(lock)
                return None
            time.sleep(0.05)


def _lock(descriptor: int) -> None:
    """Raises OSError where another process has the lock."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
