"""The commands in docs/jetson.md exist."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from dehaze.export.cli import build_parser
from dehaze.runtime.trt.plugin_library import ENVIRONMENT, LIBRARY

ROOT = Path(__file__).parents[1]
JETSON = (ROOT / "docs" / "jetson.md").read_text()
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile.*"))


def test_the_extras_that_are_named_exist() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [JETSON, *(path.read_text() for path in DOCKERFILES)]
    named = {extra for text in texts for extra in re.findall(r"'\.\[([\w-]+)\]'", text)}
    assert {"jetson", "pycuda"} <= named
    assert named <= set(setup["options.extras_require"])


def test_the_engine_command_is_one() -> None:
    command = re.search(r"^dehaze-export (edge-fp16-tensorrt.*?)\n(?!    )", JETSON, re.M | re.S)
    assert command is not None
    options = build_parser().parse_args(command[1].replace("\\\n", " ").split())
    assert options.engine
    assert options.shapes[1] == (720, 1280)


def test_the_plugin_library_has_the_name_that_the_runtime_looks_for() -> None:
    assert f"{ENVIRONMENT}=/path/{LIBRARY}" in JETSON
    assert f"build/plugin/{LIBRARY}" in JETSON
    assert DOCKERFILES
    for path in DOCKERFILES:
        assert f"{ENVIRONMENT}=/opt/dehaze-edge/build/plugin/{LIBRARY}" in path.read_text()
    # setuptools and CMake both use the folder; what Docker copies must not replace the library.
    assert "build" in (ROOT / ".dockerignore").read_text().split()
