"""A fake of cuda.bindings.runtime; a test asks the real 12.9 and 13 for every name."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import wraps
from typing import Any

import fake_gpu

cudaHostAllocMapped = 2
cudaStreamNonBlocking = 1


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorNotSupported = 801


class cudaDeviceAttr(enum.IntEnum):
    cudaDevAttrIntegrated = 18


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


def api(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an error code before the value, as all of them do."""

    @wraps(function)
    def called(*arguments: Any) -> tuple[Any, ...]:
        code = cudaError_t(fake_gpu.fail.get(function.__name__, 0))
        if code:
            return code, None
        value = function(*arguments)
        return (code,) if value is None else (code, value)

    return called


def cudaGetErrorString(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    return cudaError_t.cudaSuccess, b"out of memory" if error == 2 else b"operation not supported"


@api
def cudaDeviceGetAttribute(attr: cudaDeviceAttr, device: int) -> int:
    assert (attr, device) == (cudaDeviceAttr.cudaDevAttrIntegrated, 0)
    return int(fake_gpu.integrated)


@api
def cudaHostAlloc(size: int, flags: int) -> int:
    assert flags == cudaHostAllocMapped
    return fake_gpu.allocate(size)


@api
def cudaHostGetDevicePointer(host: int, flags: int) -> int:
    assert host in fake_gpu.memory and flags == 0
    return host


@api
def cudaFreeHost(address: int) -> None:
    fake_gpu.free(address)


@api
def cudaMalloc(size: int) -> int:
    return fake_gpu.allocate(size)


@api
def cudaFree(address: int) -> None:
    fake_gpu.free(address)


@api
def cudaMemcpyAsync(
    target: int, source: int, count: int, kind: cudaMemcpyKind, stream: int
) -> None:
    up = kind == cudaMemcpyKind.cudaMemcpyHostToDevice
    what = "upload" if up else "download"
    fake_gpu.copy(what, target, source, count, fake_gpu.objects[stream])


@api
def cudaStreamCreateWithFlags(flags: int) -> int:
    assert flags == cudaStreamNonBlocking
    return fake_gpu.new_object(fake_gpu.Stream(0))


@api
def cudaStreamDestroy(stream: int) -> None:
    del fake_gpu.objects[stream]


@api
def cudaStreamWaitEvent(stream: int, event: int, flags: int) -> None:
    assert flags == 0
    fake_gpu.wait(fake_gpu.objects[stream], fake_gpu.objects[event])


@api
def cudaEventCreate() -> int:
    return fake_gpu.new_object(fake_gpu.Event())


@api
def cudaEventDestroy(event: int) -> None:
    del fake_gpu.objects[event]


@api
def cudaEventRecord(event: int, stream: int) -> None:
    fake_gpu.record(fake_gpu.objects[event], fake_gpu.objects[stream])


@api
def cudaEventSynchronize(event: int) -> None:
    fake_gpu.objects[event].synchronize()


@api
def cudaEventElapsedTime(start: int, end: int) -> float:
    return fake_gpu.elapsed_ms(fake_gpu.objects[start], fake_gpu.objects[end])


@api
def cudaStreamBeginCapture(stream: int, mode: cudaStreamCaptureMode) -> None:
    assert mode == cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    fake_gpu.objects[stream].captured = []


@api
def cudaStreamEndCapture(stream: int) -> int:
    stream = fake_gpu.objects[stream]
    graph, stream.captured = stream.captured, None
    fake_gpu.captures += 1
    return fake_gpu.new_object(graph)


@api
def cudaGraphInstantiate(graph: int, flags: int) -> int:
    assert flags == 0
    return fake_gpu.new_object(list(fake_gpu.objects[graph]))


@api
def cudaGraphDestroy(graph: int) -> None:
    del fake_gpu.objects[graph]


@api
def cudaGraphExecDestroy(graph: int) -> None:
    del fake_gpu.objects[graph]


@api
def cudaGraphLaunch(graph: int, stream: int) -> None:
    fake_gpu.launch(fake_gpu.objects[graph], fake_gpu.objects[stream])
