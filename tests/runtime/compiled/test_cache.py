"""Compiled code is kept in a private folder, and whatever is wrong with it a run goes on.

Code that was kept is loaded without numba.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from dehaze.runtime.compiled import compiled, tell_of_compiling

@compiled
def double(values):
    for i in range(len(values)):
        values[i] *= 2

if sys.argv[1:] == ["full"]:  # no file may grow beyond this
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
if sys.argv[1:] == ["tell"]:
    tell_of_compiling(lambda: print("compiling", end=" "))
arrays = [np.full(3, 21, np.int64) for _ in range(4)]
with ThreadPoolExecutor(4) as pool:
    list(pool.map(double, arrays))
numba = sys.modules.get("numba")
print(*(int(a[0]) for a in arrays), numba and numba.config.DISABLE_JIT)
"""
COMPILED, LOADED = "42 42 42 42 0\n", "42 42 42 42 None\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def first_run(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of a cache that one run has filled."""
    place = tmp_path_factory.mktemp("place")
    assert run(program, place) == COMPILED
    return place


def start(
    program: Path, place: Path, *arguments: str, prefix: tuple[str, ...] = (), **options: Any
) -> subprocess.Popen[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(place), **options.pop("env", {})}
    return subprocess.Popen(
        [*prefix, sys.executable, str(program), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(program: Path, place: Path, *arguments: str, **options: Any) -> str:
    process = start(program, place, *arguments, **options)
    out, errors = process.communicate(timeout=300)
    assert errors == ""
    return out


def test_compiling_is_told_once_and_loading_is_not(program: Path, tmp_path: Path) -> None:
    assert run(program, tmp_path, "tell") == "compiling " + COMPILED
    assert run(program, tmp_path, "tell") == LOADED


def kept(place: Path) -> list[Path]:
    return sorted(place.rglob("*.o"))


def private(place: Path) -> Path:
    return place / f"dehaze-edge-{os.geteuid()}"


def test_what_was_compiled_is_kept_where_nobody_else_may_write(
    program: Path, first_run: Path
) -> None:
    assert private(first_run).stat().st_mode & 0o777 == 0o700
    before = {path: path.stat().st_mtime_ns for path in kept(first_run)}
    assert len(before) == 1
    assert run(program, first_run) == LOADED
    assert {path: path.stat().st_mtime_ns for path in kept(first_run)} == before


@pytest.mark.parametrize("damage", ["emptied", "one bit"])
def test_a_damaged_cache_is_made_anew(
    damage: str, program: Path, first_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(private(first_run), private(tmp_path))
    (code,) = kept(tmp_path)
    whole = code.read_bytes()
    bit = whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]
    code.write_bytes(b"" if damage == "emptied" else bit)
    assert run(program, tmp_path) == COMPILED
    assert run(program, tmp_path) == LOADED
    assert kept(tmp_path) == [code]


def test_what_no_run_has_used_for_a_month_is_removed(
    program: Path, first_run: Path, tmp_path: Path
) -> None:
    """Such as the files of an older version, when a newer one compiles."""
    month_ago, week_ago = time.time() - 31 * 86_400, time.time() - 7 * 86_400
    shutil.copytree(private(first_run), private(tmp_path))
    (used,) = kept(tmp_path)
    others = {"older-0.o": month_ago, "other-0.o": week_ago, "older.unfinished": month_ago}
    others["notes"] = month_ago  # not ours
    for name, when in others.items():
        path = private(tmp_path) / name
        path.write_bytes(b"code")
        os.utime(path, (when, when))
    os.utime(used, (month_ago, month_ago))
    assert run(program, tmp_path) == LOADED  # nothing is removed, and this one is in use
    assert len(list(private(tmp_path).iterdir())) == 6
    changed = tmp_path / "program.py"
    changed.write_text(program.read_text() + "# a newer version\n")
    assert run(changed, tmp_path) == COMPILED
    left = {path.name for path in private(tmp_path).iterdir()}
    (new,) = set(kept(tmp_path)) - {used, private(tmp_path) / "other-0.o"}
    assert left == {used.name, new.name, "other-0.o", "notes", "lock"}


def test_a_full_disk_does_not_matter(program: Path, tmp_path: Path) -> None:
    assert run(program, tmp_path, "full") == COMPILED
    assert {path.name for path in private(tmp_path).iterdir()} == {"lock"}


@pytest.mark.parametrize("trap", ["others may write", "a link"])
def test_a_folder_that_is_not_private_is_not_used(trap: str, program: Path, tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir(mode=0o700)
    if trap == "a link":
        private(place).symlink_to(elsewhere)
    else:
        private(place).mkdir()
        private(place).chmod(0o777)
    run(program, place)
    assert kept(tmp_path) == []


def test_the_working_folder_says_nothing(program: Path, tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="numba reads its file only where PyYAML is there")
    (tmp_path / ".numba_config.yaml").write_text("disable_jit: 1\n")
    assert run(program, tmp_path, cwd=tmp_path) == COMPILED


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_user_without_a_home_can_run(program: Path, tmp_path: Path) -> None:
    """Three at once, with another user's number; the capability lets it read this checkout."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs util-linux' setpriv")
    tmp_path.chmod(0o1777)
    prefix = ("setpriv", "--reuid=54321", "--clear-groups")
    prefix += tuple(f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient"))
    options: dict[str, Any] = {"prefix": prefix, "env": {"HOME": "/nonexistent"}, "cwd": "/"}
    for process in [start(program, tmp_path, **options) for _ in range(3)]:
        out, errors = process.communicate(timeout=300)
        assert errors == "" and out in (COMPILED, LOADED)
    assert {path.stat().st_uid for path in kept(tmp_path)} == {54321}
