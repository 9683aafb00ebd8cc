"""A fake of cuda.bindings.driver; a test asks the real 12.9 and 13 for every name.

Whatever allocates, queues or frees asserts that the context is current in the thread.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import wraps
from typing import Any

import fake_gpu

CU_MEMHOSTALLOC_DEVICEMAP = 2
_current: list[int] = []
_ANYWHERE = ("cuInit", "cuDeviceGet", "cuDeviceGetAttribute", "cuDevicePrimaryCtxRetain")


class CUresult(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_SUPPORTED = 801


class CUdevice_attribute(enum.IntEnum):
    CU_DEVICE_ATTRIBUTE_INTEGRATED = 18


class CUstream_flags(enum.IntEnum):
    CU_STREAM_NON_BLOCKING = 1


class CUevent_flags(enum.IntEnum):
    CU_EVENT_DEFAULT = 0


class CUstreamCaptureMode(enum.IntEnum):
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1


def api(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an error code before the value, as all of them do."""

    @wraps(function)
    def called(*arguments: Any) -> tuple[Any, ...]:
        code = CUresult(fake_gpu.fail.get(function.__name__, 0))
        if code:
            return code, None
        assert _current or function.__name__ in (*_ANYWHERE, "cuCtxPushCurrent")
        value = function(*arguments)
        return (code,) if value is None else (code, value)

    return called


def cuGetErrorString(error: CUresult) -> tuple[CUresult, bytes]:
    return CUresult.CUDA_SUCCESS, b"out of memory" if error == 2 else b"operation not supported"


@api
def cuInit(flags: int) -> None:
    assert flags == 0


@api
def cuDeviceGet(ordinal: int) -> int:
    return ordinal


@api
def cuDevicePrimaryCtxRetain(device: int) -> int:
    return 500 + device


@api
def cuCtxPushCurrent(context: int) -> None:
    _current.append(context)


@api
def cuCtxPopCurrent() -> int:
    return _current.pop()


@api
def cuDeviceGetAttribute(attr: CUdevice_attribute, device: int) -> int:
    assert (attr, device) == (CUdevice_attribute.CU_DEVICE_ATTRIBUTE_INTEGRATED, 0)
    return int(fake_gpu.integrated)


@api
def cuMemHostAlloc(size: int, flags: int) -> int:
    assert flags == CU_MEMHOSTALLOC_DEVICEMAP
    return fake_gpu.allocate(size)


@api
def cuMemHostGetDevicePointer(host: int, flags: int) -> int:
    assert host in fake_gpu.memory and flags == 0
    return host


@api
def cuMemFreeHost(address: int) -> None:
    fake_gpu.free(address)


@api
def cuMemAlloc(size: int) -> int:
    return fake_gpu.allocate(size)


@api
def cuMemFree(address: int) -> None:
    fake_gpu.free(address)


@api
def cuMemcpyHtoDAsync(target: int, source: int, count: int, stream: int) -> None:
    fake_gpu.copy("upload", target, source, count, fake_gpu.objects[stream])


@api
def cuMemcpyDtoHAsync(target: int, source: int, count: int, stream: int) -> None:
    fake_gpu.copy("download", target, source, count, fake_gpu.objects[stream])


@api
def cuStreamCreate(flags: int) -> int:
    assert flags == CUstream_flags.CU_STREAM_NON_BLOCKING
    return fake_gpu.new_object(fake_gpu.Stream(0))


@api
def cuStreamDestroy(stream: int) -> None:
    del fake_gpu.objects[stream]


@api
def cuStreamWaitEvent(stream: int, event: int, flags: int) -> None:
    assert flags == 0
    fake_gpu.wait(fake_gpu.objects[stream], fake_gpu.objects[event])


@api
def cuEventCreate(flags: int) -> int:
    assert flags == CUevent_flags.CU_EVENT_DEFAULT
    return fake_gpu.new_object(fake_gpu.Event())


@api
def cuEventDestroy(event: int) -> None:
    del fake_gpu.objects[event]


@api
def cuEventRecord(event: int, stream: int) -> None:
    fake_gpu.record(fake_gpu.objects[event], fake_gpu.objects[stream])


@api
def cuEventSynchronize(event: int) -> None:
    fake_gpu.objects[event].synchronize()


@api
def cuEventElapsedTime(start: int, end: int) -> float:
    return fake_gpu.elapsed_ms(fake_gpu.objects[start], fake_gpu.objects[end])


@api
def cuStreamBeginCapture(stream: int, mode: CUstreamCaptureMode) -> None:
    assert mode == CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    fake_gpu.objects[stream].captured = []


@api
def cuStreamEndCapture(stream: int) -> int:
    stream = fake_gpu.objects[stream]
    graph, stream.captured = stream.captured, None
    fake_gpu.captures += 1
    return fake_gpu.new_object(graph)


@api
def cuGraphInstantiate(graph: int, flags: int) -> int:
    assert flags == 0
    return fake_gpu.new_object(list(fake_gpu.objects[graph]))


@api
def cuGraphDestroy(graph: int) -> None:
    del fake_gpu.objects[graph]


@api
def cuGraphExecDestroy(graph: int) -> None:
    del fake_gpu.objects[graph]


@api
def cuGraphLaunch(graph: int, stream: int) -> None:
    fake_gpu.launch(fake_gpu.objects[graph], fake_gpu.objects[stream])
