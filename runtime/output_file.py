"""Outputs appear whole or not at all: written beside their name, renamed when complete.

The bytes are on the disk (fsync) before the name appears, so that a power cut leaves no empty file
under it. The folder, with the new name, follows with the next file a second later or at the end: at
20 ms a call, both for each of many small pictures would double what they wait.

An unfinished file is called `.MACHINE-PID-RANDOM.part.SUFFIX`: hidden, told apart from those of
other processes and machines that write to the same folder, and short, for a name may be as long as
the file system allows. A run that is killed leaves it; the next one takes it away.

What a camera saw cannot be made again. Its unfinished file is called
`.MACHINE-PID-RANDOM.part.NAME.SUFFIX`, can be read up to where it ends, and becomes
`NAME-recovered.SUFFIX` instead of being taken away.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import functools
import itertools
import os
import re
import secrets
import socket
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError, one_line

__all__ = ["cache_folder", "finished_output", "flush_folders", "remove_leftovers"]

_UNFINISHED = re.compile(
    r"\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]+\.part((\.(?P<stem>.+))?\.[^.]*)?"
)
_IS_POSIX = os.name == "posix"
_STEM_BYTES = 180
"""Bytes of a recording's name; a name may have 255, and as many digits stand before it."""
_SYNCHRONIZE, _ACCESS_DENIED = 0x0010_0000, 5
"""Windows' right to wait for a process, and its error where that is not given."""
_open: set[Path] = set()
"""The files that this process is writing."""
_FLUSH_SECONDS = 1.0
_unflushed: set[Path] = set()
"""Folders with names that need not be on the disk yet."""
_flushed_at = float("-inf")
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1


@contextmanager
def finished_output(path: Path, *, overwrite: bool, is_recording: bool = False) -> Iterator[Path]:
    """Yields a temporary name in the folder of `path`; renames it at the end.

    When the block raises, the temporary file is removed and `path` stays as it was. The temporary
    name keeps the suffix, from which formats are chosen. A link stays a link, and a file that is
    written over keeps its permissions.

    Args:
        is_recording: it cannot be made again: where `path` has appeared meanwhile, the file
            becomes `NAME-recovered`, as after a crash; and where it cannot be renamed it stays.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, it is a device or pipe, which a
            rename would take away, or it cannot be written.
    """
    # Of os.path, for pathlib's own raise at names too long and at links that lead in a circle.
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114
    stem = f".{_shortened(path.stem)}" if is_recording else ""
    name = f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part{stem}{path.suffix}"
    unfinished = target.with_name(name)
    _open.add(unfinished)
    made = to_keep = False
    try:
        permissions = _checked_target(path, target, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        _create(unfinished)
        made = True
        if permissions is not None:
            with suppress(OSError):  # some file systems have none
                unfinished.chmod(permissions | 0o600)
        yield unfinished
        to_keep = is_recording
        try:
            _flush(unfinished, may_fail=is_recording)
            _rename(unfinished, target, overwrite=overwrite)
            _flush_folder_soon(target.parent)
        except FileExistsError as error:
            kept = f"; it is kept as {_recovered(unfinished, path.stem)}" if is_recording else ""
            raise OutputError(f"{path} has appeared during the run{kept}") from error
    except OSError as error:
        kept = f"; what was recorded is kept as {unfinished.name}" if to_keep else ""
        raise OutputError(f"{path}: cannot be written ({one_line(error)}){kept}") from error
    finally:
        if made and not to_keep:
            with suppress(OSError):
                unfinished.unlink()
        _open.discard(unfinished)


def _checked_target(path: Path, target: Path, overwrite: bool) -> int | None:
    """The permissions of a file that is to be replaced; None where there is none."""
    if not target.exists():
        return None
    if not overwrite:
        raise OutputError(f"{path} exists; name another output or use --overwrite")
    if not target.is_file():
        raise OutputError(f"{path}: expected a file to write, got a folder, device or pipe")
    permissions = stat.S_IMODE(target.stat().st_mode)
    if not permissions & 0o222:
        raise OutputError(f"{path}: cannot be written (it is read-only); name another output")
    return permissions


def _create(path: Path) -> None:
    """Makes an empty file; never follows a link that somebody has put there."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | no_link, 0o666))


def _rename(unfinished: Path, target: Path, *, overwrite: bool) -> None:
    """Raises FileExistsError where the target is there and `overwrite` is not set."""
    if overwrite:
        unfinished.replace(target)
        return
    try:
        os.link(unfinished, target)  # unlike a rename it replaces nothing
    except FileExistsError:
        raise
    except (OSError, AttributeError):  # a file system, or a Python (Android's), without hard links
        if _renamed_to_new(unfinished, target):
            return
        if target.exists():
            raise FileExistsError(target) from None
        unfinished.replace(target)
    else:
        with suppress(OSError):  # the next run takes it away
            unfinished.unlink()


def _renamed_to_new(unfinished: Path, target: Path) -> bool:
    """Renames by renameat2, which replaces nothing; False where kernel or file system lack it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _IS_POSIX else None
    if rename is None:
        return False
    names = os.fsencode(unfinished), os.fsencode(target)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number))  # FileExistsError by its number


