"""The names of CUDA's bindings that we use, and their fakes, exist in the real packages.

cuda-python is installed beside the checkout and asked; it imports without a driver. pycuda comes
as sources alone and needs a CUDA toolkit to build, so its sources are read.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAKES = Path(__file__).parent / "fake_cuda"
CACHE = ROOT / "build" / "cuda-bindings" / f"cp{sys.version_info[0]}{sys.version_info[1]}"
BINDINGS = {"12.9": "cuda-bindings==12.9.*", "13": "cuda-bindings==13.*"}
PYCUDA = "pycuda-2026.1.tar.gz"

ASK = """
import json, sys
from cuda.bindings import driver
found = {}
for name in sys.argv[1:]:
    value = driver
    for part in name.split("."):
        value = getattr(value, part, None)
    first = (getattr(value, "__doc__", None) or "").strip().partition("\\n")[0]
    found[name] = None if value is None else first
print(json.dumps(found))
"""


@cache
def pip(*arguments: str) -> str:
    """The last line of pip where it fails, or empty."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    lines = result.stderr.strip().splitlines() or ["no reason given"]
    return lines[-1] if result.returncode else ""


def cuda_python(version: str) -> Path:
    """The folder with cuda-bindings of a version, from PyPI at the first call."""
    folder = CACHE / version
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
            target = Path(unfinished) / version
            options = ("--no-deps", "--only-binary=:all:", "--target", str(target))
            reason = pip("install", "--quiet", *options, BINDINGS[version], "cuda-pathfinder")
            if reason:
                pytest.skip(f"no {BINDINGS[version]} for this Python, or offline ({reason})")
            target.rename(folder)
    return folder


def asked(version: str, *names: str) -> dict[str, str | None]:
    """The first line of every name's docstring, None where there is no such name."""
    environment = {**os.environ, "PYTHONPATH": str(cuda_python(version))}
    command = [sys.executable, "-c", ASK, *names]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    answer: dict[str, str | None] = json.loads(result.stdout)
    return answer


def names_used() -> set[str]:
    """`cuMemAlloc`, `CUevent_flags.CU_EVENT_DEFAULT`, ... of our adapter."""
    source = (ROOT / "runtime" / "cuda" / "cuda_python.py").read_text()
    return set(re.findall(r"driver\.(cu[A-Z]\w*|CU\w+(?:\.CU\w+)*)", source))


@pytest.mark.parametrize("version", BINDINGS)
def test_cuda_python_has_every_name_of_ours(version: str) -> None:
    names = names_used()
    assert len(names) > 20
    found = asked(version, *names, "cuNoSuchName")
    assert {name for name in found if found[name] is None} == {"cuNoSuchName"}


@pytest.mark.parametrize("version", BINDINGS)
def test_the_fake_cuda_python_takes_what_the_real_one_takes(version: str) -> None:
    """Our adapter runs on the fake, so it calls the real one with as many arguments."""
    source = (FAKES / "cuda" / "bindings" / "driver.py").read_text()
    functions = {
        name: len([p for p in parameters.split(",") if p.strip()])
        for name, parameters in re.findall(r"^def (cu\w+)\(([^)]*)\)", source, re.MULTILINE)
    }
    members = [
        f"{owner}.{member}"
        for owner, body in re.findall(
            r"^class (\w+)\(enum.IntEnum\):\n((?:    .*\n)+)", source, re.MULTILINE
        )
        for member in re.findall(r"^    (\w+) =", body, re.MULTILINE)
    ]
    assert len(functions) > 20
    assert len(members) >= 7
    found = asked(version, *functions, *members)
    assert {name for name in found if found[name] is None} == set()
    for name, count in functions.items():
        real = (found[name] or "").partition("(")[2].rpartition(")")[0]
        assert (name, len([p for p in real.split(",") if p.strip()])) == (name, count)


@pytest.mark.parametrize("version", BINDINGS)
def test_an_error_of_the_real_cuda_python_is_told_in_words(version: str) -> None:
    """On machines without a GPU, the real library under our adapter."""
    code = (
        "from dehaze.runtime import ModelError\n"
        "from dehaze.runtime.cuda.open import open_cuda\n"
        "try: print('opened', open_cuda('cuda-python').name)\n"
        "except ModelError as error: print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(cuda_python(version))}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert re.match(r"opened cuda-python|CUDA's cuInit", result.stdout)


@pytest.fixture(scope="module")
def pycuda_source() -> str:
    """The file of pycuda's sources that gives the driver API its Python names."""
    folder = ROOT / "build" / "pycuda-src"
    if not (folder / PYCUDA).is_file():
        options = ("--quiet", "--no-deps", "--no-binary=:all:", "--no-build-isolation")
        version = PYCUDA.removesuffix(".tar.gz").replace("-", "==")
        if reason := pip("download", *options, "--dest", str(folder), version):
            pytest.skip(f"no sources of pycuda, or offline ({reason})")
    with tarfile.open(folder / PYCUDA) as archive:
        name = f"{PYCUDA.removesuffix('.tar.gz')}/src/wrapper/wrap_cudadrv.cpp"
        member = archive.extractfile(name)
        assert member is not None
        return member.read().decode()


def test_pycuda_has_every_name_of_the_fake(pycuda_source: str) -> None:
    fake = (FAKES / "pycuda" / "driver.py").read_text()
    functions = re.findall(r"^ *(?:def|class) ([a-zA-Z]\w*)", fake, re.MULTILINE)
    members = re.findall(r"^    ([A-Z]+) = \d", fake, re.MULTILINE)
    names = {*functions, *members, "handle"}
    assert len(names) > 20
    defined = r'"{0}"|DEF_SIMPLE_\w+\({0}\)|DECLARE_EXC\({0},'
    lacking = {n for n in names if not re.search(defined.format(n), pycuda_source)}
    assert lacking == set()


def test_our_adapter_uses_nothing_of_pycuda_that_the_fake_lacks() -> None:
    used = re.findall(
        r"(?:_driver|driver)\.([A-Za-z_]+)",
        (ROOT / "runtime" / "cuda" / "cuda_pycuda.py").read_text(),
    )
    fake = (FAKES / "pycuda" / "driver.py").read_text()
    assert {name for name in used if not re.search(rf"(def|class) {name}\b", fake)} == set()


def test_pycuda_still_has_no_stream_capture(pycuda_source: str) -> None:
    """A failure here means that `cuda_pycuda.py` can have graphs, too."""
    assert "cuMemcpyHtoDAsync" in pycuda_source or "memcpy_htod_async" in pycuda_source
    assert not re.search(r"begin_capture|BeginCapture|GraphLaunch", pycuda_source)
