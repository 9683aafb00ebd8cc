"""Outputs appear whole or not at all: written beside their name, renamed when complete.

An unfinished file is called `.MACHINE-PID-NUMBER.part.SUFFIX`: hidden, told apart from those of
other processes and machines that write to the same folder, and short, for a name may be as long as
the file system allows. A run that is killed leaves it; the next one takes it away.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import socket
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError, one_line

__all__ = ["finished_output", "remove_leftovers"]

_UNFINISHED = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.part(\.[^.]*)?")
_numbers = itertools.count()
_open: set[Path] = set()
"""The files that this process is writing."""


@contextmanager
def finished_output(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary name in the folder of `path`; renames it at the end.

    When the block raises, the temporary file is removed and `path` stays as it was. The temporary
    name keeps the suffix, from which formats are chosen. A link stays a link, and a file that is
    written over keeps its permissions.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, it is a device or pipe, which a
            rename would take away, or it cannot be written.
    """
    name = f".{_machine()}-{os.getpid()}-{next(_numbers)}.part{path.suffix}"
    # Of os.path, for pathlib's own raise at names too long and at links that lead in a circle.
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114
    unfinished = target.with_name(name)
    _open.add(unfinished)
    try:
        there = target.exists()
        if there and not overwrite:
            raise OutputError(f"{path} exists; name another output or use --overwrite")
        if there and not target.is_file():
            raise OutputError(f"{path}: expected a file to write, got a folder, device or pipe")
        permissions = stat.S_IMODE(target.stat().st_mode) if there else None
        if permissions is not None and not permissions & 0o222:
            raise OutputError(f"{path}: cannot be written (it is read-only); name another output")
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        if permissions is not None:
            with suppress(OSError):  # some file systems have none
                unfinished.chmod(permissions | 0o600)
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({one_line(error)})") from error
    finally:
        with suppress(OSError):  # such as a folder that is a file: nothing was made there
            unfinished.unlink()
        _open.discard(unfinished)


def remove_leftovers(folder: Path) -> int:
    """Removes the unfinished files in `folder` whose process is dead; returns how many.

    Files of another machine stay: whether their process lives cannot be known from here.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:  # no folder, no leftovers
        for entry in entries:
            found = _UNFINISHED.fullmatch(entry.name)
            if found is None or found["machine"] != _machine():
                continue
            path, pid = Path(entry.path), int(found["pid"])
            # A container's process has the number of the one killed before it.
            ours = pid == os.getpid()
            if path not in _open if ours else not _is_alive(pid):
                with suppress(OSError):
                    path.unlink()
                    removed += 1
    return removed


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for what gives process numbers their meaning: machine, container."""
    namespace = 0
    with suppress(OSError):
        namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116  # a link that leads nowhere
    return f"{zlib.crc32(f'{socket.gethostname()} {namespace}'.encode()):08x}"
