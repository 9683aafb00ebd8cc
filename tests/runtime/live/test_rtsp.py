"""An RTSP camera that goes and comes back."""

from __future__ import annotations

import signal
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import VideoMaker, video_frames, video_times
from live_process import figures_in, start, wait_for_recording
from rtsp_process import RtspServer, skip_without_gstreamer

from dehaze.runtime.media.pixels.colour import Colours
from dehaze.runtime.media.pixels.frame_pixels import EncoderPixels, frame_of
from dehaze.runtime.media.pixels.pixel_layout import layout_of

SMALL = {"preset": "ultrafast", "x265-params": "keyint=10:log-level=error"}
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


def test_an_hdr_camera_is_shown_as_an_sdr_display_shows_it(tmp_path: Path) -> None:
    """The left half is PQ's code for 203 cd/m², which is white, the right one that for 50 cd/m²."""
    white, grey = 0.5807, 0.4403
    with av.open(str(tmp_path / "pq.mp4"), "w") as container:
        stream = container.add_stream("libx265", rate=25, options=SMALL)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = 160, 120, "yuv420p10le"
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, 16
        context.codec_tag = "hvc1"
        rgb = np.where(np.arange(160)[:, None] < 80, white, grey) * np.full((120, 1, 3), 65535)
        colours = Colours(9, 9, 16)
        layout = layout_of(av.VideoFormat("yuv420p10le"))
        for index in range(75):
            target = EncoderPixels("yuv420p10le", layout, colours)
            frame = frame_of(rgb.astype(np.uint16), None, target)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    server = RtspServer("camera", tmp_path / "pq.mp4", "--hevc")
    try:
        run = start(server.address, tmp_path / "out.mp4")
        _, errors = run.communicate(timeout=60)  # the film ends
    finally:
        run.kill()
        server.kill()
    words = errors.decode()
    assert run.returncode == 0, words
    assert words.count("PQ or HLG is taken as an SDR display shows it") == 2, words  # and in JSON
    assert words.count("10 bits become 8") == 2
    assert len(figures_in(errors)["notices"]) == 2
    hazy = 255 - video_frames(tmp_path / "out.mp4")[-1].astype(int)  # the stand-in inverts
    assert np.abs(hazy[:, 8:72] - 255).mean() < 3
    assert np.abs(hazy[:, 88:152] - 142).mean() < 3  # 255 (50 / 203) ** (1 / 2.4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert codec.color_trc in (1, 2) and codec.color_primaries in (1, 2)