def _flush(path: Path, *, may_fail: bool) -> None:
    """Returns when the file's bytes are on the disk."""
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    except OSError as error:
        cannot = error.errno in (errno.EINVAL, errno.ENOTSUP)  # some file systems
        if not (cannot or may_fail):
            raise
    finally:
        os.close(file)


def _flush_folder_soon(folder: Path) -> None:
    """Flushes the folder's names now, or with those of the next files and at the end."""
    _unflushed.add(folder)
    if time.monotonic() - _flushed_at >= _FLUSH_SECONDS:
        flush_folders()


@atexit.register
def flush_folders() -> None:
    """Returns when the names of all files that were finished are on the disk."""
    global _flushed_at  # one for the process, as the folders are
    _flushed_at = time.monotonic()
    while _unflushed:
        with suppress(OSError):  # gone meanwhile; or folders cannot be opened, as on Windows
            folder = os.open(_unflushed.pop(), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def remove_leftovers(folder: Path) -> list[Path]:
    """Removes the unfinished files in `folder` whose process is dead.

    Files of another machine stay: whether their process lives cannot be known from here.

    Returns:
        What recordings of a camera became: they are kept as `NAME-recovered`, unless empty.
    """
    kept = []
    with suppress(OSError), os.scandir(folder) as entries:  # no folder, no leftovers
        for entry in sorted(entries, key=lambda entry: entry.name):
            found = _UNFINISHED.fullmatch(entry.name)
            if found is None or found["machine"] != _machine():
                continue
            path, pid = Path(entry.path), int(found["pid"])
            # A container's process has the number of the one killed before it.
            ours = pid == os.getpid()
            if path in _open if ours else _is_alive(pid):
                continue
            with suppress(OSError):
                stem, size = found["stem"], entry.stat(follow_symlinks=False).st_size
                if stem and size and not _is_finished(path, stem):
                    kept.append(_recovered(path, stem))
                else:
                    path.unlink()
    return kept


def _is_finished(unfinished: Path, stem: str) -> bool:
    """Returns whether the file has its name, too: the last run got so far, but not further."""
    try:
        return unfinished.samefile(unfinished.with_name(f"{stem}{unfinished.suffix}"))
    except OSError:
        return False


def _recovered(unfinished: Path, stem: str) -> Path:
    """Renames what a camera saw to NAME-recovered, with a number where that is taken."""
    for number in itertools.count(1):
        again = f"-{number}" if number > 1 else ""
        name = f"{_shortened(stem)}-recovered{again}{unfinished.suffix}"
        with suppress(FileExistsError):
            _rename(unfinished, unfinished.with_name(name), overwrite=False)
            return unfinished.with_name(name)
    raise AssertionError("there is always another number")


def _shortened(stem: str) -> str:
    return os.fsdecode(os.fsencode(stem)[:_STEM_BYTES])


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _is_alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
    process = kernel.OpenProcess(_SYNCHRONIZE, False, pid)
    if not process:  # no such process, or one of somebody else
        return bool(ctypes.get_last_error() == _ACCESS_DENIED)  # type: ignore[attr-defined,unused-ignore]
    ended = kernel.WaitForSingleObject(process, 0) == 0
    kernel.CloseHandle(process)
    return not ended


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits for what gives process numbers their meaning: machine, container.

    Clones of one image share the host's name; their network cards have different addresses.
    """
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/etc/machine-id").read_text().strip())
    for card in sorted(Path("/sys/class/net").glob("*/address")):
        with suppress(OSError):
            if (card.parent / "device").exists():  # no bridge or tunnel, which come and go
                known.append(card.read_text().strip())
    with suppress(OSError):
        known.append(str(os.stat("/proc/self/ns/pid").st_ino))  # noqa: PTH116  # leads nowhere
    return f"{zlib.crc32(' '.join(known).encode()):08x}"


def cache_folder() -> Path:
    """The user's folder for what can be made again: engines, measurements."""
    base = os.environ.get("XDG_CACHE_HOME", "")  # by its specification an absolute path
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "dehaze-edge"  # noqa: PTH117  # of text
