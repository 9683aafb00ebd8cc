"""Reads what an engine depends on: the GPU and the TensorRT of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

from ..cuda.device import cuda_device
from ..errors import ModelError, one_line
from .options import LIBRARIES, using_library, wanted_libraries

__all__ = [
    "TensorRTHost",
    "building_host",
    "tensorrt_host",
]


_RTX_GPUS = ((8, 0), (8, 6), (8, 9))
"""Compute capabilities of the engines that TensorRT-RTX 1.7 builds for every card; from 12.0 on it
takes any. On an H200, of 9.0, it says "Supported compute capabilities: 8.0 8.6 8.9 12.0 12.1
>12.0" and loads nothing."""
_RTX_ANY_FROM = (12, 0)


@dataclass(frozen=True)
class TensorRTHost:
    """A machine as an engine sees it."""

    gpu: str
    """The driver's name for it: `Orin`, `NVIDIA GeForce RTX 3060`, ...; for an engine of
    TensorRT-RTX, which is built for no GPU alone, `any since Ampere`."""
    compute_capability: tuple[int, int]
    """(8, 7) on an Orin."""
    tensorrt_version: str
    """As TensorRT itself says: `10.3.0`, `10.13.3.9.post1`, ..."""
    title: str = "TensorRT"
    """Or `TensorRT-RTX`, whose engines and versions are its own."""

    @property
    def tensorrt_release(self) -> tuple[int, ...]:
        """(major, minor, patch) of the version."""
        return tuple(int(number) for number in re.findall(r"\d+", self.tensorrt_version)[:3])

    @property
    def tensorrt(self) -> str:
        """`TensorRT 10.3.0`."""
        return f"{self.title} {self.tensorrt_version}"


def tensorrt_host() -> TensorRTHost:
    """Counts the devices, then asks TensorRT for its version.

    Raises:
        ModelError: no GPU, no TensorRT, one that is too old, or one that does not know the GPU.
    """
    device = cuda_device()
    host = _host(device.name, device.compute_capability)
    capability = host.compute_capability
    rtx = host.title == LIBRARIES["rtx"].title
    if rtx and capability not in _RTX_GPUS and capability < _RTX_ANY_FROM:
        raise ModelError(
            f"expected a GPU that {host.title} runs on (compute capability "
            f"{', '.join(map(_dotted, _RTX_GPUS))}, or {_dotted(_RTX_ANY_FROM)} and later), got "
            f"{host.gpu} of {_dotted(capability)}; use TensorRT there, or --backend onnxruntime"
        )
    return host


def building_host() -> TensorRTHost:
    """The machine that an engine built here is for: TensorRT-RTX builds for others, without a GPU.

    Raises:
        ModelError: as for `tensorrt_host`.
    """
    try:
        host = tensorrt_host()
    except ModelError:
        modules = LIBRARIES["rtx"].modules if "rtx" in wanted_libraries() else ()
        if not any(find_spec(module) for module in modules):
            raise
        with using_library("rtx"):
            host = _host("", (8, 0))
    if host.title == LIBRARIES["rtx"].title:
        return TensorRTHost("any since Ampere", (8, 0), host.tensorrt_version, host.title)
    return host


def _host(gpu: str, compute_capability: tuple[int, int]) -> TensorRTHost:
    try:
        from .library import NAME, trt
    except (ImportError, OSError) as error:
        wanted = LIBRARIES[wanted_libraries()[0]]
        raise ModelError(
            f"expected {wanted.title} {_dotted(wanted.minimum)} or newer, got none "
            f"({one_line(error)[:120]}; a desktop gets one by `pip install 'dehaze-edge[rtx]'`, "
            f"and a virtual environment sees JetPack's with --system-site-packages)"
        ) from error
    library = LIBRARIES[NAME]
    if NAME not in wanted_libraries():
        raise ModelError(
            f"expected {LIBRARIES[wanted_libraries()[0]].title}, got a process that uses "
            f"{library.title} already, and their objects do not mix; open the model in another one"
        )
    host = TensorRTHost(gpu, compute_capability, trt.__version__, library.title)
    if host.tensorrt_release < library.minimum:
        raise ModelError(
            f"expected {library.title} {_dotted(library.minimum)} or newer, "
            f"got {host.tensorrt_version}"
        )
    return host


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
