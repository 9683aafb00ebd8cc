"""Measures the delay from a camera's picture to the recorder's: RTSP in, dehaze-run, RTSP out.

Each picture has its number in it, as black and white blocks. A camera of our own draws and encodes
it and serves it by RTSP; what arrives at an RTSP server at the other end is decoded and its number
read. The delay is from before the drawing to after the decoding. By hand, for ten minutes:

    PYTHONPATH=tests python tests/runtime/live/stream_delay.py --restart-camera 200 \\
        --restart-recorder 400
"""

from __future__ import annotations

import argparse
import json
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from conftest import picture
from numpy.typing import NDArray
from rtsp_process import RtspServer

FPS, BITS, BLOCK = 25, 16, 16
"""BITS blocks of BLOCK pixels, behind one that is white and one that is black."""
RUN = [sys.executable, "-m", "dehaze.runtime.cli"]


def numbered(frame: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB with the number in its upper left corner."""
    bits = [1, 0, *((number >> bit) & 1 for bit in range(BITS))]
    for index, bit in enumerate(bits):
        frame[:BLOCK, index * BLOCK : (index + 1) * BLOCK] = 255 * bit
    return frame


def number_in(frame: NDArray[np.uint8]) -> int:
    """The number in a picture, whatever a codec and a dehazer did to its blacks and whites."""
    inner = slice(BLOCK // 4, 3 * BLOCK // 4)
    blocks = frame[inner, : (BITS + 2) * BLOCK].mean(axis=2).reshape(BLOCK // 2, BITS + 2, BLOCK)
    white, black, *bits = blocks[:, :, inner].mean(axis=(0, 2))
    is_upright = white > black  # not inverted
    return sum(
        int((level > (white + black) / 2) == is_upright) << bit for bit, level in enumerate(bits)
    )


@dataclass
class Times:
    """When each picture was drawn and seen, by its number, in seconds."""

    drawn: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Delay in ms, and pictures lost between the first and the last that were seen.

        A gap is ten pictures and more without one that is seen.
        """
        numbers = sorted(self.seen.keys() & self.drawn.keys())  # else it was misread
        delays = [1000 * (self.seen[n] - self.drawn[n]) for n in numbers]
        steps = np.diff(numbers)
        gaps = [int(step) - 1 for step in steps if step > 10]
        lost = int(np.sum(steps - 1))
        median, p95, p99 = np.percentile(delays, [50, 95, 99])
        return {
            "drawn": numbers[-1] - numbers[0] + 1,
            "seen": len(numbers),
            "lost": lost,
            "gaps": gaps,
            "lost_outside_gaps": lost - sum(gaps),
            "delay_ms": {"p50": round(median), "p95": round(p95), "p99": round(p99)},
        }


def _draw(server: RtspServer, times: Times, size: tuple[int, int], ended: threading.Event) -> None:
    """The camera: draws, encodes and hands on FPS pictures a second."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.gop_size = "yuv420p", Fraction(1, FPS), FPS
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20"}
    scenes = [picture(size[1], size[0], phase / 4) for phase in range(25)]
    begun, number = time.monotonic(), 0
    while not ended.wait(max(0.0, begun + number / FPS - time.monotonic())):
        times.drawn[number] = time.monotonic()
        frame = numbered(scenes[number % len(scenes)].copy(), number % (1 << BITS))
        encoded = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
        encoded.pts = number
        for packet in context.encode(encoded):
            stdin = server.process.stdin
            with suppress(OSError, ValueError):  # it is being started again
                assert stdin
                stdin.write(struct.pack(">I", packet.size) + bytes(packet))
                stdin.flush()
        number += 1


def _look(server: RtspServer, times: Times, ended: threading.Event) -> None:
    """The recorder: decodes what arrives and reads the numbers."""
    while not ended.is_set():
        context = av.CodecContext.create("h264", "r")
        context.thread_type = "SLICE"
        stdout = server.process.stdout
        assert stdout
        with suppress(OSError, ValueError, av.FFmpegError):
            while len(head := stdout.read(5)) == 5:
                packet = av.Packet(stdout.read(struct.unpack(">I", head[1:])[0]))
                for frame in context.decode(packet):
                    number = number_in(frame.to_ndarray(format="rgb24"))
                    times.seen.setdefault(number, time.monotonic())
        ended.wait(0.05)


def _wait_for_pictures(times: Times, run: subprocess.Popen[str]) -> float:
    deadline = time.monotonic() + 90
    while not times.seen:
        assert time.monotonic() < deadline and run.poll() is None, "nothing arrived"
        time.sleep(0.05)
    return time.monotonic()


def measure(
    seconds: float,
    size: tuple[int, int] = (320, 240),
    camera_at: float | None = None,
    recorder_at: float | None = None,
    command: list[str] | None = None,
) -> dict[str, Any]:
    """Runs all of it for so long from the first picture that is seen, and gives the figures.

    Args:
        camera_at: when the camera's server is killed, to be back two seconds later.
        recorder_at: the same of the other one.
        command: what takes the two addresses, dehaze-run by default.
    """
    camera, recorder = RtspServer("camera", "-"), RtspServer("recorder")
    times, ended = Times(), threading.Event()
    threads = [
        threading.Thread(target=_draw, args=(camera, times, size, ended), daemon=True),
        threading.Thread(target=_look, args=(recorder, times, ended), daemon=True),
    ]
    for thread in threads:
        thread.start()
    run = subprocess.Popen(
        [*(command or RUN), camera.address, recorder.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        restarts = sorted((at, s) for at, s in ((camera_at, camera), (recorder_at, recorder)) if at)
        begun = _wait_for_pictures(times, run)
        for at, server in restarts:
            time.sleep(max(0.0, begun + at - time.monotonic()))
            server.kill()
            time.sleep(2)
            server.start()
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        run.send_signal(signal.SIGINT)
        words, _ = run.communicate(timeout=60)
    finally:
        run.kill()
        ended.set()
        camera.kill()
        recorder.kill()
    return {**times.figures(), "code": run.returncode, "words": words.splitlines()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--restart-camera", type=float, metavar="SECONDS")
    parser.add_argument("--restart-recorder", type=float, metavar="SECONDS")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    figures = measure(
        60 * given.minutes, (width, height), given.restart_camera, given.restart_recorder
    )
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
