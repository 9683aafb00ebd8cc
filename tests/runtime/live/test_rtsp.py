"""An RTSP camera that goes and comes back.

.ci/run installs what it needs: apt-get install --no-install-recommends -y
gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import VideoMaker, video_times
from live_process import figures_in, free_port, start, wait_for_recording

DEBIAN_PYTHON = "/usr/bin/python3"
GONE_S = 3.0
"""Longer than what a busy machine may leave out of a recording."""
SERVER = Path(__file__).parent / "rtsp_server.py"
_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0')\n"
    "from gi.repository import Gst, GstRtspServer; Gst.init(None)\n"
    "assert Gst.ElementFactory.find('rtph264pay') and Gst.ElementFactory.find('qtdemux')"
)


@pytest.fixture(scope="module", autouse=True)
def _needs_a_server() -> None:
    try:
        found = subprocess.run([DEBIAN_PYTHON, "-c", _PROBE], capture_output=True, timeout=60)
    except OSError:
        pytest.skip(f"needs {DEBIAN_PYTHON}")
    if found.returncode:
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and GStreamer plugins")


class Server:
    """GStreamer's RTSP server as a process."""

    def __init__(self, port: int, video: Path) -> None:
        self._process = subprocess.Popen(
            [DEBIAN_PYTHON, str(SERVER), str(port), str(video)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout and self._process.stdout.readline() == "ready\n"

    def freeze(self) -> None:
        """The network is cut: nothing comes, and nothing says so."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize("ending", ["killed", "silent"])
def test_an_rtsp_camera_that_comes_back_is_recorded_on(
    ending: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    clip = make_video("clip.mp4", frames=1500, size=(160, 120))  # a minute
    target, port = tmp_path / "out.mp4", free_port()
    server = Server(port, clip)
    run = start(f"rtsp://me:secret@127.0.0.1:{port}/camera", target)
    try:
        wait_for_recording(tmp_path, size=1 << 14)
        time.sleep(4)
        if ending == "silent":
            server.freeze()
            time.sleep(6)  # it is given 5 s
        server.kill()
        time.sleep(GONE_S)
        server = Server(port, clip)
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
    port = free_port()
    server = Server(port, make_video("clip.mp4"))
    try:
        run = start(f"rtsp://127.0.0.1:{port}/nothing", tmp_path / "out.mp4")
        _, errors = run.communicate(timeout=20)
    finally:
        server.kill()
    assert run.returncode == 1
    assert "404 Not Found" in errors.decode()
    assert errors.decode().count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()
