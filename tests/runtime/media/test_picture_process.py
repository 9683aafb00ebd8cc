from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import error_lines, picture

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.picture_process import PictureProcess
from dehaze.runtime.media.pictures import Picture, encode_picture, read_picture

# Python imports it at its start, in the process that reads pictures as in every other one.
FRAGILE = """
import os, signal, time
import cv2
decode = cv2.imdecodeWithMetadata
def fragile(data, *args, **options):
    if b"CRASH" in data.tobytes():
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"MEMORY" in data.tobytes():
        bytearray(8 << 30)
    if b"RAISES" in data.tobytes():
        raise ValueError("of no kind of ours")
    return decode(data, *args, **options)
cv2.imdecodeWithMetadata = fragile
"""


@pytest.fixture
def fragile_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV crashes at what says CRASH, and takes 8 GB at what says MEMORY, in other processes."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(FRAGILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "start"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a JPEG that says a word behind its end."""
    (tmp_path / "hazy").mkdir()

    def write_one(name: str, word: bytes = b"") -> Path:
        data = bytes(encode_picture(Picture(picture(64, 80)), ".jpg"))
        (tmp_path / "hazy" / name).write_bytes(data + word)
        return tmp_path / "hazy" / name

    return write_one


def test_a_picture_is_the_same_with_all_that_lay_beside_it(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, (50, 70, 3), np.uint16)
    path = tmp_path / "é.png"
    alpha = np.ascontiguousarray(deep[..., 0])
    path.write_bytes(encode_picture(Picture(deep, alpha), ".png"))
    with PictureProcess() as pictures:
        got, wanted = pictures.read(path, Notices()), read_picture(path)
    assert np.array_equal(got.rgb, wanted.rgb)
    assert got.alpha is not None
    assert np.array_equal(got.alpha, alpha)
    assert got.extras == wanted.extras
    got.rgb[:] = 0  # it is dehazed in its place


@pytest.mark.usefixtures("fragile_decoder")
def test_a_crash_costs_its_file_alone(write: Callable[..., Path]) -> None:
    good, bad = write("a.jpg"), write("b.jpg", b"CRASH")
    with PictureProcess() as pictures:
        assert pictures.read(good, Notices()).rgb.shape == (64, 80, 3)
        for _ in range(2):
            with pytest.raises(InputError, match=r"b\.jpg: the decoder was ended .*\(SIGSEGV\)"):
                pictures.read(bad, Notices())
            assert pictures.read(good, Notices()).rgb.shape == (64, 80, 3)


@pytest.mark.usefixtures("fragile_decoder")
def test_what_takes_too_much_memory_or_raises_is_told(write: Callable[..., Path]) -> None:
    with PictureProcess() as pictures:
        with pytest.raises(MemoryError):
            pictures.read(write("a.jpg", b"MEMORY"), Notices())
        with pytest.raises(InputError, match=r"cannot be read \(ValueError: of no kind of ours\)"):
            pictures.read(write("b.jpg", b"RAISES"), Notices())
        with pytest.raises(InputError, match="no-such"):
            pictures.read(write("c.jpg").with_name("no-such.jpg"), Notices())
        assert pictures.read(write("d.jpg"), Notices()).rgb.shape == (64, 80, 3)


def test_a_large_picture_behind_a_small_one_is_not_refused(tmp_path: Path) -> None:
    """The limit of memory is that of each picture."""
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    cv2.imwrite(str(small), picture(64, 64))
    cv2.imwrite(str(large), np.zeros((9600, 9600), np.uint8))  # counts 1.1 GB, 1 GB is spared
    with PictureProcess() as pictures:
        pictures.read(small, Notices())
        assert pictures.read(large, Notices()).rgb.shape == (9600, 9600, 3)


def test_a_process_that_was_killed_meanwhile_is_replaced(write: Callable[..., Path]) -> None:
    path = write("a.jpg")
    with PictureProcess() as pictures:
        pictures.read(path, Notices())
        assert pictures._process is not None
        pictures._process.kill()
        pictures._process.wait()
        assert pictures.read(path, Notices()).rgb.shape == (64, 80, 3)


@pytest.mark.usefixtures("fragile_decoder")
def test_a_folder_with_a_file_that_crashes_the_decoder_is_done(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    for number in range(6):
        write(f"{number}.jpg")
    write("2-crash.jpg", b"CRASH")
    write("4-crash.jpg", b"CRASH")
    write("5-memory.jpg", b"MEMORY")
    command = [sys.executable, "-m", "dehaze.runtime.cli", tmp_path / "hazy", tmp_path / "clear"]
    run = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in error_lines(run.stderr) if line]
    assert run.returncode == 5, run.stderr
    assert [Path(line.split(":")[1]).name for line in lines[:3]] == [
        "2-crash.jpg",
        "4-crash.jpg",
        "5-memory.jpg",
    ]
    assert "not enough memory" in lines[2]
    assert len(lines) == 4, lines
    assert sorted(p.name for p in (tmp_path / "clear").iterdir()) == [
        f"{number}.jpg" for number in range(6)
    ]


def test_no_code_of_the_working_folder_runs(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.jpg")
    (path.parent / "cv2.py").write_text("raise SystemExit")
    monkeypatch.chdir(path.parent)
    with PictureProcess() as pictures:
        assert pictures.read(path, Notices()).rgb.shape == (64, 80, 3)


def test_it_ends_with_the_program(write: Callable[..., Path]) -> None:
    path = write("a.jpg")
    with PictureProcess() as pictures:
        pictures.read(path, Notices())
        process = pictures._process
    assert process is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
