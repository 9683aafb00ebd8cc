"""Starts GStreamer's RTSP servers as processes: a camera to read from, a recorder to send to.

.ci/run installs what they need: apt-get install --no-install-recommends -y
gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from live_process import free_port

__all__ = ["RtspServer", "skip_without_gstreamer"]

DEBIAN_PYTHON = "/usr/bin/python3"
_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0')\n"
    "from gi.repository import Gst, GstRtspServer; Gst.init(None)\n"
    "assert Gst.ElementFactory.find('rtph264pay') and Gst.ElementFactory.find('qtdemux')"
)


def skip_without_gstreamer() -> None:
    try:
        found = subprocess.run([DEBIAN_PYTHON, "-c", _PROBE], capture_output=True, timeout=60)
    except OSError:
        pytest.skip(f"needs {DEBIAN_PYTHON}")
    if found.returncode:
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and GStreamer plugins")


class RtspServer:
    """One of the two servers, `camera` or `recorder`, which may be started again on its port."""

    def __init__(self, kind: str, *arguments: object) -> None:
        self.port = free_port()
        script = {"camera": "rtsp_server.py", "recorder": "rtsp_recorder.py"}[kind]
        words = [str(self.port), *(str(argument) for argument in arguments)]
        self._command = [DEBIAN_PYTHON, str(Path(__file__).parent / script), *words]
        self.address = f"rtsp://127.0.0.1:{self.port}/{'camera' if kind == 'camera' else 'live'}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout and self.process.stdout.readline() == b"ready\n"

    def freeze(self) -> None:
        """The network is cut: nothing comes, and nothing says so."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
