"""CUDA through pycuda; its names were read in the sources of 2026.1, which nobody here could build.

It has no stream capture, so no CUDA graphs: every frame is enqueued anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ..errors import ModelError, one_line
from .api import Event, Graph, HostMemory, Stream

__all__ = ["PyCuda"]

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h, for which pycuda has no name."""


class PyCuda:
    """The CUDA driver API, in the context that TensorRT uses, too.

    Raises:
        ImportError: pycuda is not installed.
        ModelError: no GPU.
    """

    has_graphs = False

    def __init__(self) -> None:
        import pycuda
        from pycuda import driver

        self._driver: Any = driver
        self.name = f"pycuda {pycuda.VERSION_TEXT}"
        self._call(driver.init)
        device = self._call(driver.Device, 0)
        integrated = driver.device_attribute.INTEGRATED
        self.integrated = bool(self._call(device.get_attribute, integrated))
        self._context = self._call(device.retain_primary_context)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function; turns pycuda's errors into a ModelError."""
        try:
            return function(*arguments)
        except self._driver.Error as error:
            raise ModelError(f"CUDA says: {one_line(error)[:200]}") from error

    @contextmanager
    def current(self) -> Iterator[None]:
        self._call(self._context.push)
        try:
            yield
        finally:
            self._call(self._context.pop)

    def host_memory(self, size: int, owner: ExitStack) -> HostMemory:
        mapped = self._driver.host_alloc_flags.DEVICEMAP
        array = self._call(self._driver.pagelocked_empty, size, np.uint8, "C", mapped)
        owner.callback(self._call, array.base.free)
        return HostMemory(array, int(self._call(array.base.get_device_pointer)))

    def device_memory(self, size: int, owner: ExitStack) -> int:
        allocation = self._call(self._driver.mem_alloc, size)
        owner.callback(self._call, allocation.free)
        return int(allocation)

    def stream(self, owner: ExitStack) -> Stream:  # noqa: ARG002  # freed with its last reference
        return self._call(self._driver.Stream, _NON_BLOCKING)

    def stream_handle(self, stream: Stream) -> int:
        return int(stream.handle)

    def event(self, owner: ExitStack) -> Event:  # noqa: ARG002  # freed with its last reference
        return self._call(self._driver.Event)

    def upload(self, device_address: int, source: HostMemory, stream: Stream) -> None:
        self._call(self._driver.memcpy_htod_async, device_address, source.content, stream)

    def download(self, target: HostMemory, device_address: int, stream: Stream) -> None:
        self._call(self._driver.memcpy_dtoh_async, target.content, device_address, stream)

    def record(self, event: Event, stream: Stream) -> None:
        self._call(event.record, stream)

    def wait(self, stream: Stream, event: Event) -> None:
        self._call(stream.wait_for_event, event)

    def synchronize(self, event: Event) -> None:
        self._call(event.synchronize)

    def elapsed_ms(self, start: Event, end: Event) -> float:
        return float(self._call(end.time_since, start))

    def capture(  # nobody calls it where `has_graphs` is False
        self,
        stream: Stream,  # noqa: ARG002
        enqueue: Callable[[], None],  # noqa: ARG002
        owner: ExitStack,  # noqa: ARG002
    ) -> Graph:
        raise ModelError("pycuda cannot capture CUDA graphs; `pip install cuda-python` can")

    def launch(self, graph: Graph, stream: Stream) -> None:  # noqa: ARG002  # as above
        raise ModelError("pycuda cannot launch CUDA graphs; `pip install cuda-python` can")
