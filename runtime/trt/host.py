"""Reads what an engine depends on: the GPU and the TensorRT version of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..cuda.device import cuda_device
from ..errors import ModelError, one_line

__all__ = ["MINIMUM_VERSION", "TensorRTHost", "tensorrt_host"]

MINIMUM_VERSION = (10, 3)
"""TensorRT of JetPack 6; older versions cannot build strongly typed networks from our models."""


@dataclass(frozen=True)
class TensorRTHost:
    """A machine as an engine sees it."""

    gpu: str
    """The driver's name for it: `Orin`, `NVIDIA GeForce RTX 3060`, ..."""
    compute_capability: tuple[int, int]
    """(8, 7) on an Orin."""
    tensorrt_version: str
    """The version as TensorRT itself prints it: `10.3.0`, `10.13.3.9.post1`, ..."""

    @property
    def tensorrt_release(self) -> tuple[int, ...]:
        """(major, minor, patch) of the version."""
        return tuple(int(number) for number in re.findall(r"\d+", self.tensorrt_version)[:3])


def tensorrt_host() -> TensorRTHost:
    """Counts the devices, then asks TensorRT for its version.

    Raises:
        ModelError: no GPU, no TensorRT, or one that is too old.
    """
    device = cuda_device()
    try:
        from .library import trt
    except (ImportError, OSError) as error:
        raise ModelError(
            f"expected TensorRT {_dotted(MINIMUM_VERSION)} or newer, got none "
            f"({one_line(error)[:120]}; in a virtual environment JetPack's is seen with "
            f"--system-site-packages)"
        ) from error
    host = TensorRTHost(device.name, device.compute_capability, trt.__version__)
    if host.tensorrt_release < MINIMUM_VERSION:
        raise ModelError(
            f"expected TensorRT {_dotted(MINIMUM_VERSION)} or newer, got {host.tensorrt_version}"
        )
    return host


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
