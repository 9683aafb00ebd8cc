"""Reads pictures in a process of its own: a decoder that crashes costs one file, not the batch.

The process is no jail: what took it over could do what its user can. It is bounded in memory and in
time, and begins anew behind a crash.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import DehazeError, InputError, one_line
from .headers.picture_header import MAXIMUM_PIXELS, AnnouncedSize, announced_size
from .limits import address_space_bytes, bytes_for_picture
from .notices import Notices
from .picture_content import picture_content
from .pictures import Picture, decoded_picture

__all__ = ["PictureProcess"]

_SPARE_BYTES = 2**30
"""Memory that a decoder may take above what its picture needs."""
_SECONDS = 120
"""Processor time for a picture, far above the largest of 16384x16384."""
_PIPE_BYTES = 2**20
_LENGTH = struct.Struct("<Q")
_WHY = {
    "SIGXCPU": f"it took more than {_SECONDS} s",
    "SIGKILL": "it was killed, perhaps for the memory that it took",
}


class PictureProcess:
    """Reads one picture after the other, in a process that begins with `start` or the first one.

    A context manager.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begins the process, which needs 0.3 s before it can read.

        Raises:
            DehazeError: the system has no room for another process.
        """
        # Not -m, which would look for modules in the working folder, where strangers' files lie.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import read_on_demand; read_on_demand()"
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libpng and libtiff say of damage
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the one who waits for the answer
            )
        except OSError as error:
            raise DehazeError(
                f"the process that reads pictures cannot be started ({one_line(error)})"
            ) from error
        _widen(self._process.stdout)

    def read(self, path: Path, notices: Notices) -> Picture:
        """As `pictures.read_picture`.

        Raises:
            InputError: also for a picture at which the decoder crashes, or never ends.
            MemoryError: the picture needs more than there is.
        """
        if self._process is None or self._process.poll() is not None:  # killed between two
            self.close()
            self.start()
        assert self._process and self._process.stdin and self._process.stdout
        try:
            name = os.fsencode(path)
            _write(self._process.stdin, _LENGTH.pack(len(name)), name)
            answer = _received(self._process.stdout)
        except (EOFError, OSError) as error:
            raise InputError(f"{path}: {self._end()}") from error
        if isinstance(answer, BaseException):
            raise answer
        picture, said = answer
        for words in said:
            notices.add(words)
        return picture  # type: ignore[no-any-return]

    def _end(self) -> str:
        """Says how the process ended."""
        process, self._process = self._process, None
        assert process is not None
        code = process.wait()
        _close_pipes(process)
        if code >= 0:
            return f"the process that reads pictures ended at this file (exit code {code})"
        name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
        return (
            f"the decoder was ended by this file ({_WHY.get(name, name)}); it is damaged or made "
            f"for that, the others are not concerned"
        )

    def close(self) -> None:
        """Ends the process, whatever it does."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            _close_pipes(process)

    def __enter__(self) -> PictureProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe:
                pipe.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes a pipe wider than its 64 KiB, where the system can."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert pipe is not None
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _write(pipe: IO[bytes], *parts: Any) -> None:
    for part in parts:
        rest = memoryview(part).cast("B")
        while rest:
            rest = rest[pipe.write(rest) :]


def _filled(pipe: IO[bytes], length: int) -> memoryview:
    room = np.empty(length, np.uint8).data  # not a bytearray, which is filled with zeros
    rest = room
    while rest:
        count = pipe.readinto(rest)  # type: ignore[attr-defined]  # of a pipe without a buffer
        if not count:
            raise EOFError
        rest = rest[count:]
    return room


def _send(pipe: IO[bytes], answer: Any) -> None:
    """Pickles an answer; arrays go as they are, without another copy."""
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(answer, protocol=5, buffer_callback=arrays.append)
    parts = [body, *(array.raw() for array in arrays)]
    _write(pipe, _LENGTH.pack(len(parts)))
    for part in parts:
        _write(pipe, _LENGTH.pack(len(part)), part)


def _received(pipe: IO[bytes]) -> Any:
    def number() -> int:
        value: int = _LENGTH.unpack(_filled(pipe, _LENGTH.size))[0]
        return value

    body, *arrays = [_filled(pipe, number()) for _ in range(number())]
    return pickle.loads(body, buffers=arrays)


def read_on_demand() -> None:
    """What the process does: reads the pictures whose names come in, until nobody asks any more."""
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library may print
    with suppress(OSError):  # where memory runs out the kernel is to end this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(EOFError, OSError):
        while True:
            length = _LENGTH.unpack(_filled(requests, _LENGTH.size))[0]
            _send(answers, _answer(Path(os.fsdecode(bytes(_filled(requests, length))))))


def _answer(path: Path) -> tuple[Picture, list[str]] | Exception:
    notices = Notices()
    _limit_memory(None)
    try:
        data = picture_content(path)
        size = announced_size(data) or AnnouncedSize(MAXIMUM_PIXELS, 1)
        _limit_memory(bytes_for_picture(size.pixels, size.bytes_per_pixel) + _SPARE_BYTES)
        _limit_seconds()
        return decoded_picture(path, data, notices), list(notices)
    except InputError as error:
        return InputError(str(error))
    except MemoryError:
        return MemoryError()
    except Exception as error:
        # The name of the file is put before it, as before all that a file's steps raise.
        return InputError(f"this file cannot be read ({type(error).__name__}: {one_line(error)})")


def _limit_memory(more: int | None) -> None:
    """Lets this process take so many bytes of addresses more; None lifts the limit."""
    with suppress(ImportError, OSError, ValueError):  # not on Windows, not every system keeps to it
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = hard if more is None else address_space_bytes() + more
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _limit_seconds() -> None:
    """Lets this process work for so many seconds more."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        limit = round(used.ru_utime + used.ru_stime) + _SECONDS
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))
