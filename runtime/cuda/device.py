"""Asks the driver for the GPU of this machine; needs no CUDA toolkit, pycuda or cuda-python.

TensorRT segfaults where there is no GPU (seen in 10.3 and 11.4), so this is asked first.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

from ..errors import ModelError

__all__ = ["CudaDevice", "cuda_device", "driver_cuda_version"]

DRIVER_LIBRARY = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
"""The driver's library; on a Jetson it comes with JetPack."""

# CUdevice_attribute of cuda.h; these numbers have not changed since CUDA 5.
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76


@dataclass(frozen=True)
class CudaDevice:
    """A GPU as its driver describes it."""

    name: str
    """`Orin`, `NVIDIA GeForce RTX 3060`, ..."""
    compute_capability: tuple[int, int]
    """(8, 7) on an Orin."""


def cuda_device() -> CudaDevice:
    """The first GPU; CUDA_VISIBLE_DEVICES chooses another.

    Raises:
        ModelError: no GPU, or none that the driver can open.
    """
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        raise _no_device(f"{DRIVER_LIBRARY} cannot be opened") from None
    _call(driver, "cuInit", ctypes.c_uint(0))
    count, device, major, minor = (ctypes.c_int() for _ in range(4))
    _call(driver, "cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise _no_device("the driver counts 0 devices")
    name = ctypes.create_string_buffer(256)
    _call(driver, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
    _call(driver, "cuDeviceGetName", name, ctypes.c_int(len(name)), device)
    for value, attribute in (
        (major, _COMPUTE_CAPABILITY_MAJOR),
        (minor, _COMPUTE_CAPABILITY_MINOR),
    ):
        _call(driver, "cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), device)
    return CudaDevice(name.value.decode(errors="replace"), (major.value, minor.value))


def driver_cuda_version() -> str:
    """The newest CUDA that the driver runs: `12.6`. Ask for the device before.

    Raises:
        ModelError: no driver, or it does not say.
    """
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        raise _no_device(f"{DRIVER_LIBRARY} cannot be opened") from None
    version = ctypes.c_int()
    _call(driver, "cuDriverGetVersion", ctypes.byref(version))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> None:
    """Calls the driver; raises ModelError with the driver's own words where it fails."""
    code = getattr(driver, function)(*arguments)
    if code != 0:
        words = ctypes.c_char_p()
        driver.cuGetErrorString(ctypes.c_int(code), ctypes.byref(words))
        reason = (words.value or b"unknown error").decode(errors="replace")
        raise _no_device(f"{function} says {code}, {reason}")


def _no_device(reason: str) -> ModelError:
    return ModelError(f"expected an NVIDIA GPU, got none ({reason})")
