"""CUDA through cuda-python, NVIDIA's own binding; 12.9 and 13 have the names used here.

Its driver API, not the runtime API, whose library is linked into the wheel: on JetPack 6 the
wheels for aarch64 are those of servers, and only the driver is sure to be the machine's own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ..errors import ModelError, one_line
from .api import Event, Graph, HostMemory, Stream

__all__ = ["CudaPython"]

_DEVICE = 0
"""The first GPU; CUDA_VISIBLE_DEVICES chooses another."""


class CudaPython:
    """The CUDA driver API, in the context that TensorRT uses, too.

    Raises:
        ImportError: cuda-python is not installed.
        ModelError: no GPU.
    """

    has_graphs = True

    def __init__(self) -> None:
        from cuda import bindings
        from cuda.bindings import driver

        self._driver: Any = driver
        self.name = f"cuda-python {bindings.__version__}"
        self._call(driver.cuInit, 0)
        device = self._call(driver.cuDeviceGet, _DEVICE)
        integrated = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_INTEGRATED
        self.integrated = bool(self._call(driver.cuDeviceGetAttribute, integrated, device))
        # Kept until the process ends: TensorRT's objects live in it.
        self._context = self._call(driver.cuDevicePrimaryCtxRetain, device)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function; turns an error code other than 0 into a ModelError."""
        try:
            code, *values = function(*arguments)
        except RuntimeError as error:  # no driver, or one that is older than the function
            raise ModelError(f"CUDA's {function.__name__}: {one_line(error)[:200]}") from error
        if int(code) != 0:
            _, words = self._driver.cuGetErrorString(code)
            reason = (words or b"unknown error").decode(errors="replace")
            raise ModelError(f"CUDA's {function.__name__} says {int(code)}, {reason}")
        return values[0] if values else None

    @contextmanager
    def current(self) -> Iterator[None]:
        self._call(self._driver.cuCtxPushCurrent, self._context)
        try:
            yield
        finally:
            self._call(self._driver.cuCtxPopCurrent)

    def host_memory(self, size: int, owner: ExitStack) -> HostMemory:
        driver = self._driver
        address = self._call(driver.cuMemHostAlloc, size, driver.CU_MEMHOSTALLOC_DEVICEMAP)
        owner.callback(self._call, driver.cuMemFreeHost, address)
        content = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(address)))
        device_address = self._call(driver.cuMemHostGetDevicePointer, address, 0)
        return HostMemory(content, int(device_address))

    def device_memory(self, size: int, owner: ExitStack) -> int:
        address = self._call(self._driver.cuMemAlloc, size)
        owner.callback(self._call, self._driver.cuMemFree, address)
        return int(address)

    def stream(self, owner: ExitStack) -> Stream:
        flags = self._driver.CUstream_flags.CU_STREAM_NON_BLOCKING
        stream = self._call(self._driver.cuStreamCreate, int(flags))
        owner.callback(self._call, self._driver.cuStreamDestroy, stream)
        return stream

    def stream_handle(self, stream: Stream) -> int:
        return int(stream)

    def event(self, owner: ExitStack) -> Event:
        flags = self._driver.CUevent_flags.CU_EVENT_DEFAULT  # with its time
        event = self._call(self._driver.cuEventCreate, int(flags))
        owner.callback(self._call, self._driver.cuEventDestroy, event)
        return event

    def upload(self, device_address: int, source: HostMemory, stream: Stream) -> None:
        content = source.content
        copy = self._driver.cuMemcpyHtoDAsync
        self._call(copy, device_address, content.ctypes.data, content.nbytes, stream)

    def download(self, target: HostMemory, device_address: int, stream: Stream) -> None:
        content = target.content
        copy = self._driver.cuMemcpyDtoHAsync
        self._call(copy, content.ctypes.data, device_address, content.nbytes, stream)

    def record(self, event: Event, stream: Stream) -> None:
        self._call(self._driver.cuEventRecord, event, stream)

    def wait(self, stream: Stream, event: Event) -> None:
        self._call(self._driver.cuStreamWaitEvent, stream, event, 0)

    def synchronize(self, event: Event) -> None:
        self._call(self._driver.cuEventSynchronize, event)

    def elapsed_ms(self, start: Event, end: Event) -> float:
        return float(self._call(self._driver.cuEventElapsedTime, start, end))

    def capture(self, stream: Stream, enqueue: Callable[[], None], owner: ExitStack) -> Graph:
        driver = self._driver
        # Of this thread alone: others may allocate meanwhile.
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call(driver.cuStreamBeginCapture, stream, mode)
        try:
            enqueue()
        except BaseException:
            driver.cuStreamEndCapture(stream)  # the stream must leave the mode, whatever it says
            raise
        recorded = self._call(driver.cuStreamEndCapture, stream)
        try:
            graph = self._call(driver.cuGraphInstantiate, recorded, 0)
        finally:
            self._call(driver.cuGraphDestroy, recorded)
        owner.callback(self._call, driver.cuGraphExecDestroy, graph)
        return graph

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._call(self._driver.cuGraphLaunch, graph, stream)
