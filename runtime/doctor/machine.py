"""Reads the hardware and the installed libraries of this machine, for `diagnosis`; never raises."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from ..cuda.device import cuda_device, driver_cuda_version
from ..errors import DehazeError, one_line
from ..haze.strips import CORES
from ..onnxruntime_session import import_onnxruntime

__all__ = ["Finding", "cuda_bindings", "processor", "software", "video_card"]


@dataclass(frozen=True)
class Finding:
    """A line of the report."""

    name: str
    value: str
    """Empty where it is missing."""
    advice: str = ""
    """The remedy, in one line, for something that is missing."""


_INSTRUCTIONS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),  # x86
    *("asimd", "asimddp", "i8mm"),  # Arm
)
"""The instruction sets that ONNX Runtime's kernels use, in Linux's spelling."""


def software() -> list[Finding]:
    """Versions of what dehaze-run is made of."""
    return [
        Finding("Python", f"{platform.python_version()}, {platform.platform()}"),
        Finding("dehaze-edge", _distribution("dehaze-edge"), "`pip install .` in the checkout"),
        Finding("numpy", _version("numpy"), "`pip install numpy`"),
        Finding("onnxruntime", _onnxruntime(), "`pip install onnxruntime`"),
        Finding("av (FFmpeg)", _version("av"), "`pip install av`; videos need it"),
        Finding("opencv", _version("cv2"), "`pip install opencv-python-headless`"),
        Finding(
            "GStreamer in opencv",
            _gstreamer(),
            "needed for a Jetson's hardware decoder alone: use the system's OpenCV there "
            "(docs/jetson.md)",
        ),
    ]


def _version(module: str) -> str:
    try:
        return str(getattr(import_module(module), "__version__", "of unknown version"))
    except Exception:  # a broken install may raise anything, and a report must go on
        return ""


def _distribution(name: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return ""


def _onnxruntime() -> str:
    try:
        onnxruntime = import_onnxruntime()
        providers = (name.removesuffix("ExecutionProvider") for name in _providers(onnxruntime))
        return f"{onnxruntime.__version__} ({', '.join(providers)})"
    except Exception:  # as above
        return ""


def _providers(onnxruntime: object) -> list[str]:
    names: list[str] = getattr(onnxruntime, "get_available_providers", list)()
    return [name for name in names if not name.startswith("Azure")]  # never used here


def _gstreamer() -> str:
    try:
        text = str(import_module("cv2").getBuildInformation())
    except Exception:  # as above
        return ""
    found = re.search(r"GStreamer:\s+YES\s*\(?([\d.]*)", text)
    return f"yes {found[1]}".strip() if found else ""


def processor() -> list[Finding]:
    """The processor's name, its cores and the instruction sets that matter."""
    text = ""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = named[1] if named else platform.processor() or platform.machine()
    with suppress(OSError):  # a Jetson and other boards say what they are
        name = Path("/proc/device-tree/model").read_text().strip("\0\n") or name
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    return [
        Finding("processor", f"{name}, {os.cpu_count()} cores, {CORES} usable"),
        Finding("instructions", ", ".join(i for i in _INSTRUCTIONS if i in has) or "not known"),
    ]


def video_card() -> list[Finding]:
    """The GPU and its driver, and both kinds of TensorRT."""
    try:
        device = cuda_device()
        major, minor = device.compute_capability
        gpu = Finding("GPU", f"{device.name}, compute capability {major}.{minor}")
        driver = Finding("driver", f"CUDA {driver_cuda_version()}{_driver_release()}")
    except DehazeError as error:
        advice = f"{one_line(error)}; TensorRT needs an NVIDIA GPU and its driver"
        gpu, driver = Finding("GPU", "", advice), Finding("driver", "", "comes with the GPU's")
    return [
        gpu,
        driver,
        Finding(
            "TensorRT",
            _version("tensorrt"),
            "JetPack has it (a virtual environment sees it with --system-site-packages); elsewhere "
            "`pip install tensorrt`",
        ),
        Finding(
            "TensorRT lean runtime",
            _version("tensorrt_lean"),
            "not needed beside TensorRT; `pip install tensorrt-lean` runs version-compatible "
            "engines alone",
        ),
        cuda_bindings(),
    ]


def _driver_release() -> str:
    """`, driver 540.4.0` where Linux says so."""
    with suppress(OSError):
        first = Path("/proc/driver/nvidia/version").read_text().partition("\n")[0]
        if found := re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", first):
            return f", driver {found[1]}"
    return ""


def cuda_bindings() -> Finding:
    """pycuda or cuda-python, neither of which is opened."""
    found = []
    with suppress(Exception):  # as above
        found.append(f"pycuda {import_module('pycuda').VERSION_TEXT} (no CUDA graphs)")
    with suppress(Exception):  # as above
        found.append(f"cuda-python {import_module('cuda.bindings').__version__}")
    return Finding(
        "CUDA binding",
        ", ".join(found),
        "`pip install cuda-python`, of the major version of this machine's CUDA",
    )
