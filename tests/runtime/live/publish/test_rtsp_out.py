"""The box between an RTSP camera and an RTSP recorder, both GStreamer's."""

from __future__ import annotations

import signal
import struct
import threading
import time

import numpy as np
import pytest
from conftest import VideoMaker, picture
from live_process import PROGRAM, figures_in, start
from rtsp_process import RtspServer, skip_without_gstreamer
from stream_delay import BITS, measure, number_in, numbered


@pytest.fixture(scope="module", autouse=True)
def _needs_a_server() -> None:
    skip_without_gstreamer()


@pytest.mark.parametrize("ending", ["killed", "silent"])
def test_a_recorder_that_comes_back_is_sent_to_again(ending: str, make_video: VideoMaker) -> None:
    clip = make_video("clip.mp4", frames=1500, size=(160, 120))  # a minute
    camera, recorder = RtspServer("camera", clip), RtspServer("recorder")
    run = start(camera.address, recorder.address.replace("127", "me:secret@127"))
    try:
        before = count_pieces(recorder, enough=50)
        if ending == "silent":
            recorder.freeze()
            time.sleep(8)  # it is given 5 s
        recorder.kill()
        time.sleep(2)
        recorder.start()
        after = count_pieces(recorder, enough=50)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    finally:
        run.kill()
        camera.kill()
        recorder.kill()
    words = errors.decode()
    assert run.returncode == 0, words
    assert before["v"] >= 50 <= after["v"]
    assert words.count("lost (") == words.count("back after") == 1, words
    assert "secret" not in words
    figures = figures_in(errors)
    assert (figures["reconnects"], figures["output_reconnects"]) == (0, 1)
    assert figures["unsent"] > 25  # two seconds and more, in which the camera was read on
    assert figures["frames"] > 100 + figures["unsent"] / 2


def test_sound_goes_from_the_camera_to_the_recorder(make_video: VideoMaker) -> None:
    clip = make_video("clip.mp4", frames=500, size=(160, 120), audio=True)
    camera, recorder = RtspServer("camera", clip, "--sound"), RtspServer("recorder", "--sound")
    run = start(camera.address, recorder.address)
    try:
        got = count_pieces(recorder, enough=75)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    finally:
        run.kill()
        camera.kill()
        recorder.kill()
    assert run.returncode == 0, errors.decode()
    assert got["a"] / got["v"] == pytest.approx(48000 / 1024 / 25, rel=0.3)


def count_pieces(recorder: RtspServer, enough: int) -> dict[str, int]:
    """Waits for so many pictures; returns how many pieces of both kinds came by then."""
    counts = {"v": 0, "a": 0}

    def read() -> None:
        stdout = recorder.process.stdout
        assert stdout
        while counts["v"] < enough and len(head := stdout.read(5)) == 5:
            stdout.read(struct.unpack(">I", head[1:])[0])
            counts[head[:1].decode()] += 1

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(60)
    return dict(counts)


def test_the_delay_is_read_from_the_pictures() -> None:
    figures = measure(4, (320, 240), command=PROGRAM)
    assert figures["code"] == 0, figures
    assert figures["seen"] > 25
    assert figures["seen"] + figures["lost"] == figures["drawn"]
    assert 0 < figures["delay_ms"]["p50"] <= figures["delay_ms"]["p95"] < 5000


@pytest.mark.parametrize("number", [0, 1, 12345, (1 << BITS) - 1])
def test_a_number_survives_a_dehazer_that_changes_the_contrast(number: int) -> None:
    frame = numbered(picture(240, 320), number)
    assert number_in(frame) == number
    assert number_in(255 - frame) == number
    assert number_in((60 + 0.4 * frame.astype(np.float32)).astype(np.uint8)) == number
