"""An iterator that works ahead in a thread: how decoding, inference and encoding overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Prefetch"]

T = TypeVar("T")
_POLL_SECONDS = 0.1
"""Seconds after which a blocked producer notices that its consumer has gone."""


class _End:
    """Marks the end of the items, and carries the error that ended them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[T]):
    """Iterates `source` in a thread of its own, at most `depth` items ahead.

    An error of the source is raised where the items are taken. Leaving the `with` block stops the
    thread, also when items are left, and waits until it is gone.
    """

    def __init__(self, source: Iterable[T], depth: int = 4) -> None:
        self._source = source
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._produce, daemon=True)

    def _produce(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                self._put(item)
                if self._stopped.is_set():
                    break
        except BaseException as raised:
            error = raised
        self._put(_End(error))

    def _put(self, item: T | _End) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._stopped.is_set():
                    return
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def __enter__(self) -> Prefetch[T]:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()
