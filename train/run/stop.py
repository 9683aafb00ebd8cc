"""Stops a run between two steps, so that nothing of it is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Notes that the user or the system asked to stop."""

    def __init__(self) -> None:
        self.made = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.made:  # the second time: at once
            signal.default_int_handler(number, frame)
        self.made = True


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turns Ctrl-C and SIGTERM into a request that the loop reads after each step."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {n: signal.signal(n, request._receive) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
