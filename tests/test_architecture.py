"""The rules of the layout, read from the code itself."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "runtime": set(),
    "train": {"runtime"},
    "export": {"train", "runtime"},
    "benchmarks": {"runtime"},
}
"""export -> train -> runtime <- benchmarks."""


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere, those of `dehaze` by folder."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            if node.module == "dehaze":
                names |= {f"dehaze.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level > 1:
            names.add("relative import out of the package")
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    allowed = {f"dehaze.{name}" for name in ALLOWED[package] | {package}} | {"dehaze"}
    for path in sorted((ROOT / package).rglob("*.py")):
        for name in imports_of(path):
            assert "relative" not in name, path
            if name.split(".")[0] == "dehaze":
                assert ".".join(name.split(".")[:2]) in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("package", ["runtime", "benchmarks"])
def test_no_torch_and_no_onnx_in(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        heavy = {name.split(".")[0] for name in imports_of(path)} & {"torch", "onnx", "torchvision"}
        assert not heavy, f"{path} imports {heavy}"


def test_runtime_works_with_torch_absent() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from dehaze.runtime import open_dehazer\n"
        "with open_dehazer('edge', threads=1) as dehazer:\n"
        "    print(dehazer(np.zeros((64, 64, 3), np.uint8)).shape)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "(64, 64, 3)\n", result.stderr


@pytest.mark.parametrize("command", ["runtime", "export", "train", "benchmarks"])
def test_help_imports_nothing_slow(command: str) -> None:
    code = (
        "import sys\n"
        f"from dehaze.{command}.cli import build_parser\n"
        "build_parser().format_help()\n"
        "print({'numpy', 'cv2', 'av', 'onnxruntime', 'torch', 'onnx', 'tqdm'} & set(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr


def test_public_names_resolve_and_are_all_listed() -> None:
    runtime = import_module("dehaze.runtime")
    for name in runtime.__all__:
        assert getattr(runtime, name).__name__ == name
    assert set(runtime._HOME) == set(runtime.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = runtime.no_such_name


def test_nothing_is_collected_in_the_home_folder(tmp_path: Path) -> None:
    """ONNX Runtime's wheels gather telemetry in ~/.cache unless told not to."""
    code = (
        "import numpy as np\n"
        "from dehaze.runtime import open_dehazer\n"
        "with open_dehazer(threads=1) as dehazer:\n"
        "    dehazer(np.zeros((64, 64, 3), np.uint8))\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.rglob("*")) == []
