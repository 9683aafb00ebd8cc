"""dehaze-run on pipes and cameras, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_server import camera
from conftest import VideoMaker, error_lines, picture, video_frames

from dehaze.runtime import open_dehazer
from dehaze.runtime.cli import main
from dehaze.runtime.stream import Stream, StreamOptions

RUN = [sys.executable, "-m", "dehaze.runtime.cli"]
FRAMES = np.stack([picture(64, 96, phase) for phase in (0, 0.1, 0.2, 3)])


def dehaze_run(*options: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*RUN, *options], capture_output=True, timeout=60, **settings)


def test_frames_go_through_a_pipe_as_through_the_stream() -> None:
    run = dehaze_run("-", "-", "--raw", "96x64@25", "--json", input=FRAMES.tobytes())
    assert run.returncode == 0, run.stderr
    got = np.frombuffer(run.stdout, np.uint8).reshape(FRAMES.shape)
    with open_dehazer(threads=1) as dehazer:
        stream = Stream(dehazer, StreamOptions())
        expected = [stream(frame).pixels for frame in FRAMES]
    assert np.abs(got.astype(int) - expected).max() <= 1
    figures = json.loads(error_lines(run.stderr.decode())[-1])
    assert figures["frames"] == 4
    assert 0 <= figures["haze"] <= 1


def test_a_frame_cut_off_is_told_beside_the_frames_and_not_among_them() -> None:
    data = FRAMES.tobytes()[:-5]
    run = dehaze_run("-", "-", "--raw", "96x64@25", "--json", input=data)
    assert run.returncode == 1
    assert len(run.stdout) == 3 * FRAMES[0].nbytes
    report, line = error_lines(run.stderr.decode())
    assert "ended within frame 4" in json.loads(report)["error"]
    assert line.startswith("dehaze-run: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [*RUN, "-", "-", "--raw", "96x64@25"],
            input=FRAMES.tobytes(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert run.returncode == 1
    (line,) = error_lines(run.stderr.decode())
    assert "standard output cannot be written (No space left on device)" in line


def test_a_reader_that_stalls_does_not_hold_up_the_end() -> None:
    run = subprocess.Popen(
        [*RUN, "-", "-", "--raw", "640x480@25"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert run.stdin is not None and run.stdout is not None
    frame = bytes(640 * 480 * 3)
    feeding = threading.Thread(target=feed, args=(run, frame))
    feeding.start()
    run.stdout.read(1000)  # and then no more
    time.sleep(1)
    run.send_signal(signal.SIGTERM)
    try:
        assert run.wait(timeout=15) == 0
    finally:
        run.kill()
        feeding.join()


def feed(run: subprocess.Popen[bytes], frame: bytes) -> None:
    assert run.stdin is not None
    try:
        for _ in range(20):
            run.stdin.write(frame)
        run.stdin.close()
    except BrokenPipeError:
        pass


def test_a_camera_is_recorded_until_it_is_stopped(tmp_path: Path) -> None:
    with camera([picture(96, 128)]) as address:
        target = tmp_path / "out.mp4"
        run = subprocess.Popen(
            [*RUN, address, str(target), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 30
        while not any(p.stat().st_size for p in tmp_path.glob(".*.part.*mp4")):
            assert time.monotonic() < deadline, "nothing was recorded"
            time.sleep(0.1)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    figures = json.loads(out)
    assert figures["frames"] == len(video_frames(target)) > 5
    assert figures["backend"].startswith("onnxruntime")


@pytest.mark.parametrize("kind", ["fifo", "standard input"])
def test_a_video_may_come_through_a_pipe(kind: str, make_video: VideoMaker, tmp_path: Path) -> None:
    video = make_video(frames=12, size=(96, 64)).rename(tmp_path / "clip.mkv")
    target = tmp_path / "out.mkv"
    if kind == "standard input":
        with (
            video.open("rb") as source,
            subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE) as cat,
        ):
            run = dehaze_run("/dev/stdin", str(target), stdin=cat.stdout)
    else:
        fifo = tmp_path / "fifo.mkv"
        os.mkfifo(fifo)
        writer = threading.Thread(target=lambda: fifo.write_bytes(video.read_bytes()))
        writer.start()
        run = dehaze_run(str(fifo), str(target))
        writer.join()
    assert run.returncode == 0, run.stderr
    assert len(video_frames(target)) == 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-", "-", "--raw", "64x64@5", "--ray", "auto"], "--ray is for files"),
        (["0", "--preview-host", "0.0.0.0"], "--preview-host needs --preview"),
        (["photo.png", "--preview", "8080"], "--preview is for cameras"),
        (["photo.png", "--failures", "f"], "--failures is for folders"),
    ],
)
def test_options_without_effect_are_refused(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").touch()
    assert main(options) == 2
    assert words in capsys.readouterr().err
