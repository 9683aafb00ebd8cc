from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_server import camera
from numpy.typing import NDArray

from dehaze.runtime.cli import main
from dehaze.runtime.errors import InputError, UsageError, masked
from dehaze.runtime.live.address import (
    FrameMode,
    frame_mode,
    is_live,
    read_address,
    shown_address,
)
from dehaze.runtime.live.gstreamer import csi_pipeline
from dehaze.runtime.live.newest_frame import NewestFrame
from dehaze.runtime.live.open_source import open_source
from dehaze.runtime.live.source import CameraClock, LiveSource


def opened(address: str, mode: FrameMode | None = None) -> LiveSource:
    return open_source(address, mode, threading.Event(), tell=print)


@pytest.mark.parametrize(
    "address", ["0", "12", "-", "v4l2:///dev/video0", "csi://0", "rtsp://x/y", "gst:a ! b"]
)
def test_cameras_streams_and_pipes_are_live(address: str) -> None:
    assert is_live(address)


@pytest.mark.parametrize("address", ["./0", "video.mp4", "a-b.mp4", "csi", "/dev/video0"])
def test_files_are_not(address: str) -> None:
    assert not is_live(address)


def test_a_mode_is_a_size_and_a_rate() -> None:
    assert frame_mode("1280x720@30") == FrameMode(1280, 720, Fraction(30))
    assert frame_mode("640x480@29.97").fps == Fraction(2997, 100)
    assert frame_mode("640x480@30000/1001").fps == Fraction(30000, 1001)


@pytest.mark.parametrize("text", ["640x480", "0x480@30", "640x480@0", "640x480@1/0", "axb@c", ""])
def test_a_mode_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="expected WIDTHxHEIGHT@FPS such as 1280x720@30"):
        frame_mode(text)


SECRET = "s3cr3t"
WITH_PASSWORDS = {
    f"rtsp://me:{SECRET}@127.0.0.1:9/live?channel=1": "rtsp://me:***@127.0.0.1:9/live?channel=1",
    f"rtsp://{SECRET}@127.0.0.1:9/live": "rtsp://***@127.0.0.1:9/live",
    f"rtsp://me:a:/?#@ {SECRET}@127.0.0.1:9/live": "rtsp://me:***@127.0.0.1:9/live",
    f"http://127.0.0.1:9/?user=me&password={SECRET}&x=1": (
        "http://127.0.0.1:9/?user=me&password=***&x=1"
    ),
    f"http://127.0.0.1:9/?access_token={SECRET}": "http://127.0.0.1:9/?access_token=***",
    f"http://127.0.0.1:9/user=me_password={SECRET}_channel=1": (
        "http://127.0.0.1:9/user=me_password=***"
    ),
    f"gst:rtspsrc location=rtsp://127.0.0.1:9/ user-id=me user-pw={SECRET} ! fakesink": (
        "gst:rtspsrc location=rtsp://127.0.0.1:9/ user-id=me user-pw=*** ! fakesink"
    ),
    f'gst:rtspsrc user-pw = "a \\" {SECRET}" ! fakesink': "gst:rtspsrc user-pw = *** ! fakesink",
    f"gst:rtspsrc location=rtsp://me:{SECRET}@127.0.0.1:9/ ! fakesink": (
        "gst:rtspsrc location=rtsp://me:***@127.0.0.1:9/ ! fakesink"
    ),
    f"srt://127.0.0.1:9?streamid=#!::u=me,s={SECRET}&mode=caller": (
        "srt://127.0.0.1:9?streamid=***&mode=caller"
    ),
    f"srt://127.0.0.1:9?streamid={SECRET}&passphrase=it's!\"{SECRET}&latency=1": (
        "srt://127.0.0.1:9?streamid=***&passphrase=***&latency=1"
    ),
    f"http://127.0.0.1:9/a.m3u8?KEY={SECRET}&x-jwt={SECRET}&hmac={SECRET}": (
        "http://127.0.0.1:9/a.m3u8?KEY=***&x-jwt=***&hmac=***"
    ),
    f"csi://{SECRET}@0": "csi://***@0",
    f"v4l2://me:{SECRET}@x/dev/video0": "v4l2://me:***@x/dev/video0",
}


