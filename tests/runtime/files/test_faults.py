"""Faults of files and disks, made to happen."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import VideoMaker, error_lines, picture
from fuzz_media import fuzz

from dehaze.runtime.files.plan import plan_jobs

MUTATIONS = 1000
TESTS = Path(__file__).parents[2]


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """Longer: python tests/fuzz_media.py --count 20000 --seed 1."""
    outcomes: Counter[str] = Counter()
    for verdict in fuzz(tmp_path, MUTATIONS, seed=0):
        outcomes[verdict.outcome] += 1
        assert verdict.outcome in ("read", "refused"), verdict
    assert outcomes["read"] > MUTATIONS / 10
    assert outcomes["refused"] > MUTATIONS / 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def noise(folder: Path) -> Path:
    """A picture of 600 kB."""
    path = folder / "noise.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (480, 420, 3), np.uint8))
    return path


def dehaze_run(*arguments: object, file_bytes: int | None = None) -> tuple[int, str]:
    """Exit code and standard error of the command, which may write so much to a file."""

    def limit() -> None:
        if file_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    command = [sys.executable, "-m", "dehaze.runtime.cli", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    return run.returncode, run.stderr


def test_a_full_disk_is_told_and_keeps_nothing_of_a_picture(
    small_disk: Path, tmp_path: Path
) -> None:
    code, message = dehaze_run(noise(tmp_path), small_disk / "out.png")
    assert code == 1
    assert len(error_lines(message)) == 1
    assert "out.png: cannot be written (No space left on device)" in message
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_full_disk_is_told_and_keeps_nothing_of_a_video(
    suffix: str, small_disk: Path, make_video: VideoMaker
) -> None:
    source = make_video(frames=40, size=(320, 240))
    code, message = dehaze_run(source, small_disk / f"out{suffix}", "--quality", "1")
    assert code == 1, message
    assert len(error_lines(message)) == 1
    assert "No space left on device" in message
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_a_limit_on_the_size_of_files_is_told(
    kind: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    source = noise(tmp_path) if kind == "picture" else make_video(frames=40, size=(320, 240))
    target = tmp_path / "out" / source.name
    code, message = dehaze_run(source, target, "--quality", "1", file_bytes=50_000)
    assert code == 1
    assert len(error_lines(message)) == 1
    assert "File too large" in message
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_fails_the_batch_file_by_file(small_disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hazy"
    folder.mkdir()
    noise(folder)
    cv2.imwrite(str(folder / "small.png"), picture(64, 64))
    code, message = dehaze_run(folder, small_disk)
    assert code == 5
    assert "noise.png: cannot be written (No space left on device)" in message
    assert [path.name for path in small_disk.iterdir()] == ["small.png"]


def test_a_killed_video_leaves_nothing_under_its_name(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    source, target = make_video(frames=1000, size=(160, 96)), tmp_path / "out.mp4"
    command = [sys.executable, "-m", "dehaze.runtime.cli", str(source), str(target)]
    run = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in tmp_path.glob("*.part.mp4")):
        assert time.monotonic() < deadline, "nothing was written in a minute"
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not target.exists()
    assert dehaze_run(source, target)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_an_unreadable_folder_of_a_tree_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hazy" / "hidden").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "hazy" / "a.png"), picture(64, 64))
    scandir = os.scandir

    def denying(folder: Path) -> object:  # root, who runs the tests, may read everything
        if Path(folder).name == "hidden":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("dehaze.runtime.files.plan.os.scandir", denying)
    plan = plan_jobs(str(tmp_path / "hazy"), None, "-clear", recursive=True)
    assert [job.source.name for job in plan.jobs] == ["a.png"]
    ((folder, error),) = plan.unreadable.items()
    assert error == f"{folder}: cannot be read (Permission denied)"


def test_a_system_call_that_fails_costs_its_file_alone() -> None:
    """All of them: python tests/fault_runs.py."""
    outcome = last_line_of("fault_runs.py", "--points", "6")
    assert int(outcome.split()[0]) >= 6, outcome


def test_a_batch_that_is_killed_is_done_by_the_next_one() -> None:
    """More: python tests/fault_runs.py --kills 100."""
    assert last_line_of("fault_runs.py", "--kills", "2").startswith("2 points, 0 wrong")


def test_a_recording_is_readable_up_to_a_fault_and_up_to_a_kill() -> None:
    """More: python tests/fault_recordings.py."""
    outcome = last_line_of("fault_recordings.py", "--points", "1", "--kills", "1")
    assert outcome.startswith("2 points, 0 wrong")


def last_line_of(tool: str, *arguments: str) -> str:
    """The last line that a tool of tests/ prints."""
    if sys.platform != "linux" or not shutil.which("cc"):
        pytest.skip("needs Linux and a C compiler, cc")
    command = [sys.executable, str(TESTS / tool), *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()[-1]
