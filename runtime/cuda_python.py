"""CUDA through cuda-python, NVIDIA's own binding; 12.9 and 13 have the names used here."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import numpy as np

from .cuda_memory import Event, Graph, HostMemory, Stream
from .errors import ModelError

__all__ = ["CudaPython"]

_DEVICE = 0
"""The first GPU; CUDA_VISIBLE_DEVICES chooses another."""


class CudaPython:
    """The CUDA runtime API, whose context every thread has by itself.

    Raises:
        ImportError: cuda-python is not installed.
        ModelError: no GPU.
    """

    has_graphs = True

    def __init__(self) -> None:
        from cuda import bindings
        from cuda.bindings import runtime

        self._runtime: Any = runtime
        self.name = f"cuda-python {bindings.__version__}"
        integrated = runtime.cudaDeviceAttr.cudaDevAttrIntegrated
        self.integrated = bool(self._call(runtime.cudaDeviceGetAttribute, integrated, _DEVICE))

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The function's value; ModelError where its error code is not 0."""
        code, *values = function(*arguments)
        if int(code) != 0:
            _, words = self._runtime.cudaGetErrorString(code)
            raise ModelError(f"CUDA's {function.__name__} says {int(code)}, {words.decode()}")
        return values[0] if values else None

    def current(self) -> AbstractContextManager[None]:
        return nullcontext()

    def host_memory(self, size: int, owner: ExitStack) -> HostMemory:
        runtime = self._runtime
        address = self._call(runtime.cudaHostAlloc, size, runtime.cudaHostAllocMapped)
        owner.callback(self._call, runtime.cudaFreeHost, address)
        content = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(address)))
        device_address = self._call(runtime.cudaHostGetDevicePointer, address, 0)
        return HostMemory(content, int(device_address))

    def device_memory(self, size: int, owner: ExitStack) -> int:
        address = self._call(self._runtime.cudaMalloc, size)
        owner.callback(self._call, self._runtime.cudaFree, address)
        return int(address)

    def stream(self, owner: ExitStack) -> Stream:
        runtime = self._runtime
        stream = self._call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        owner.callback(self._call, runtime.cudaStreamDestroy, stream)
        return stream

    def stream_handle(self, stream: Stream) -> int:
        return int(stream)

    def event(self, owner: ExitStack) -> Event:
        event = self._call(self._runtime.cudaEventCreate)
        owner.callback(self._call, self._runtime.cudaEventDestroy, event)
        return event

    def upload(self, device_address: int, source: HostMemory, stream: Stream) -> None:
        way = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        content = source.content
        copy = self._runtime.cudaMemcpyAsync
        self._call(copy, device_address, content.ctypes.data, content.nbytes, way, stream)

    def download(self, target: HostMemory, device_address: int, stream: Stream) -> None:
        way = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        content = target.content
        copy = self._runtime.cudaMemcpyAsync
        self._call(copy, content.ctypes.data, device_address, content.nbytes, way, stream)

    def record(self, event: Event, stream: Stream) -> None:
        self._call(self._runtime.cudaEventRecord, event, stream)

    def wait(self, stream: Stream, event: Event) -> None:
        self._call(self._runtime.cudaStreamWaitEvent, stream, event, 0)

    def synchronize(self, event: Event) -> None:
        self._call(self._runtime.cudaEventSynchronize, event)

    def elapsed_ms(self, start: Event, end: Event) -> float:
        return float(self._call(self._runtime.cudaEventElapsedTime, start, end))

    def capture(self, stream: Stream, enqueue: Callable[[], None], owner: ExitStack) -> Graph:
        runtime = self._runtime
        # Of this thread alone: others may allocate meanwhile.
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call(runtime.cudaStreamBeginCapture, stream, mode)
        try:
            enqueue()
        except BaseException:
            runtime.cudaStreamEndCapture(stream)  # the stream must leave the mode, whatever it says
            raise
        recorded = self._call(runtime.cudaStreamEndCapture, stream)
        try:
            graph = self._call(runtime.cudaGraphInstantiate, recorded, 0)
        finally:
            self._call(runtime.cudaGraphDestroy, recorded)
        owner.callback(self._call, runtime.cudaGraphExecDestroy, graph)
        return graph

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._call(self._runtime.cudaGraphLaunch, graph, stream)
