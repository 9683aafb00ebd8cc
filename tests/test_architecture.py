"""The rules of the layout, read from the code itself."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest
from architecture import (
    PACKAGES,
    ROOT,
    between_rooms,
    circles,
    files_per_folder,
    imports_of,
    layers,
    package_of,
    read_code,
    room_of,
)

ALLOWED = {
    "runtime": set(),
    "train": {"runtime"},
    "export": {"train", "runtime"},
    "benchmarks": {"runtime"},
}
"""export -> train -> runtime <- benchmarks."""

LAYERS = {
    "runtime": (
        "compiled decoding errors prefetch timing",
        "output_file isolated model haze cuda",
        "media",
        "command session preview datasets",
        "providers",
        "onnxruntime_session trt",
        "backends",
        "dehazer",
        "stream doctor",
        "files live",
        "cli_options __init__",
        "cli",
    ),
    "train": (
        "data networks muon shipped __init__",
        "recipe losses",
        "run objective",
        "step teachers validation",
        "loop tuning",
        "average bare_machine cli",
    ),
    "export": (
        "graph __init__",
        "precision trt",
        "model_file",
        "network_origin",
        "calibrate_shipped cli_options",
        "cli",
    ),
    "benchmarks": (
        "results __init__",
        "measure video",
        "report gpu_check",
        "data_command detect_command flicker_command formats_command latency_command "
        "quality_command video_command cli_options",
        "cli",
    ),
}
"""Rooms, and the modules outside of rooms, from the lowest layer to the highest. Each may import
what stands in the layers before its own: `media` knows nothing of models or of commands."""

MOST_FILES = 14
"""The limit on files in a folder of a package that `LAYERS` holds."""

OPTIONAL_TORCH = {"dehaze.benchmarks.measure.quality.perceptual"}
"""Modules that use torch where it is installed: LPIPS is defined by a network in it."""

CODE = read_code()


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    allowed = ALLOWED[package] | {package}
    arrows = [(a, b) for a, b in CODE.arrows if package_of(a) == package]
    assert [(a, b) for a, b in arrows if package_of(b) not in allowed] == []


@pytest.mark.parametrize("package", ["runtime", "benchmarks"])
def test_no_torch_and_no_onnx_in(package: str) -> None:
    for module, path in CODE.files.items():
        if package_of(module) == package and module not in OPTIONAL_TORCH:
            names = {found.module.split(".")[0] for found in imports_of(path, module)}
            assert not names & {"torch", "onnx", "torchvision"}, path


@pytest.mark.parametrize("package", LAYERS)
def test_rooms_import_lower_layers_alone(package: str) -> None:
    height = {name: row for row, names in enumerate(LAYERS[package]) for name in names.split()}
    rooms = {room_of(module) for module in CODE.files if package_of(module) == package}
    assert rooms == set(height), "LAYERS must hold every room and every module outside of rooms"
    for importer, imported in sorted(CODE.within(package)):
        a, b = room_of(importer), room_of(imported)
        assert a == b or height[a] > height[b], f"{importer} imports {imported}"


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_circles(package: str) -> None:
    arrows = CODE.within(package)
    assert circles(arrows) == []
    assert circles(between_rooms(arrows)) == []


@pytest.mark.parametrize("package", LAYERS)
def test_a_folder_has_few_files_and_says_what_it_is(package: str) -> None:
    folders = files_per_folder(CODE)
    own = {name: count for name, count in folders.items() if name.split("/")[0] == package}
    assert {name: count for name, count in own.items() if count > MOST_FILES} == {}
    for name in own.keys() - {package}:
        module = import_module(f"dehaze.{name.replace('/', '.')}")
        assert (module.__doc__ or "").strip().endswith("."), f"{name}/__init__.py says nothing"


def test_every_folder_is_packaged() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {f"dehaze.{name.replace('/', '.')}" for name in files_per_folder(CODE)}
    assert set(setup["options"]["packages"].split()) == folders


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tests_lie_in_folders_of_the_same_names(package: str) -> None:
    for path in (ROOT / "tests" / package).rglob("test_*.py"):
        assert (ROOT / path.parent.relative_to(ROOT / "tests")).is_dir(), path


def test_circles_and_layers_are_found_where_there_are_any() -> None:
    arrows = {("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}
    assert circles(arrows) == [["b", "c"]]
    assert layers(arrows) == 3


def test_imports_are_read_wherever_they_stand(tmp_path: Path) -> None:
    folder = tmp_path / "runtime" / "media"
    folder.mkdir(parents=True)
    (tmp_path / "runtime" / "cli.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "sound.py").write_text("def f():\n    from .. import cli\n    from . import colour\n")
    (folder / "colour.py").write_text(
        "if TYPE_CHECKING:\n    from dehaze.runtime.cli import main\n"
    )
    assert read_code(tmp_path).arrows == {
        ("dehaze.runtime.media.sound", "dehaze.runtime.cli"),
        ("dehaze.runtime.media.sound", "dehaze.runtime.media.colour"),
        ("dehaze.runtime.media.colour", "dehaze.runtime.cli"),
    }


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
