from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import VideoMaker, picture

from dehaze.runtime.errors import InputError
from dehaze.runtime.media import limits
from dehaze.runtime.media.containers.subtitle_text import converted
from dehaze.runtime.media.video_reader import VideoReader


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of 1024x1024 fit, larger ones do not."""
    monkeypatch.setattr(limits, "free_bytes", lambda: 0)


def mjpeg(path: Path, *sizes: tuple[int, int]) -> Path:
    """A stream of JPEGs that say these sizes, whatever they are."""
    data = cv2.imencode(".jpg", picture(64, 80))[1].tobytes()
    start = data.index(b"\xff\xc0") + 5
    for width, height in sizes:
        sides = struct.pack(">HH", height, width)
        with path.open("ab") as file:
            file.write(data[:start] + sides + data[start + 4 :])
    return path


@pytest.mark.usefixtures("little_memory")
def test_frames_beyond_the_memory_are_refused_before_one_is_decoded(make_video: VideoMaker) -> None:
    with (
        pytest.raises(InputError, match=r"at most 1\.0 million pixels, .* got 1280x960"),
        VideoReader(make_video(frames=1, size=(1280, 960))),
    ):
        pass


@pytest.mark.usefixtures("little_memory")
def test_small_frames_need_little_memory(make_video: VideoMaker) -> None:
    with VideoReader(make_video(frames=3, size=(640, 480))) as reader:
        assert len(list(reader.read())) == 3


def test_a_frame_that_grows_beyond_the_limit_is_lost(tmp_path: Path) -> None:
    path = mjpeg(tmp_path / "a.mjpeg", (80, 64), (65_000, 65_000), (80, 64))
    with VideoReader(path) as reader:
        frames = list(reader.read())
        assert reader.decoder.lost_frames == 1
    assert len(frames) == 2


def test_a_vast_first_frame_is_refused(tmp_path: Path) -> None:
    path = mjpeg(tmp_path / "a.mjpeg", (65_000, 65_000))
    with pytest.raises(InputError), VideoReader(path) as reader:
        list(reader.read())


def test_the_container_s_size_does_not_count_alone(tmp_path: Path) -> None:
    """A header of 64x64, and frames of another size."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux(video.encode(frame))
        container.mux(video.encode(None))
    data = path.read_bytes()
    start = data.index(b"\xff\xc0") + 5
    path.write_bytes(data[:start] + struct.pack(">HH", 65_000, 65_000) + data[start + 4 :])
    with pytest.raises(InputError, match="holds no frame"), VideoReader(path) as reader:
        list(reader.read())


def test_a_video_of_countless_empty_boxes_is_refused_soon(tmp_path: Path) -> None:
    path = tmp_path / "boxes.mp4"
    head = struct.pack(">I4s8s", 16, b"ftyp", b"isomisom")
    path.write_bytes(head + struct.pack(">I4s", 8, b"free") * 8_000_000)
    started = time.process_time()
    with pytest.raises(InputError, match=r"boxes\.mp4: expected a video, got more than 262144"):
        VideoReader(path)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(("codec", "beginning"), [("ass", b"{"), ("subrip", b"<a")])
def test_subtitles_of_beginnings_without_an_end_cost_no_time(codec: str, beginning: bytes) -> None:
    packet = av.Packet(beginning * 60_000)
    packet.time_base = Fraction(1, 1000)
    started = time.process_time()
    assert converted(packet, codec, "mov_text") is not None
    assert time.process_time() - started < 1
