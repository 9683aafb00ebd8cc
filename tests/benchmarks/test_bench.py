from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import picture

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.quality import paired_pictures
from dehaze.benchmarks.surroundings import data_of
from dehaze.runtime import InputError, open_dehazer


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for name in ("hazy/1400_1", "hazy/1400_10", "hazy/1401_2", "clear/1400", "clear/1401"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture(64, 80, len(name)))
    return tmp_path


def test_hazy_pictures_find_their_clear_ones(pairs: Path) -> None:
    names = [(hazy.stem, clear.stem) for hazy, clear in paired_pictures(pairs)]
    assert names == [("1400_1", "1400"), ("1400_10", "1400"), ("1401_2", "1401")]
    (pairs / "clear" / "1401.png").unlink()
    with pytest.raises(InputError, match="expected its clear picture"):
        paired_pictures(pairs)
    with pytest.raises(InputError, match="expected hazy/ and clear/"):
        paired_pictures(pairs / "hazy")


def test_quality_is_the_mean_psnr_of_the_pictures(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quality", "edge", "--data", str(pairs), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    [report] = document["results"]
    assert document["data"]["number"] == 5  # pictures, hazy and clear
    expected = []
    with open_dehazer() as dehazer:
        for hazy, clear in paired_pictures(pairs):
            result = dehazer(cv2.imread(str(hazy))[..., ::-1].copy()).astype(float)
            error = np.mean((result - cv2.imread(str(clear))[..., ::-1]) ** 2)
            expected.append(10 * np.log10(255**2 / error))
    assert [p["name"] for p in report["pictures"]] == ["1400_1", "1400_10", "1401_2"]
    assert [p["psnr_db"] for p in report["pictures"]] == pytest.approx(expected, abs=2e-3)
    assert report["means"]["psnr_db"] == pytest.approx(np.mean(expected), abs=2e-3)
    assert 0 < report["means"]["ssim"] < 1


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


def test_a_wrong_size_gives_2() -> None:
    with pytest.raises(SystemExit) as left:
        main(["latency", "edge", "--size", "big"])
    assert left.value.code == 2


def test_missing_pairs_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quality", "edge", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_edge_reaches_22_db_on_sots_indoor(shared_data: Path) -> None:
    """The shipped model on all 100 pictures; SSIM is left to dehaze-bench quality."""
    scores = []
    with open_dehazer("edge") as dehazer:
        for hazy, clear in paired_pictures(shared_data / "sots-indoor"):
            result = dehazer(cv2.imread(str(hazy), cv2.IMREAD_COLOR_RGB)).astype(float)
            error = np.mean((result - cv2.imread(str(clear), cv2.IMREAD_COLOR_RGB)) ** 2)
            scores.append(10 * np.log10(255**2 / error))
    assert len(scores) == 100
    assert np.mean(scores) >= 22
