"""SRT to and from ffmpeg as the peer, on this computer."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import VideoMaker, picture, video_frames
from live_process import figures_in, free_port, start, wait_for_recording

from dehaze.runtime.errors import InputError, OutputError
from dehaze.runtime.live.srt.program import SrtSender, check_srt

FRAMES = b"".join(picture(48, 64, index / 4).tobytes() for index in range(50))
SECRET = "s3cr3t-s3cr3t"


@pytest.fixture(scope="module", autouse=True)
def _needs_ffmpeg() -> None:
    try:
        check_srt("srt://h:1", InputError)
    except InputError as error:
        pytest.skip(str(error))


@contextmanager
def listening(port: int, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """An ffmpeg in whose arguments LISTENER stands for the address that it listens at.

    It waits for what comes late: a busy machine is slower than the 120 ms of SRT's latency.
    """
    address = f"srt://127.0.0.1:{port}?mode=listener&passphrase={SECRET}&tlpktdrop=0"
    words = [address if word == "LISTENER" else str(word) for word in arguments]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until_bound(port, process)
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_bound(port: int, process: subprocess.Popen[bytes]) -> None:
    table = Path("/proc/net/udp")
    if not table.exists():
        time.sleep(5)
        return
    deadline = time.monotonic() + 60
    while f":{port:04X} 00000000:0000" not in table.read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)


def test_every_frame_of_a_pipe_is_sent(tmp_path: Path) -> None:
    port, got = free_port(), tmp_path / "got.ts"
    with listening(port, "-i", "LISTENER", "-c", "copy", got) as listener:
        address = f"srt://127.0.0.1:{port}?passphrase={SECRET}&tlpktdrop=0"
        run = start("-", address, "--mode", "64x48@5", stdin=subprocess.PIPE)
        _, errors = run.communicate(FRAMES, timeout=120)
        listener.communicate(timeout=30)
    assert run.returncode == 0, errors.decode()
    assert figures_in(errors)["unsent"] == 0
    assert SECRET not in errors.decode()
    with av.open(got) as stream:
        frames = list(stream.decode(video=0))
    assert len(frames) == 50
    assert np.diff([float(frame.time) for frame in frames]) == pytest.approx(0.2, abs=1e-3)
    shown = frames[3].to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown - (255 - picture(48, 64, 3 / 4))).mean() < 8


def test_nobody_there_and_a_wrong_passphrase_are_told_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    address = f"srt://127.0.0.1:{port}?passphrase=wrong-{SECRET}"
    with listening(port, "-i", "LISTENER", "-c", "copy", tmp_path / "got.ts"):
        run = start("-", address, "--mode", "64x48@5", stdin=subprocess.PIPE)
        _, errors = run.communicate(FRAMES, timeout=120)
    assert run.returncode == 1
    (line,) = errors.decode().splitlines()
    assert "no connection (Input/output error); check the address, the password" in line
    assert SECRET not in line
    run = start(address, tmp_path / "out.mkv")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 1
    (line,) = errors.decode().splitlines()
    assert "no stream (Input/output error)" in line
    assert SECRET not in line


def test_a_passphrase_is_not_in_the_list_of_processes(tmp_path: Path) -> None:
    port = free_port()
    with listening(port, "-f", "data", "-i", "LISTENER", "-f", "data", tmp_path / "got"):
        # What stands behind the # of a streamid counts, too.
        address = f"srt://127.0.0.1:{port}?streamid=#!::r=camera&passphrase={SECRET}"
        sender = SrtSender(address)
        command = Path(f"/proc/{sender._process.pid}/cmdline")
        words = command.read_bytes() if command.exists() else b""
        sender.close()
    assert SECRET.encode() not in words


def test_a_sender_that_comes_back_is_recorded_on(make_video: VideoMaker, tmp_path: Path) -> None:
    clip, out, port = make_video(frames=100, size=(160, 120)), tmp_path / "out.mkv", free_port()
    camera = ("-re", "-stream_loop", 50, "-i", clip, "-c", "copy", "-f", "mpegts", "LISTENER")
    with listening(port, *camera):
        run = start(f"srt://127.0.0.1:{port}?passphrase={SECRET}", out)
        wait_for_recording(tmp_path, 1500)
    with listening(port, *camera):
        before = sum(path.stat().st_size for path in tmp_path.glob(".*.part*"))
        wait_for_recording(tmp_path, before + 5000)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    words = errors.decode()
    assert run.returncode == 0, words
    assert words.count("lost (") == words.count("back after") == 1, words
    assert figures_in(errors)["reconnects"] == 1
    assert len(video_frames(out)) > 10


@pytest.mark.parametrize("error", [InputError, OutputError])
def test_what_is_missing_is_told(
    error: type[InputError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(error, match="SRT needs an ffmpeg program with SRT, got no ffmpeg on PATH"):
        check_srt("srt://h:1", error)
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\necho '  rtmp\n  srtp\n  udp'\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    assert shutil.which("ffmpeg")
    with pytest.raises(error, match=r"got .*/ffmpeg without SRT; apt install ffmpeg"):
        check_srt("srt://h:1", error)
