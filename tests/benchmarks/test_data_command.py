from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dehaze.benchmarks.cli import main


def write(folder: Path, *names: str, size: tuple[int, int] = (48, 64)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((*size, 3), 90, np.uint8))


def checked(capsys: pytest.CaptureFixture[str], folder: Path, code: int = 0) -> list[str]:
    assert main(["data", str(folder)]) == code
    return capsys.readouterr().out.splitlines()


def test_every_data_set_below_a_folder_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "SOTS/indoor/hazy/1400_1.png", "SOTS/indoor/hazy/1400_2.png")
    write(tmp_path, "SOTS/indoor/gt/1400.png", size=(68, 84))  # with NYU's border
    write(tmp_path, *(f"o-haze/{kind}/{n}.webp" for kind in ("hazy", "GT") for n in range(7)))
    write(tmp_path, "mine/a.jpg", size=(30, 40))
    write(tmp_path, "mine/b.png", size=(60, 80))
    write(tmp_path, "BeDDE/beijing/fog/beijing_1.png", "BeDDE/beijing/gt/beijing_clear.png")
    write(tmp_path, "BeDDE/hefei/fog/hefei_1.png", "BeDDE/hefei/gt/hefei_clear.png")
    assert checked(capsys, tmp_path) == [
        f"{tmp_path}/BeDDE: BeDDE, 2 hazy pictures of 2 scenes, 64x48, "
        "dehaze-train holds out 1 at the end",
        f"{tmp_path}/SOTS/indoor: SOTS-indoor, 2 hazy pictures of 1 scenes, 64x48, "
        "RESIDE's test half, not to be trained on",
        f"{tmp_path}/mine: photographs, 2 pictures, 40x30 to 80x60, "
        "dehaze-train holds out 1 of them, spread",
        f"{tmp_path}/o-haze: pairs, 7 hazy pictures of 7 scenes, 64x48, "
        "dehaze-train holds out 5 at the end",
    ]


def test_scenes_without_their_partner_and_other_sizes_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a/hazy/1.png", "a/hazy/2.png", "a/clear/1.png")
    write(tmp_path, "b/hazy/1.png", "b/GT/2.png", "b/hazy/2.png")
    write(tmp_path, "b/GT/1.png", size=(48, 65))
    write(tmp_path, "c/image/1.png", "c/image/2.png", "c/depth/2.png")
    write(tmp_path, "c/depth/1.png", size=(24, 32))
    (tmp_path / "c/depth/2.png").write_bytes(b"no picture")
    lines = checked(capsys, tmp_path, 1)
    assert lines[0] == f"{tmp_path}/a: cannot be used"
    assert "2.png: expected its clear picture 2.*" in lines[1]
    assert lines[2].startswith(f"{tmp_path}/b: pairs, 2 hazy pictures of 2 scenes, 64x48")
    assert "1.png: expected the size of" in lines[3]
    assert "expected one depth per pixel of 1.png, 64x48, got 32x24, and 1 others" in lines[5]


def test_a_folder_without_data_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").mkdir()
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert main(["data", str(folder)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert "expected pictures, hazy/ with clear/ or GT/" in printed.err
        assert "docs/data.md" in printed.err
