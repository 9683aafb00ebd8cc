"""The TensorRT names that our code uses exist in the bindings of 10.3, 10.13, 10.16 and 11.4.

The bindings are NVIDIA's own, from PyPI; the libraries under them are stubs that hold nothing but
the symbols, so that the bindings import. No engine is built here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(__file__).parent / "binding_names"
FAKE = Path(__file__).parent / "fake_tensorrt" / "tensorrt.py"
CACHE = ROOT / "build" / "tensorrt-bindings" / f"cp{sys.version_info[0]}{sys.version_info[1]}"
BINDINGS = {
    "10.3": "tensorrt-cu12-bindings==10.3.*",  # JetPack 6
    "10.13": "tensorrt-cu13-bindings==10.13.*",  # JetPack 7
    "10.16": "tensorrt-cu13-bindings==10.16.*",
    "11.4": "tensorrt-cu13-bindings==11.4.*",
}
LEAN = {
    "lean-10.3": "tensorrt-lean-cu12-bindings==10.3.*",
    "lean-11.4": "tensorrt-lean-cu13-bindings==11.4.*",
}
SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
"""The symbols that the bindings need, as `nm -D --undefined-only` lists them."""


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with libnvinfer, its plugins, parser and lean runtime, all of them empty."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler for the stub libraries")
    folder = tmp_path_factory.mktemp("stubs")
    source = folder / "stub.c"
    source.write_text("".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in SYMBOLS))
    for major in (10, 11):
        for name in ("nvinfer", "nvonnxparser", "nvinfer_plugin", "nvinfer_lean"):
            library = f"lib{name}.so.{major}"
            options = ("-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", folder / library)
            subprocess.run([compiler, *options, source], check=True)
    return folder


def bindings(version: str) -> Path:
    """The folder with the bindings of a version, from PyPI at the first call."""
    folder = CACHE / version
    if not folder.is_dir() and (reason := why_not_installed(version)):
        pytest.skip(f"no {(BINDINGS | LEAN)[version]} for this Python, or offline ({reason})")
    return folder


@cache
def why_not_installed(version: str) -> str:
    """Installs the bindings of a version; the last line of pip where that fails, or empty."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        target = Path(unfinished) / version
        options = ("--quiet", "--no-deps", "--only-binary=:all:", "--target", target)
        command = [sys.executable, "-m", "pip", "install", *options, (BINDINGS | LEAN)[version]]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            return (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        target.rename(CACHE / version)
    return ""


def with_bindings(version: str, stubs: Path, *command: Path) -> dict[str, Any]:
    """Runs a script of ours where `tensorrt_bindings` is of that version; returns its JSON."""
    libraries = f"{stubs}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    result = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(bindings(version)), "LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def check_names(version: str, stubs: Path, *sources: Path) -> dict[str, Any]:
    report = with_bindings(version, stubs, SCRIPTS / "check_names.py", *sources)
    assert report["version"].startswith(f"{version.removeprefix('lean-')}.")
    return report


def our_sources(*, rtx: bool = False) -> list[Path]:
    """Every file of the runtime that imports TensorRT; `jit_cache` is for TensorRT-RTX alone."""
    sources = sorted((ROOT / "runtime").rglob("*.py"))
    pattern = r"(import|from) tensorrt\b|from \.library import .*\btrt\b"
    found = [path for path in sources if re.search(pattern, path.read_text())]
    return [path for path in found if rtx or path.name != "jit_cache.py"]


@pytest.mark.parametrize("version", BINDINGS)
def test_every_name_of_ours_exists(version: str, stubs: Path) -> None:
    names = {path.name for path in our_sources()}
    assert {f"{n}.py" for n in ("build", "log", "loaded_engine", "pipeline")} <= names
    report = check_names(version, stubs, *our_sources())
    assert report["problems"] == []
    assert report["checked"] > 50


def test_every_name_of_ours_exists_in_rtx() -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="needs the extra `rtx`")
    command = [sys.executable, SCRIPTS / "check_names.py", *our_sources(rtx=True)]
    result = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(result.stdout)
    assert report["problems"] == []
    assert report["checked"] > 60


