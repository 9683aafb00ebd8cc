"""The TensorRT plugin as a library: built, looked into, loaded, driven.

TENSORRT_INCLUDE_DIRS lists folders with TensorRT's headers, of several versions perhaps;
TENSORRT_LEAN_PYTHONS lists Python interpreters that have tensorrt-lean-cu13-bindings and -libs.
Both are separated as PATH is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[3] / "export" / "plugin"
HARNESS = Path(__file__).parent / "harness.cpp"
INCLUDES = [Path(p) for p in os.environ.get("TENSORRT_INCLUDE_DIRS", "").split(os.pathsep) if p]
PYTHONS = [p for p in os.environ.get("TENSORRT_LEAN_PYTHONS", "").split(os.pathsep) if p]


def run(*command: str | Path) -> str:
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def major_version(include: Path) -> int:
    text = (include / "NvInferVersion.h").read_text()
    numbers = re.findall(r"#define (?:NV_TENSORRT_MAJOR|TRT_MAJOR_ENTERPRISE) (\d+)", text)
    return int(numbers[0])


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """A library for each folder of headers, for one architecture."""
    if not INCLUDES:
        pytest.skip("TENSORRT_INCLUDE_DIRS names no folder with TensorRT's headers")
    for tool in ("nvcc", "cmake", "g++", "nm", "readelf"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("plugin")
    built = {}
    for index, include in enumerate(INCLUDES):
        options = [f"-DTENSORRT_INCLUDE_DIR={include}", "-DCMAKE_CUDA_ARCHITECTURES=87"]
        run("cmake", "-S", PLUGIN, "-B", folder, *options)
        said = run("cmake", "--build", folder)
        assert "warning" not in said, said
        built[include] = folder / f"{index}.so"
        shutil.copy(folder / "libhaze_deform_conv2d.so", built[include])
    return built


def test_it_needs_neither_tensorrt_nor_cuda_libraries(libraries: dict[Path, Path]) -> None:
    for library in libraries.values():
        undefined = run("nm", "-DC", "--undefined-only", library)
        assert "nvinfer" not in undefined
        assert "cuda" not in undefined
        needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", library))
        allowed = r"(libstdc\+\+|libgcc_s|libc|libm|libdl|librt|libpthread|ld-linux.*)\.so\.\d+"
        assert needed
        assert all(re.fullmatch(allowed, name) for name in needed), needed


def test_it_shows_its_three_functions_alone(libraries: dict[Path, Path]) -> None:
    for library in libraries.values():
        lines = run("nm", "-D", "--defined-only", library).splitlines()
        names = {line.split()[-1] for line in lines}
        assert names == {"getCreators", "setLoggerFinder", "haze_deform_conv2d_launch"}


def test_the_harness_finds_nothing_wrong(libraries: dict[Path, Path], tmp_path: Path) -> None:
    """Every harness takes every library: the interfaces are the same in 10.3 and 11.1."""
    cuda = Path(os.path.realpath(shutil.which("nvcc") or "")).parent.parent / "include"
    if not (cuda / "cuda_runtime_api.h").exists():
        cuda = Path("/usr/local/cuda/include")
    for include in libraries:
        program = tmp_path / "harness"
        options = ["-std=c++17", "-rdynamic", "-Wall", "-Wextra", "-Werror", "-isystem", include]
        run("g++", *options, "-isystem", cuda, HARNESS, "-o", program, "-ldl")
        for other, library in libraries.items():
            is_other = major_version(include) != major_version(other)
            assert "all met" in run(program, library, *["other"] * is_other)


LEAN = """
import array, sys
import tensorrt_lean_bindings as tensorrt

numbers = dict(stride=[2, 1], padding=[1, 0], dilation=[1, 2], groups=[1], offset_groups=[2])
arrays = {}


def create(**changes):
    fields = []
    for name, values in {**numbers, **changes}.items():
        arrays[name] = array.array("i", values)  # a PluginField does not keep its data alive
        fields.append(tensorrt.PluginField(name, arrays[name], tensorrt.PluginFieldType.INT32))
    collection = tensorrt.PluginFieldCollection(fields)
    return creator.create_plugin("node", collection, tensorrt.TensorRTPhase.BUILD)


registry = tensorrt.get_plugin_registry()
assert registry.get_creator("HazeDeformConv2d", "1", "dehaze") is None
library = registry.load_library(sys.argv[1])
creator = registry.get_creator("HazeDeformConv2d", "1", "dehaze")
assert {field.name: field.size for field in creator.field_names} == {
    name: len(values) for name, values in numbers.items()
}
plugin = create()
for kind in tensorrt.PluginCapabilityType.__members__.values():
    assert plugin.get_capability_interface(kind) is not None
assert create(stride=[0, 1]) is None
print("TensorRT", tensorrt.__version__)
"""


@pytest.mark.parametrize("python", PYTHONS or [None])
def test_a_real_registry_loads_it(libraries: dict[Path, Path], python: str | None) -> None:
    """The library loads in a process of its own, without a runtime: with no GPU that crashes."""
    if python is None:
        pytest.skip("TENSORRT_LEAN_PYTHONS names no Python with TensorRT's lean runtime")
    for library in libraries.values():
        said = run(python, "-c", LEAN, library)
        assert "TensorRT" in said
        assert "expected field stride to be from 1 to 2^30, got 0" in said
