"""The part of CUDA that the TensorRT backend needs: memory, streams, events and graphs.

    pycuda        `cuda_pycuda.py`: builds from source; has no API to capture CUDA graphs (2026.1)
    cuda-python   `cuda_python.py`: wheels for x86-64 and aarch64; all of it

Whatever a binding reports as an error becomes a ModelError with the driver's words. Neither was
run on a GPU yet: names are checked against the packages, behaviour against a fake.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cuda", "CudaBinding", "Event", "Graph", "HostMemory", "Stream"]

CudaBinding: TypeAlias = Literal["auto", "pycuda", "cuda-python"]
"""`auto`: pycuda, or cuda-python where pycuda is not installed."""

# As the binding has them; only it looks inside.
Stream: TypeAlias = Any
Event: TypeAlias = Any
Graph: TypeAlias = Any


@dataclass(frozen=True)
class HostMemory:
    """Page-locked memory of the host, which the GPU reaches, too."""

    content: NDArray[np.uint8]
    """(size,) uint8."""
    device_address: int
    """The address at which the GPU sees the same bytes."""


class Cuda(Protocol):
    """The first GPU. `owner` frees what is made when it closes, the newest first."""

    name: str
    """`cuda-python 13.5.0`, for people."""
    integrated: bool
    """True if the GPU shares the host's memory, as on a Jetson: then nothing needs a copy."""
    has_graphs: bool
    """True if `capture` and `launch` work."""

    def current(self) -> AbstractContextManager[None]:
        """Makes the device current in this thread; every other call must happen inside."""
        ...

    def host_memory(self, size: int, owner: ExitStack) -> HostMemory:
        """Allocates `size` bytes, page-locked and mapped.

        Not managed memory: on a Jetson the CPU may not touch that while any kernel runs, and here
        it fills the next frame meanwhile.
        """
        ...

    def device_memory(self, size: int, owner: ExitStack) -> int:
        """Allocates `size` bytes of the GPU's own memory; returns their address."""
        ...

    def stream(self, owner: ExitStack) -> Stream:
        """Makes a queue that the default stream does not hold up."""
        ...

    def stream_handle(self, stream: Stream) -> int:
        """The address that TensorRT takes."""
        ...

    def event(self, owner: ExitStack) -> Event:
        """Makes an event: a mark in a stream, with its time."""
        ...

    def upload(self, device_address: int, source: HostMemory, stream: Stream) -> None:
        """Queues a copy of all of `source`."""
        ...

    def download(self, target: HostMemory, device_address: int, stream: Stream) -> None:
        """Queues a copy that fills `target`."""
        ...

    def record(self, event: Event, stream: Stream) -> None:
        """Queues the event behind what is in the stream."""
        ...

    def wait(self, stream: Stream, event: Event) -> None:
        """Makes whatever is queued later in `stream` wait for the event; the caller does not."""
        ...

    def synchronize(self, event: Event) -> None:
        """Waits for the event."""
        ...

    def elapsed_ms(self, start: Event, end: Event) -> float:
        """The milliseconds between two events that have happened."""
        ...

    def capture(self, stream: Stream, enqueue: Callable[[], None], owner: ExitStack) -> Graph:
        """Records what `enqueue` puts into the stream as a graph; nothing of it runs yet."""
        ...

    def launch(self, graph: Graph, stream: Stream) -> None:
        """Queues a graph."""
        ...
