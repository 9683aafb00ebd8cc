"""Reads pictures in a process of its own: a decoder that crashes costs one file, not the batch.

The process is bounded in memory and in time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..isolated.process import IsolatedProcess, be_quiet, limit_seconds, serve
from .headers.picture_header import MAXIMUM_PIXELS, AnnouncedSize, announced_size
from .limits import address_space_bytes, bytes_for_picture
from .notices import Notices
from .picture_content import picture_content
from .pictures import Picture, decoded_picture

__all__ = ["PictureProcess", "serve_tasks"]

_SPARE_BYTES = 2**30
"""Memory that a decoder may take above what its picture needs."""
_SECONDS = 120
"""Processor time for a picture, far above the largest of 16384x16384."""


class PictureProcess(IsolatedProcess):
    """Reads one picture after the other, in a process that begins with `start` or the first one.

    A context manager. The process needs 0.3 s before it can read.
    """

    def __init__(self) -> None:
        super().__init__(__name__, "reads pictures")

    def read(self, path: Path, notices: Notices) -> Picture:
        """As `pictures.read_picture`.

        Raises:
            InputError: also for a picture at which the decoder crashes, or never ends.
            MemoryError: the picture needs more than there is.
        """
        if not self.is_running:  # or killed between two
            self.start()
        try:
            picture, said = self.ask(path)
        except InputError as error:
            named = str(path) in str(error)
            raise InputError(str(error) if named else f"{path}: {error}") from error
        for words in said:
            notices.add(words)
        return picture  # type: ignore[no-any-return]


def serve_tasks() -> None:
    """What the process does: reads the pictures whose names come in."""
    be_quiet()
    serve(_read)


def _read(path: Path, tell: Callable[[Any], None]) -> tuple[Picture, list[str]]:  # noqa: ARG001  # an Answer
    notices = Notices()
    _limit_memory(None)
    data = picture_content(path)
    size = announced_size(data) or AnnouncedSize(MAXIMUM_PIXELS, 1)
    _limit_memory(bytes_for_picture(size.pixels, size.bytes_per_pixel) + _SPARE_BYTES)
    limit_seconds(_SECONDS)
    return decoded_picture(path, data, notices), list(notices)


def _limit_memory(more: int | None) -> None:
    """Lets this process take so many bytes of addresses more; None lifts the limit."""
    with suppress(ImportError, OSError, ValueError):  # not on Windows, not every system keeps to it
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = hard if more is None else address_space_bytes() + more
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