@pytest.mark.parametrize("version", LEAN)
def test_the_lean_runtime_has_what_running_an_engine_needs(version: str, stubs: Path) -> None:
    sources = [path for path in our_sources() if path.name not in ("build.py", "library.py")]
    report = check_names(version, stubs, *sources)
    assert report["problems"] == []
    assert report["checked"] > 20


def test_every_name_that_may_be_absent_exists_somewhere(stubs: Path) -> None:
    reports = [check_names(version, stubs, *our_sources())["detected"] for version in BINDINGS]
    assert {name for name in reports[0] if not any(r[name] for r in reports)} == set()


@pytest.mark.parametrize("version", BINDINGS)
def test_the_fake_of_the_other_tests_has_no_name_of_its_own(version: str, stubs: Path) -> None:
    report = with_bindings(version, stubs, SCRIPTS / "check_fake.py", FAKE)
    assert report["lacking"] == []
    assert report["checked"] > 20


@pytest.mark.parametrize("version", BINDINGS)
def test_our_log_and_build_start_on_the_real_bindings(version: str, stubs: Path) -> None:
    result = with_bindings(version, stubs, SCRIPTS / "start_builder.py")
    assert f"TensorRT {version}." in result["error"]
    assert "cannot start on this GPU (TensorRT gives no reason)" in result["error"]
    assert result["reason"] == "first words"


@pytest.mark.parametrize("version", BINDINGS | LEAN)
def test_our_runtime_starts_on_the_real_bindings(version: str, stubs: Path) -> None:
    result = with_bindings(version, stubs, SCRIPTS / "start_runtime.py")
    assert f"TensorRT {version.removeprefix('lean-')}." in result["error"]
    assert "cannot start on this GPU (TensorRT gives no reason)" in result["error"]
    assert result["lean"] is (version in LEAN)


WRONG = {
    "a method": ("builder.create_networks()", "Builder has no 'create_networks'"),
    "an enum member": ("trt.BuilderFlag.FP17", "BuilderFlag has no 'FP17'"),
    "a removed member": ("trt.BuilderFlag.FP16", "BuilderFlag has no 'FP16'"),
    "a property": ("config.workspace = 1", "IBuilderConfig has no 'workspace'"),
    "a read-only property": ("network.num_inputs = 1", "cannot be set"),
    "a name in a comprehension": ("[n.sise for n in [trt.Dims]]", "annotate what holds it"),
    "an argument too many": ("builder.create_builder_config(1)", "expected ()"),
    "an argument too few": ("network.get_input()", "expected (index: "),
    "an argument's name": ("builder.create_network(flag=1)", "expected (flags: "),
    "an argument's class": ("config.set_flag(trt.MemoryPoolType.WORKSPACE)", "expected (flag: "),
    "a variable nobody names": ("error = parser.get_error(0); error.desc()", "annotate what holds"),
    "a function's result": ("made(network).sise", "ITensor has no 'sise'"),
    "an annotation": ("x: trt.Profile = builder", "tensorrt_bindings has no 'Profile'"),
    "Any": ("def f(x: Any): return x", "Any hides it"),
    "a literal": ("getattr(trt.BuilderFlag, name)", "detect a literal name"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_name_is_found(what: str, stubs: Path, tmp_path: Path) -> None:
    """Proves that the check above can fail, on 11.4."""
    code, problem = WRONG[what]
    source = tmp_path / "wrong.py"
    source.write_text(
        "import tensorrt as trt\n"
        "def made(network: trt.INetworkDefinition) -> trt.ITensor | None:\n"
        "    return network.get_input(0)\n"
        "def built(builder: trt.Builder, parser: trt.OnnxParser):\n"
        "    network = builder.create_network(0)\n"
        "    config = builder.create_builder_config()\n"
        f"    {code}\n"
    )
    (found,) = check_names("11.4", stubs, source)["problems"]
    assert "wrong.py:7: " in found
    assert problem in found
