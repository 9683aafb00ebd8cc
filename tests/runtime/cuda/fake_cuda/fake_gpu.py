"""A fake GPU, behind the fakes of cuda-python, pycuda and TensorRT.

Its memory is numpy's. Its streams are as late as CUDA allows: an operation runs only when somebody
waits for an event behind it, and then nothing that the event does not depend on. So a missing wait
or a buffer that is filled again too early gives a wrong picture. A clock counts what would take
how long, as early as CUDA allows: `log` has the start and end of every operation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DURATIONS_MS = {"upload": 1.0, "compute": 3.0, "download": 1.0}
now_ms = 0.0
"""The host's clock; the host waits for events and takes no time otherwise."""
integrated = False
log: list[Operation] = []
captures = 0
fail: dict[str, int] = {}
"""Error codes of functions that shall fail, by their name."""


@dataclass
class Operation:
    what: str
    run: Callable[[], None] = lambda: None
    waits_for: Operation | None = None
    stream: Stream | None = None
    start_ms: float = 0.0
    end_ms: float = 0.0
    is_done: bool = False


@dataclass(eq=False)
class Stream:
    handle: int
    queue: deque[Operation] = field(default_factory=deque)
    free_ms: float = 0.0
    captured: list[Operation] | None = None

    def enqueue(self, operation: Operation) -> None:
        if self.captured is not None:
            self.captured.append(operation)
            return
        operation.stream = self
        operation.start_ms = max(now_ms, self.free_ms)
        if operation.waits_for is not None:
            operation.start_ms = max(operation.start_ms, operation.waits_for.end_ms)
        operation.end_ms = operation.start_ms + DURATIONS_MS.get(operation.what, 0.0)
        self.free_ms = operation.end_ms
        self.queue.append(operation)
        if operation.what in DURATIONS_MS:
            log.append(operation)

    def run_until(self, last: Operation) -> None:
        while not last.is_done:
            operation = self.queue.popleft()
            if operation.waits_for is not None and not operation.waits_for.is_done:
                operation.waits_for.stream.run_until(operation.waits_for)
            operation.run()
            operation.is_done = True


@dataclass(eq=False)
class Event:
    recorded: Operation | None = None

    def synchronize(self) -> None:
        global now_ms
        if self.recorded is not None:  # CUDA: an event that was never recorded has happened
            self.recorded.stream.run_until(self.recorded)
            now_ms = max(now_ms, self.recorded.end_ms)


memory: dict[int, NDArray[np.uint8]] = {}
"""The memory of the host and of the GPU, by address."""
objects: dict[int, Stream | Event | list[Operation]] = {}
"""Streams, events and graphs by handle, where a binding frees them by name."""


def reset() -> None:
    global now_ms, integrated, captures
    now_ms, integrated, captures = 0.0, False, 0
    for kept in (log, fail, memory, objects):
        kept.clear()


def allocate(size: int) -> int:
    content = np.full(size, 77, np.uint8)  # what was there before
    memory[content.ctypes.data] = content
    return content.ctypes.data


def free(address: int) -> None:
    memory.pop(address).fill(13)


def new_object(value: Stream | Event | list[Operation]) -> int:
    handle = 1000 + len(objects) + captures
    while handle in objects:
        handle += 1
    objects[handle] = value
    if isinstance(value, Stream):
        value.handle = handle
    return handle


def copy(what: str, target: int, source: int, size: int, stream: Stream) -> None:
    def run() -> None:
        memory[target][:size] = memory[source][:size]

    assert len(memory[target]) >= size <= len(memory[source])
    stream.enqueue(Operation(what, run))


def record(event: Event, stream: Stream) -> None:
    event.recorded = Operation("record")
    stream.enqueue(event.recorded)


def wait(stream: Stream, event: Event) -> None:
    stream.enqueue(Operation("wait", waits_for=event.recorded))


def elapsed_ms(start: Event, end: Event) -> float:
    assert start.recorded is not None and end.recorded is not None
    assert start.recorded.is_done and end.recorded.is_done
    return end.recorded.end_ms - start.recorded.end_ms


def launch(graph: list[Operation], stream: Stream) -> None:
    for operation in graph:
        stream.enqueue(Operation(operation.what, operation.run))


def values(address: int, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    """The values at an address; KeyError where it was freed."""
    count = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
    return memory[address][:count].view(dtype).reshape(shape)
