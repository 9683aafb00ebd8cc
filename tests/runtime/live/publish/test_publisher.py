"""Frames sent to real receivers on this computer, by a real process."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from camera_server import camera
from conftest import VideoMaker, picture, video_frames
from live_process import figures_in, free_port, start

FRAMES = b"".join(picture(48, 64, index / 4).tobytes() for index in range(100))
RECEIVER = """
import json, sys, av
options = dict(pair.split("=") for pair in sys.argv[2:])
with av.open(sys.argv[1], options=options) as container:
    print("open", flush=True)
    seen = {"video": [], "audio": []}
    keys = []
    try:
        for packet in container.demux():
            if packet.size:
                seconds = float(packet.pts * packet.time_base)
                seen[packet.stream.type].append(seconds)
                if packet.stream.type == "video" and packet.is_keyframe:
                    keys.append(seconds)
    except av.FFmpegError:
        pass  # the sender has left
    codecs = [stream.codec_context.name for stream in container.streams]
    print(json.dumps({**seen, "keys": keys, "codecs": codecs}), flush=True)
"""


class Receiver:
    """FFmpeg at the other end, in a process of its own."""

    def __init__(self, address: str, **options: object) -> None:
        words = [f"{name}={value}" for name, value in options.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-c", RECEIVER, address, *words], stdout=subprocess.PIPE, text=True
        )

    def wait_until_it_listens(self, port: int) -> None:
        """Waits without connecting, for it takes the first who does."""
        table = Path("/proc/net/tcp")
        if not table.exists():
            time.sleep(5)
            return
        deadline = time.monotonic() + 60
        while f":{port:04X} 00000000:0000 0A" not in table.read_text():
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.05)

    def result(self) -> dict[str, Any]:
        out, _ = self._process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_a_file_is_sent_by_rtmp_in_its_own_time_and_with_its_sound(make_video: VideoMaker) -> None:
    clip, port = make_video(frames=200, size=(160, 120), audio=True), free_port()
    address = f"rtmp://127.0.0.1:{port}/live/s3cr3t"
    receiver = Receiver(address, listen=1, timeout=60)
    try:
        receiver.wait_until_it_listens(port)
        run = start(clip, address)
        _, errors = run.communicate(timeout=60)
        got = receiver.result()
    finally:
        receiver.kill()
    assert run.returncode == 0, errors.decode()
    assert "s3cr3t" not in errors.decode()
    figures = figures_in(errors)
    assert figures["seconds"] > 7.9
    assert got["codecs"] == ["h264", "aac"]
    sent = figures["frames"] - figures["unsent"]
    assert len(got["video"]) == sent > 100
    assert got["video"][-1] - got["video"][0] > 7.8  # its beginning waits for the connection
    frames = np.diff(got["video"]) * 25
    assert np.abs(frames - np.round(frames)).max() < 0.06  # RTMP counts milliseconds
    assert max(np.diff(got["keys"])) < 2.3
    assert abs(got["audio"][-1] - got["video"][-1]) < 0.5
    assert np.median(np.diff(got["audio"])) == pytest.approx(1024 / 48000, abs=2e-3)


def test_no_module_comes_from_the_working_folder(tmp_path: Path) -> None:
    """A stranger's file there, such as in a folder of downloads, would run as the user."""
    for name in ("av.py", "json.py", "numpy.py", "dehaze.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'it-ran')!r}, 'w')")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        run = start("-", address, "--mode", "64x48@25", stdin=subprocess.PIPE, cwd=tmp_path)
        _, errors = run.communicate(FRAMES, timeout=120)
    assert not (tmp_path / "it-ran").exists()
    assert run.returncode == 0, errors.decode()


