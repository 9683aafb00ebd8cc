"""All of it without what POSIX alone has: `without_posix/sitecustomize.py` takes that away."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from camera_server import camera
from conftest import VideoMaker, error_lines, picture, video_frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes Linux' names away")

WITHOUT_POSIX = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parent / "without_posix"),
    "PYTHONIOENCODING": "ascii",
}
RUN = [sys.executable, "-m", "dehaze.runtime.cli"]
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        importlib.import_module(found.name)
"""
PROBE = """
import os, select, signal, sys
def refused(action):
    try:
        action()
    except (AttributeError, ImportError, OSError):
        return True
    return False
def imports():
    import fcntl
file = open(sys.argv[1], "w")
print(all(map(refused, [
    lambda: os.fork, lambda: signal.SIGHUP, lambda: os.O_NOFOLLOW, imports,
    lambda: select.select([0], [], [], 0), lambda: os.replace(file.name, file.name + "2"),
    lambda: os.remove(file.name), lambda: open("/proc/self/status"),
])))
"""


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    return subprocess.run(words, env=WITHOUT_POSIX, capture_output=True, timeout=300, **options)


def dehaze_run(*options: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
    done = run(*RUN, *options, **more)
    assert done.returncode == 0, done.stderr.decode()
    return done


def test_the_names_are_really_gone(tmp_path: Path) -> None:
    program = f"import runpy; runpy.run_path({str(tmp_path / 'p.py')!r}, run_name='dehaze.probe')"
    (tmp_path / "p.py").write_text(PROBE)
    done = run(sys.executable, "-c", program, tmp_path / "open")
    assert done.stdout == b"True\n", done.stderr.decode()


@pytest.mark.parametrize("packages", ["runtime benchmarks", "train export"])
def test_every_module_can_be_imported(packages: str) -> None:
    if "train" in packages and importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch")
    done = run(sys.executable, "-c", IMPORT_ALL, *(f"dehaze.{p}" for p in packages.split()))
    assert done.returncode == 0, done.stderr.decode()


def test_a_picture_is_dehazed_and_written_over(tmp_path: Path) -> None:
    source = tmp_path / "dunst ü.png"
    cv2.imwrite(str(source), picture(64, 96))
    dehaze_run(source)
    dehaze_run(source, "--output", tmp_path / "dunst ü-dehazed.png", "--overwrite")
    result = cv2.imread(str(tmp_path / "dunst ü-dehazed.png"))
    assert result is not None and result.std() > picture(64, 96).std()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_video_is_dehazed(make_video: VideoMaker, tmp_path: Path) -> None:
    clip = make_video(frames=12, audio=True)
    dehaze_run(clip)
    assert len(video_frames(tmp_path / "clip-dehazed.mp4")) == 12


def test_a_folder_is_dehazed(make_video: VideoMaker, tmp_path: Path) -> None:
    make_video(frames=12, audio=True)
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 96))
    done = dehaze_run(tmp_path, tmp_path / "clear", "--json")
    names = [Path(file["input"]).name for file in json.loads(done.stdout)["files"]]
    assert names == ["a.png", "clip.mp4"]
    assert len(video_frames(tmp_path / "clear" / "clip.mp4")) == 12


def test_frames_go_through_pipes() -> None:
    frames = np.stack([picture(64, 96, phase) for phase in range(5)])
    done = dehaze_run("-", "-", "--raw", "96x64@25", "--json", input=frames.tobytes())
    assert len(done.stdout) == frames.nbytes
    assert json.loads(error_lines(done.stderr.decode())[-1])["frames"] == 5


def test_a_camera_is_recorded_and_sent_until_ctrl_c(tmp_path: Path) -> None:
    with camera([picture(64, 96, phase) for phase in range(5)]) as address:
        for target in (tmp_path / "out.mp4", tmp_path / "live.m3u8"):
            process = subprocess.Popen(
                [*RUN, address, str(target)], env=WITHOUT_POSIX, stderr=subprocess.PIPE
            )
            deadline = time.monotonic() + 90
            while not any(p.stat().st_size for p in tmp_path.glob(f"*{target.stem}*")):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.1)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors.decode()
    assert len(video_frames(tmp_path / "out.mp4")) > 3
    assert (tmp_path / "live.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")


@pytest.mark.parametrize("command", ["runtime", "train", "export", "benchmarks"])
def test_help_needs_no_more_than_ascii(command: str) -> None:
    program = f"from dehaze.{command}.cli import main; main(['--help'])"
    done = run(sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr.decode()
    assert b"usage: dehaze-" in done.stdout
