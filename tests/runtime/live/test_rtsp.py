"""An RTSP camera that goes and comes back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import VideoMaker, video_times
from live_process import figures_in, start, wait_for_recording
from rtsp_process import RtspServer, skip_without_gstreamer

GONE_S = 3.0
"""Longer than what a busy machine may leave out of a recording."""


@pytest.fixture(scope="module", autouse=True)
def _needs_a_server() -> None:
    skip_without_gstreamer()


@pytest.mark.parametrize("ending", ["killed", "silent"])
def test_an_rtsp_camera_that_comes_back_is_recorded_on(
    ending: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    clip = make_video("clip.mp4", frames=1500, size=(160, 120))  # a minute
    target, server = tmp_path / "out.mp4", RtspServer("camera", clip)
    run = start(f"rtsp://me:secret@127.0.0.1:{server.port}/camera", target)
    try:
        wait_for_recording(tmp_path, size=1 << 14)
        time.sleep(4)
        if ending == "silent":
            server.freeze()
            time.sleep(6)  # it is given 5 s
        server.kill()
        time.sleep(GONE_S)
        server.start()
        time.sleep(9)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    finally:
        run.kill()
        server.kill()
    words = errors.decode()
    assert run.returncode == 0, words
    assert words.count("lost (") == words.count("back after") == 1, words
    assert "secret" not in words
    assert figures_in(errors)["reconnects"] == 1
    times = np.array(video_times(target))
    steps = np.diff(times)
    assert np.all(steps > 0)
    lost = int(np.argmax(steps))
    assert steps[lost] > GONE_S / 2  # the gap is in the recording, as it was
    assert lost > 10 and len(times) - lost > 10
    # A busy machine leaves frames out; those that it takes have the camera's times, but for the
    # first of each connection.
    frames = 25 * np.delete(steps, lost)
    assert np.mean(np.abs(frames - np.round(frames)) < 0.05) > 0.9


def test_a_wrong_path_is_told_at_once(make_video: VideoMaker, tmp_path: Path) -> None:
    server = RtspServer("camera", make_video("clip.mp4"))
    try:
        run = start(f"rtsp://127.0.0.1:{server.port}/nothing", tmp_path / "out.mp4")
        _, errors = run.communicate(timeout=20)
    finally:
        server.kill()
    assert run.returncode == 1
    assert "404 Not Found" in errors.decode()
    assert errors.decode().count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()
