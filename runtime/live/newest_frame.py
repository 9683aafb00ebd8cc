"""Iterates over the newest items alone, so that latency stays at one frame behind a slow model."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["NewestFrame"]

T = TypeVar("T")
_POLL_SECONDS = 0.1
_LEAVE_SECONDS = 1.0
"""Seconds to wait for a source that hangs in a driver or a socket before leaving it behind."""


class NewestFrame(Generic[T]):
    """Iterates `source` in a thread of its own; an item that nobody took in time is dropped.

    An error of the source is raised where the items are taken, after the last one. Setting `stop`
    ends the iteration at once, also while the source hangs.
    """

    def __init__(self, source: Iterable[T], stop: threading.Event) -> None:
        self.dropped = 0
        self._source = source
        self._stop = stop
        self._changed = threading.Condition()
        self._item: T | None = None
        self._ended = False
        self._error: BaseException | None = None
        # A daemon: a driver that never answers must not keep the program from ending.
        self._thread = threading.Thread(target=self._produce, name="capture", daemon=True)

    def _produce(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if self._stop.is_set():
                    break
                with self._changed:
                    self.dropped += self._item is not None
                    self._item = item
                    self._changed.notify()
        except BaseException as raised:
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify()

    def __iter__(self) -> Iterator[T]:
        while not self._stop.is_set():
            with self._changed:
                if self._item is None and not self._ended:
                    self._changed.wait(_POLL_SECONDS)
                item, self._item = self._item, None
                ended, error = self._ended, self._error
            if item is not None:
                yield item
            elif error is not None:
                raise error
            elif ended:
                return

    def __enter__(self) -> NewestFrame[T]:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(_LEAVE_SECONDS)
