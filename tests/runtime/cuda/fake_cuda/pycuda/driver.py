"""A fake of pycuda.driver; a test looks for every name in pycuda's sources.

Every call asserts that the context is current, which pycuda needs in each thread.
"""

from __future__ import annotations

from typing import Any

import fake_gpu
import numpy as np
from numpy.typing import NDArray

_current: list[Context] = []


class Error(Exception):
    pass


class MemoryError(Error):
    pass


class device_attribute:
    INTEGRATED = 18


class host_alloc_flags:
    DEVICEMAP = 2


def init() -> None:
    pass


def _check(name: str) -> None:
    assert _current, f"{name} without a current context"
    if fake_gpu.fail.get(name):
        raise MemoryError(f"{name} failed: out of memory")


class Context:
    def push(self) -> None:
        _current.append(self)

    @staticmethod
    def pop() -> None:
        _current.pop()


class Device:
    def __init__(self, number: int) -> None:
        assert number == 0

    def get_attribute(self, attribute: int) -> int:
        return int(fake_gpu.integrated and attribute == device_attribute.INTEGRATED)

    def retain_primary_context(self) -> Context:
        return Context()


class _HostAllocation:
    def __init__(self, size: int) -> None:
        self._address = fake_gpu.allocate(size)
        self.__array_interface__ = {**fake_gpu.memory[self._address].__array_interface__}

    def get_device_pointer(self) -> int:
        return self._address

    def free(self) -> None:
        _check("free")
        fake_gpu.free(self._address)


def pagelocked_empty(shape: int, dtype: type, order: str, mem_flags: int) -> NDArray[np.uint8]:
    assert (dtype, order, mem_flags) == (np.uint8, "C", host_alloc_flags.DEVICEMAP)
    _check("pagelocked_empty")
    return np.asarray(_HostAllocation(shape))


class _DeviceAllocation:
    def __init__(self, size: int) -> None:
        self._address = fake_gpu.allocate(size)

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        _check("free")
        fake_gpu.free(self._address)


def mem_alloc(size: int) -> _DeviceAllocation:
    _check("mem_alloc")
    return _DeviceAllocation(size)


class Stream:
    def __init__(self, flags: int) -> None:
        assert flags == 1
        _check("Stream")
        self._stream = fake_gpu.Stream(0)
        self.handle = fake_gpu.new_object(self._stream)

    def wait_for_event(self, event: Event) -> None:
        _check("wait_for_event")
        fake_gpu.wait(self._stream, event._event)

    def __del__(self) -> None:
        fake_gpu.objects.pop(self.handle, None)


class Event:
    def __init__(self) -> None:
        _check("Event")
        self._event = fake_gpu.Event()

    def record(self, stream: Stream) -> Event:
        _check("record")
        fake_gpu.record(self._event, stream._stream)
        return self

    def synchronize(self) -> Event:
        _check("synchronize")
        self._event.synchronize()
        return self

    def time_since(self, event: Event) -> float:
        _check("time_since")
        return fake_gpu.elapsed_ms(event._event, self._event)


def memcpy_htod_async(dest: int, src: NDArray[Any], stream: Stream) -> None:
    _check("memcpy_htod_async")
    fake_gpu.copy("upload", dest, src.ctypes.data, src.nbytes, stream._stream)


def memcpy_dtoh_async(dest: NDArray[Any], src: int, stream: Stream) -> None:
    _check("memcpy_dtoh_async")
    fake_gpu.copy("download", dest.ctypes.data, src, dest.nbytes, stream._stream)
