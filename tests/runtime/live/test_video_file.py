"""A video file played as a camera."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import VideoMaker, picture

from dehaze.runtime.errors import InputError
from dehaze.runtime.live.open_source import open_source
from dehaze.runtime.live.source import LiveSource, Sound


def opened(path: Path) -> LiveSource:
    return open_source(str(path), None, threading.Event(), tell=print)


def test_frames_come_when_they_are_due(make_video: VideoMaker) -> None:
    clip = make_video(times=[0, 40, 80, 400, 440], frames=5)
    with opened(clip) as source:
        frames = [(frame.pts / 90_000, time.monotonic()) for frame in source.read()]
    assert [pts for pts, _ in frames] == pytest.approx([0, 0.04, 0.08, 0.4, 0.44])
    assert frames[-1][1] - frames[0][1] >= 0.43


def test_who_connects_first_misses_no_beginning(make_video: VideoMaker) -> None:
    with opened(make_video(frames=3)) as source:
        source.begins = threading.Event()
        frames = source.read()
        first = next(frames)
        threading.Timer(0.3, source.begins.set).start()
        again, *rest = frames
    assert np.array_equal(first.pixels, again.pixels)
    assert again.arrived - first.arrived >= 0.3
    assert [frame.pts / 90_000 for frame in (again, *rest)] == pytest.approx([0, 0.04, 0.08])


def test_ten_bits_come_as_eight(tmp_path: Path) -> None:
    path = tmp_path / "deep.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p10le"
        frame = av.VideoFrame.from_ndarray(picture(64, 96), "rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv444p10le")))
        container.mux(stream.encode(None))
    with opened(path) as source:
        (shown,) = source.read()
    assert shown.pixels.dtype == np.uint8
    assert np.abs(shown.pixels.astype(int) - picture(64, 96)).mean() < 2


def test_sound_comes_between_the_frames(make_video: VideoMaker) -> None:
    heard: list[Sound] = []
    with opened(make_video(frames=25, audio=True)) as source:
        assert source.sound is not None
        source.on_sound = heard.append
        frames = list(source.read())
    assert len(frames) == 25
    assert len(heard) > 40
    steps = np.diff([sound.pts for sound in heard])
    assert steps == pytest.approx(90_000 * 1024 / 48_000, abs=1)
    assert heard[-1].pts == pytest.approx(frames[-1].pts, abs=9_000)


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match="expected a video"):
        opened(tmp_path / "a.mp4")
