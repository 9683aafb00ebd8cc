"""What an engine depends on: the GPU and the TensorRT of this machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, NamedTuple, TypeAlias

from ..cuda.device import cuda_device
from ..errors import ModelError, one_line

__all__ = [
    "LIBRARIES",
    "Library",
    "LibraryName",
    "TensorRTHost",
    "building_host",
    "tensorrt_host",
    "use_library",
    "wanted_libraries",
]

LibraryName: TypeAlias = Literal["tensorrt", "rtx", "lean"]


class Library(NamedTuple):
    """A kind of TensorRT that this package can run engines with."""

    title: str
    """As messages call it."""
    modules: tuple[str, ...]
    """Its Python module, under the names that its packages give it."""
    minimum: tuple[int, ...]
    """Older versions cannot build strongly typed networks from our models."""


LIBRARIES: dict[LibraryName, Library] = {
    "tensorrt": Library("TensorRT", ("tensorrt",), (10, 3)),  # that of JetPack 6
    "rtx": Library("TensorRT-RTX", ("tensorrt_rtx", "tensorrt_rtx_bindings"), (1, 2)),
    "lean": Library("TensorRT", ("tensorrt_lean",), (10, 3)),
}
"""In the order of preference."""

_wanted: tuple[LibraryName, ...] = tuple(LIBRARIES)


def wanted_libraries() -> tuple[LibraryName, ...]:
    """The libraries that this process may use; the first installed one is taken."""
    return _wanted


def use_library(name: LibraryName | None) -> None:
    """Says which kind of TensorRT is opened next; for `tensorrt` its lean runtime will do, too.

    Args:
        name: None for the one that is loaded, or the first that is installed.

    Raises:
        ModelError: the process uses another one already. Their objects do not mix.
    """
    global _wanted  # one for the process, as the library itself is
    names = tuple(LIBRARIES)
    if name is not None:
        names = ("tensorrt", "lean") if name == "tensorrt" else (name,)
    used = sys.modules.get(f"{__package__}.library")
    if used is not None and used.NAME not in names:
        raise ModelError(
            f"expected {LIBRARIES[names[0]].title}, got a process that uses "
            f"{LIBRARIES[used.NAME].title} already; open the model in another one"
        )
    _wanted = names


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
        ModelError: no GPU, no TensorRT, or one that is too old.
    """
    device = cuda_device()
    return _host(device.name, device.compute_capability)


def building_host() -> TensorRTHost:
    """The machine that an engine built here is for: TensorRT-RTX builds for others, without a GPU.

    Raises:
        ModelError: as for `tensorrt_host`.
    """
    try:
        host = tensorrt_host()
    except ModelError:
        modules = LIBRARIES["rtx"].modules if "rtx" in _wanted else ()
        if not any(find_spec(module) for module in modules):
            raise
        use_library("rtx")
        host = _host("", (8, 0))
    if host.title == LIBRARIES["rtx"].title:
        return TensorRTHost("any since Ampere", (8, 0), host.tensorrt_version, host.title)
    return host


def _host(gpu: str, compute_capability: tuple[int, int]) -> TensorRTHost:
    try:
        from .library import NAME, trt
    except (ImportError, OSError) as error:
        wanted = LIBRARIES[_wanted[0]]
        raise ModelError(
            f"expected {wanted.title} {_dotted(wanted.minimum)} or newer, got none "
            f"({one_line(error)[:120]}; a desktop gets one by `pip install 'dehaze-edge[rtx]'`, "
            f"and a virtual environment sees JetPack's with --system-site-packages)"
        ) from error
    library = LIBRARIES[NAME]
    host = TensorRTHost(gpu, compute_capability, trt.__version__, library.title)
    if host.tensorrt_release < library.minimum:
        raise ModelError(
            f"expected {library.title} {_dotted(library.minimum)} or newer, "
            f"got {host.tensorrt_version}"
        )
    return host


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
