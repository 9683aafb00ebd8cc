"""The driver here is a stub of four answers, compiled on the spot; ctypes is real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dehaze.runtime import ModelError
from dehaze.runtime.cuda import device as module
from dehaze.runtime.cuda.device import CudaDevice, cuda_device, driver_cuda_version

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return CODE; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
    strncpy(name, "Orin", size);
    return device == 40 ? 0 : 101;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1;
    return device == 40 ? 0 : 101;
}
int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
int cuGetErrorString(int code, const char **words) {
    *words = code == 100 ? "no CUDA-capable device is detected" : 0;
    return 0;
}
"""


@pytest.fixture
def use_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a stub driver in the place of libcuda.so.1."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler for the stub driver")

    def use(*, code: int = 0, count: int = 1) -> None:
        source, library = tmp_path / "cuda.c", tmp_path / "libcuda.so.1"
        source.write_text(DRIVER)
        answers = (f"-DCODE={code}", f"-DCOUNT={count}")
        command = [compiler, "-shared", "-fPIC", *answers, "-o", library, source]
        subprocess.run(command, check=True)
        monkeypatch.setattr(module, "DRIVER_LIBRARY", str(library))

    return use


def test_the_first_device_is_described(use_driver) -> None:
    use_driver(count=2)
    assert cuda_device() == CudaDevice("Orin", (8, 7))


def test_the_driver_says_which_cuda_it_runs(use_driver) -> None:
    use_driver()
    assert driver_cuda_version() == "12.6"


def test_a_driver_without_devices_is_told(use_driver) -> None:
    use_driver(count=0)
    with pytest.raises(ModelError, match=r"expected an NVIDIA GPU, got none \(the driver counts 0"):
        cuda_device()


def test_the_words_of_the_driver_are_passed_on(use_driver) -> None:
    use_driver(code=100)
    with pytest.raises(ModelError, match="cuInit says 100, no CUDA-capable device is detected"):
        cuda_device()


def test_a_code_without_words_is_told(use_driver) -> None:
    use_driver(code=999)
    with pytest.raises(ModelError, match="cuInit says 999, unknown error"):
        cuda_device()


def test_a_machine_without_driver_has_no_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "DRIVER_LIBRARY", str(tmp_path / "libcuda.so.1"))
    with pytest.raises(ModelError, match="cannot be opened"):
        cuda_device()
