"""Videos of a batch are dehazed in a process that may crash, by real crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
from av.packet import Packet
from conftest import error_lines, picture, video_frames

from dehaze.runtime.errors import DehazeError
from dehaze.runtime.files.video_process import VideoProcess
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.model.shipped import model_path

RUN = [sys.executable, "-m", "dehaze.runtime.cli"]
FRAMES = 12
# Python imports it at its start, in every process: the program itself would crash, too.
FRAGILE = """
import os, signal, time
from dehaze.runtime.media.decoder import Decoder
decode = Decoder.frames
def fragile(self, packet):
    data = bytes(packet)
    if b"SEGV" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"KILL" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"MEMORY" in data:
        bytearray(1 << 60)
    if b"STUCK" in data:
        time.sleep(600)
    return decode(self, packet)
Decoder.frames = fragile
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """FFmpeg's decoder crashes at a packet that says SEGV, and so on."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(FRAGILE)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "start")}


@pytest.fixture
def hazy(tmp_path: Path) -> Path:
    folder = tmp_path / "hazy"
    folder.mkdir()
    return folder


def write_clip(path: Path, word: bytes = b"") -> None:
    """An MJPEG video of 12 frames; in the packet of the eighth stands a word."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(64, 96, index / 4), "rgb24")
            for packet in stream.encode(frame):
                marked: Packet[Any] = Packet(bytes(packet) + (word if index == 7 else b""))
                marked.pts, marked.dts, marked.duration = packet.pts, packet.dts, packet.duration
                marked.time_base, marked.stream = packet.time_base, stream
                marked.is_keyframe = True
                container.mux(marked)


def test_a_crash_during_a_video_costs_that_video_alone(
    hazy: Path, environment: dict[str, str]
) -> None:
    cv2.imwrite(str(hazy / "a.png"), picture(64, 96))
    for name in ("b", "d", "f"):
        write_clip(hazy / f"{name}.mkv")
    write_clip(hazy / "c.mkv", b"SEGV")
    write_clip(hazy / "e.mkv", b"MEMORY")
    write_clip(hazy / "g.mkv", b"KILL")
    clear = hazy.with_name("clear")
    for done in (["a.png", "b.mkv", "d.mkv", "f.mkv"], []):  # and a rerun, which comes to its end
        run = subprocess.run(
            [*RUN, hazy, clear, "--json"], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 5, run.stderr
        report = json.loads(run.stdout)
        assert [Path(file["input"]).name for file in report["files"]] == done
        assert [Path(file["input"]).name for file in report["failed"]] == [
            "c.mkv",
            "e.mkv",
            "g.mkv",
        ]
        crash, memory, killed, _ = error_lines(run.stderr)
        assert "c.mkv: the decoder was ended by this file (SIGSEGV)" in crash
        assert "e.mkv: there is not enough memory for this file" in memory
        assert "g.mkv: the decoder was ended by this file (it was killed, perhaps" in killed
        assert sorted(p.name for p in clear.iterdir()) == ["a.png", "b.mkv", "d.mkv", "f.mkv"]
    assert len(video_frames(clear / "d.mkv")) == FRAMES
    assert report["backend"].startswith("onnxruntime")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_batch_is_stopped_within_a_video(
    number: signal.Signals, hazy: Path, environment: dict[str, str]
) -> None:
    write_clip(hazy / "a.mkv")
    write_clip(hazy / "b.mkv", b"STUCK")
    clear = hazy.with_name("clear")
    run = subprocess.Popen(
        [*RUN, hazy, clear], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 90
    while not ((clear / "a.mkv").exists() and any(clear.glob(".*.part.mkv"))):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.05)
    (child,) = children_of(run.pid)
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    if number != signal.SIGKILL:
        assert run.returncode == 130, errors.decode()
        assert "stopped; the unfinished output was removed" in errors.decode()
        assert [p.name for p in clear.iterdir()] == ["a.mkv"]
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline, "the process outlived its program"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_a_model_that_is_gone_behind_a_crash_fails_each_video(
    hazy: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process opens it again for the next video, and must not take that for the model."""
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    model = hazy / "model.onnx"
    model.write_bytes(model_path("edge").read_bytes())
    clip = hazy / "a.mkv"
    write_clip(clip, b"SEGV")
    with VideoProcess(model=model, threads=1) as worker:
        worker.open()
        model.unlink()
        for error in ("SIGSEGV", "model.onnx", "model.onnx"):
            with pytest.raises(DehazeError, match=error):
                worker.dehaze(clip, hazy / "out.mkv", None, None, Notices())


def test_a_model_that_cannot_be_opened_is_told_once(hazy: Path) -> None:
    write_clip(hazy / "a.mkv")
    write_clip(hazy / "b.mkv")
    model = hazy / "no.onnx"
    model.write_bytes(b"no model")
    command = [*RUN, hazy, hazy.with_name("clear"), "--model", model]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert len(error_lines(run.stderr)) == 1, run.stderr
    assert "no.onnx" in run.stderr