@pytest.mark.parametrize("address", WITH_PASSWORDS)
def test_a_password_is_never_shown(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown_address(address) == WITH_PASSWORDS[address]
    assert main([address, "out.mp4", "--json"]) != 0
    assert main([address, "out.mp4", "--recursive"]) != 0
    assert SECRET not in "".join(capsys.readouterr())


def test_a_password_in_a_message_is_not_shown_either() -> None:
    words = "cannot open rtsp://me:a@b/c@cam/live; see http://cam/?pwd=secret, or ask me@home"
    shown = "cannot open rtsp://me:***@cam/live; see http://cam/?pwd=*** or ask me@home"
    assert masked(words) == shown


def test_a_files_name_is_shown_as_it_is() -> None:
    assert masked("key=1.png: is damaged") == "key=1.png: is damaged"
    assert masked("see http://example.org/a: no") == "see http://example.org/a: no"


def test_an_address_may_be_kept_in_a_file_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "camera").write_text("RTSP://me:secret@cam/live\n")
    assert read_address(f"@{tmp_path}/camera") == "rtsp://me:secret@cam/live"
    monkeypatch.setenv("CAMERA", "http://cam/")
    assert read_address("env:CAMERA") == "http://cam/"
    for wrong in ("env:NO_SUCH_VARIABLE", f"@{tmp_path}/none", f"@{tmp_path}"):
        with pytest.raises(UsageError, match="address"):
            read_address(wrong)
    (tmp_path / "camera").write_text("secret.png")
    with pytest.raises(UsageError) as told:
        read_address(f"@{tmp_path}/camera")
    assert "secret" not in str(told.value)


def test_a_missing_camera_is_told_with_those_there() -> None:
    if Path("/dev/video63").exists():
        pytest.skip("this computer has 64 cameras")
    for address in ("63", "v4l2:///dev/video63"):
        with pytest.raises(InputError, match=r"no camera at /dev/video63; found .*/dev/video"):
            opened(address)
    with pytest.raises(UsageError, match="three slashes"):
        opened("v4l2://video0")


@pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer"
)
@pytest.mark.parametrize("address", ["csi://0", "gst:videotestsrc"])
def test_an_opencv_without_gstreamer_is_told(address: str) -> None:
    with pytest.raises(InputError, match=r"expected an OpenCV built with GStreamer, got OpenCV \d"):
        opened(address)


def test_a_csi_camera_is_asked_for_the_mode() -> None:
    with pytest.raises(UsageError, match="csi://0"):
        opened("csi://front")
    pipeline = csi_pipeline(1, frame_mode("1920x1080@29.97"))
    assert "sensor-id=1 " in pipeline
    assert "width=1920, height=1080, framerate=2997/100 !" in pipeline