def test_every_frame_of_a_pipe_is_sent_by_udp() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(1)
        run = start("-", f"udp://127.0.0.1:{port}", "--mode", "64x48@5", stdin=subprocess.PIPE)
        data: list[bytes] = []
        reading = threading.Thread(target=read_datagrams, args=(receiver, data, run))
        reading.start()
        _, errors = run.communicate(FRAMES, timeout=60)
        reading.join()
    assert run.returncode == 0, errors.decode()
    assert figures_in(errors)["unsent"] == 0
    assert {len(piece) % 188 for piece in data} == {0}
    assert max(map(len, data)) == 7 * 188  # what fits into Ethernet's packets
    with av.open(io.BytesIO(b"".join(data)), format="mpegts") as stream:
        frames = list(stream.decode(video=0))
    assert len(frames) == 100
    assert np.diff([float(frame.time) for frame in frames]) == pytest.approx(0.2, abs=1e-3)
    shown = frames[3].to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown - (255 - picture(48, 64, 3 / 4))).mean() < 8


def read_datagrams(receiver: socket.socket, into: list[bytes], run: Any) -> None:
    while True:
        try:
            into.append(receiver.recv(1 << 16))
        except TimeoutError:
            if run.poll() is not None:
                return


def test_a_playlist_is_whole_whenever_it_is_read_and_old_segments_go(tmp_path: Path) -> None:
    playlist = tmp_path / "50% a:b" / "live.m3u8"
    run = start("-", playlist, "--mode", "64x48@5", stdin=subprocess.PIPE)
    assert run.stdin
    seen = set()
    frame = len(FRAMES) // 100
    for index in range(100):
        run.stdin.write(FRAMES[frame * index : frame * (index + 1)])
        run.stdin.flush()
        time.sleep(0.03)
        if playlist.exists():
            seen.add(check_playlist(playlist))
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors.decode()
    assert len(seen) >= 3
    assert check_playlist(playlist, ended=True) == 6
    assert figures_in(errors)["unsent"] == 0
    segments = sorted(playlist.parent.glob("live-*.ts"))
    assert {len(video_frames(segment)) for segment in segments} == {10}
    assert len(segments) <= 7  # of ten: one more is kept for who is just reading it


def check_playlist(playlist: Path, *, ended: bool = False) -> int:
    """Returns the number of segments that the playlist names; all of them are there."""
    lines = playlist.read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert ("#EXT-X-ENDLIST" in lines) == ended
    segments = [line for line in lines if not line.startswith("#")]
    assert sum(line.startswith("#EXT-X-PROGRAM-DATE-TIME") for line in lines) == len(segments)
    assert all((playlist.parent / segment).stat().st_size for segment in segments)
    return len(segments)


def test_nobody_at_the_address_is_told_in_one_line() -> None:
    for scheme in ("rtsp", "rtmp"):
        address = f"{scheme}://me:secret@127.0.0.1:{free_port()}/live/x"
        run = start("-", address, "--mode", "64x48@5", stdin=subprocess.PIPE)
        _, errors = run.communicate(FRAMES, timeout=60)
        assert run.returncode == 1
        (line,) = errors.decode().splitlines()
        assert "no connection (Connection refused)" in line
        assert "secret" not in line


def test_a_server_that_says_nothing_holds_up_neither_the_camera_nor_ctrl_c() -> None:
    """FFmpeg waits for its answer without a limit, and with Python's lock held."""
    with socket.socket() as server, camera([picture(48, 64)]) as address:
        server.bind(("127.0.0.1", 0))
        server.listen()
        run = start(address, f"rtsp://127.0.0.1:{server.getsockname()[1]}/live")
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    (line,) = errors.decode().splitlines()
    assert "no connection (the receiver does not answer)" in line


def test_ctrl_c_ends_a_stream_and_its_playlist(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    with camera([picture(48, 64, phase) for phase in range(25)]) as address:
        run = start(address, playlist)
        deadline = time.monotonic() + 60
        while not playlist.exists():
            assert time.monotonic() < deadline and run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 0, errors.decode()
    assert playlist.read_text().endswith("#EXT-X-ENDLIST\n")
    figures = figures_in(errors)
    data = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("live-*.ts")))
    with av.open(io.BytesIO(data), format="mpegts") as stream:
        sent = sum(bool(packet.size) for packet in stream.demux(video=0))
    assert sent == figures["frames"] - figures["unsent"] > 0
