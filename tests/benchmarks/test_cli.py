from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from conftest import picture

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.measure.surroundings import data_of


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for name in ("hazy/1400_1", "hazy/1400_10", "hazy/1401_2", "clear/1400", "clear/1401"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture(64, 80, len(name)))
    return tmp_path


def test_the_data_are_known_by_names_and_contents(pairs: Path, tmp_path: Path) -> None:
    def sha256(folder: Path) -> str:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return data_of(folder, files, "").sha256

    first, moved = sha256(pairs), tmp_path / "elsewhere"
    assert len(first) == 64
    shutil.copytree(pairs, moved, ignore=shutil.ignore_patterns("elsewhere"))
    assert sha256(moved) == first
    (moved / "hazy" / "1400_1.png").rename(moved / "hazy" / "1400_2.png")
    renamed = sha256(moved)
    with (moved / "hazy" / "1400_2.png").open("ab") as file:
        file.write(b"x")
    assert len({first, renamed, sha256(moved)}) == 3


def test_a_package_of_the_extra_that_is_absent_gives_one_line() -> None:
    code = (
        "import sys\n"
        "sys.modules['skimage'] = sys.modules['skimage.metrics'] = None\n"
        "from dehaze.benchmarks.cli import main\n"
        "sys.exit(main(['quality', 'none', '--data', '.']))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "dehaze-bench quality needs the package skimage" in run.stderr


def test_a_wrong_size_gives_2() -> None:
    with pytest.raises(SystemExit) as left:
        main(["latency", "edge", "--size", "big"])
    assert left.value.code == 2