def test_frames_of_a_pipeline_stay_at_the_first_size_and_below_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an OpenCV that has GStreamer, made up: its wheel has none."""
    vast = np.broadcast_to(np.uint8(0), (60_000, 60_000, 3))  # takes no memory
    frames = iter([np.zeros((48, 64, 3), np.uint8), np.zeros((96, 128, 3), np.uint8), vast])
    pipelines = []

    class Capture:
        def __init__(self, pipeline: str, api: int) -> None:  # noqa: ARG002  # as OpenCV's
            pipelines.append(pipeline)

        def isOpened(self) -> bool:
            return True

        def get(self, number: int) -> float:  # noqa: ARG002
            return 25.0

        def grab(self) -> bool:
            return True

        def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
            return True, next(frames)

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: True)
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    with opened("gst:videotestsrc") as source:
        read = source.read()
        assert [next(read).pixels.shape for _ in range(2)] == [(48, 64, 3)] * 2
        with pytest.raises(InputError, match=r"frames of at most .*, got 60000x60000"):
            next(read)
    assert "width=[1,8192], height=[1,8192]" in pipelines[0]


def test_raw_frames_need_a_size() -> None:
    with pytest.raises(UsageError, match="--raw"):
        opened("-")


def test_the_cameras_clock_spaces_the_frames_of_a_burst() -> None:
    clock = CameraClock()
    ticks = [clock.ticks(7 + i / 25, now=100.0) for i in range(50)]
    assert np.diff(ticks).tolist() == [3600] * 49
    assert ticks[0] == 0


def test_a_camera_clock_that_jumps_is_not_followed() -> None:
    clock = CameraClock()
    times = [(0.0, 50.0), (0.04, 50.04), (9000.0, 50.08), (9000.04, 50.12), (3.0, 50.16)]
    ticks = [clock.ticks(camera, now) for camera, now in times]
    assert np.diff(ticks) == pytest.approx([3600] * 4, abs=2)


def test_times_rise_across_a_loss_and_without_a_camera_clock() -> None:
    clock = CameraClock()
    clock.ticks(5.0, 10.0)
    clock.restart()
    assert clock.ticks(5.01, 14.0) == 4 * 90_000  # 4 s were missed
    assert clock.ticks(None, 14.0) == 4 * 90_000 + 1


def test_the_time_does_not_run_ahead_over_reconnects() -> None:
    """Each connection begins with 1.6 s of the past at once."""
    clock, now, ticks = CameraClock(), 100.0, []
    for _ in range(6):
        for index in range(120):
            now += 0.04 if index > 40 else 0.0
            ticks.append(clock.ticks(500 + 0.04 * index, now))
        now += 2.0
        clock.restart()
    assert np.all(np.diff(ticks) > 0)
    assert ticks[-1] / 90_000 == pytest.approx(now - 2.0 - 100.0, abs=1.7)


def test_the_newest_frame_wins() -> None:
    def camera() -> Iterator[tuple[int, float]]:
        for index in range(60):
            time.sleep(0.01)
            yield index, time.monotonic()

    taken, ages = [], []
    with NewestFrame(camera(), threading.Event()) as frames:
        for index, born in frames:
            ages.append(time.monotonic() - born)
            taken.append(index)
            time.sleep(0.06)
    assert taken == sorted(set(taken))
    assert taken[-1] == 59  # the last one is not lost
    assert frames.dropped == 60 - len(taken) > 20
    assert np.median(ages) < 0.03  # not one of a queue: its frames would be 0.06 s old and more


def test_an_error_of_the_camera_comes_after_its_last_frame() -> None:
    def camera() -> Iterator[int]:
        yield 1
        raise InputError("gone")

    taken = []
    with (
        pytest.raises(InputError, match="gone"),
        NewestFrame(camera(), threading.Event()) as frames,
    ):
        taken.extend(frames)
    assert taken in ([1], [])
    with NewestFrame(camera(), threading.Event()) as frames:
        assert next(iter(frames)) == 1


def test_a_camera_that_hangs_does_not_hold_up_the_end() -> None:
    stop, never = threading.Event(), threading.Event()

    def camera() -> Iterator[int]:
        yield 1
        never.wait(20)

    started = time.monotonic()
    threading.Timer(0.3, stop.set).start()
    with NewestFrame(camera(), stop) as frames:
        assert list(frames) == [1]
    assert time.monotonic() - started < 3
    never.set()


def test_a_camera_whose_pictures_are_too_large_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """65000x65000 pixels would take 12 GB; its JPEG has 2 kB."""
    monkeypatch.setattr("dehaze.runtime.live.ffmpeg._BLIND_SECONDS", 0.0)
    data = cv2.imencode(".jpg", np.zeros((64, 80, 3), np.uint8))[1].tobytes()
    start = data.index(b"\xff\xc0") + 5
    vast = data[:start] + b"\xfd\xe8\xfd\xe8" + data[start + 4 :]
    with (
        camera([vast]) as address,
        pytest.raises(InputError, match="no stream"),
        opened(address) as source,
    ):
        next(source.read())
