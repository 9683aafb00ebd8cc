"""Records a camera for long while its server is restarted: frames, memory, and time kept.

Each picture holds its moment, as blocks (see stream_delay.py), so that what the recording says of
the time can be held against the clock. By hand:

    PYTHONPATH=tests python tests/runtime/live/soak.py --minutes 20 --restarts 5
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from camera_server import camera
from conftest import picture
from live_process import free_port, wait_for_recording
from numpy.typing import NDArray
from stream_delay import RUN, number_in, numbered

FPS = 25
AWAY_SECONDS = 3.0
"""How long the server is gone at a restart."""
_SETTLED_SECONDS = 30.0
"""After so long everything has been imported and compiled."""
_START_SECONDS = 10.0
"""The recording's first seconds do not count: FFmpeg holds what it looked at to open."""


@dataclass(frozen=True)
class Soak:
    """What a long recording came to."""

    figures: dict[str, Any]
    """What `dehaze-run --json` prints."""
    frames: int
    """Frames in the recording."""
    memory_mib: tuple[float, float]
    """Memory of the process soon after its start and at its end."""
    recorded_seconds: float
    """From a frame soon after the start to the last one, by the recording."""
    real_seconds: float
    """The same by the clock that is drawn into the frames."""


def soak(folder: Path, seconds: float, restarts: int) -> Soak:
    """Records to `folder` for `seconds`; the server is restarted at even distances."""
    port, target = free_port(), folder / "out.mp4"
    started = time.monotonic()
    scene = picture(240, 320)

    def drawn() -> NDArray[np.uint8]:
        return numbered(scene.copy(), round((time.monotonic() - started) * FPS))

    piece = seconds / (restarts + 1)
    with camera(drawn, port) as address:
        command = [*RUN, address, str(target), "--json", "--threads", "1"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_recording(folder, seconds=600)  # on a machine with other work on it
        time.sleep(_SETTLED_SECONDS)
        memory = _memory_mib(run.pid)
        time.sleep(max(0.0, piece - _SETTLED_SECONDS))
    for _ in range(restarts):
        time.sleep(AWAY_SECONDS)
        with camera(drawn, port):
            time.sleep(piece - AWAY_SECONDS)
    memory_at_end = _memory_mib(run.pid)
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors.decode()
    frames, first, last = _read(target)
    return Soak(
        figures=json.loads(output),
        frames=frames,
        memory_mib=(memory, memory_at_end),
        recorded_seconds=last[0] - first[0],
        real_seconds=last[1] - first[1],
    )


def _memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _read(path: Path) -> tuple[int, tuple[float, float], tuple[float, float]]:
    """How many frames there are; the recording's time of one and of the last, and the true ones."""
    count, first = 0, None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            count += 1
            if first is None and frame.time >= _START_SECONDS:
                first = _times(frame)
        assert first is not None
        return count, first, _times(frame)


def _times(frame: av.VideoFrame) -> tuple[float, float]:
    """What the recording says and what the picture shows, in seconds."""
    assert frame.time is not None
    return frame.time, number_in(frame.to_ndarray(format="rgb24")) / FPS


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--restarts", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), 60 * options.minutes, options.restarts)
    print(json.dumps(result.figures))
    print(
        f"{result.frames} frames, {result.figures['dropped']} dropped, "
        f"{result.figures['reconnects']} reconnects; memory {result.memory_mib[0]:.0f} MiB after "
        f"the start, {result.memory_mib[1]:.0f} MiB at the end; {result.recorded_seconds:.2f} s in "
        f"the recording, {result.real_seconds:.2f} s by the clock"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
