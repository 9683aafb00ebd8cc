"""Videos whose frames stay in planes, and those whose frames are seen ahead of their turn."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from conftest import VideoMaker, picture
from numpy.typing import NDArray

from dehaze.runtime import open_dehazer
from dehaze.runtime.files import video
from dehaze.runtime.files.look_ahead import LookAhead
from dehaze.runtime.files.video import VideoOptions, VideoSummary, dehaze_video
from dehaze.runtime.media.encoders import EncoderOptions, planar_pixels
from dehaze.runtime.media.pixels.planes import plane_array
from dehaze.runtime.media.video_reader import TimedFrame, TimedPlanes, VideoReader

LOSSLESS = EncoderOptions("ffv1")


def write_lossless(path: Path, name: str, *, full: bool = False, frames: int = 4) -> Path:
    """A video of a pixel format that moves, with codes beyond white and black."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        context: Any = stream.codec_context
        context.width, context.height, context.pix_fmt = 256, 192, name
        context.color_range, context.colorspace = 2 if full else 1, 1
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(192, 256, index / 4), "rgb24")
            frame = frame.reformat(format=name, dst_colorspace=1)
            frame.planes[0].update(b"\xfe\x00" * 20 + bytes(frame.planes[0])[40:])
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def codes(path: Path) -> list[list[NDArray[Any]]]:
    """The three planes of every frame."""
    with av.open(str(path)) as container:
        return [
            [
                plane_array(plane, "10le" in frame.format.name)[:, : plane.width]
                for plane in frame.planes
            ]
            for frame in container.decode(video=0)
        ]


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The mean one between two planes."""
    return float(np.abs(one.astype(int) - other).mean())


def run(
    source: Path, target: Path, strength: float = 1.0, options: VideoOptions | None = None
) -> VideoSummary:
    options = options or VideoOptions(encoder=LOSSLESS)
    with open_dehazer(threads=1, strength=strength) as dehazer:
        return dehaze_video(source, target, dehazer, options)


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_strength_0_leaves_every_code_as_it_was(name: str, full: bool, tmp_path: Path) -> None:
    source = write_lossless(tmp_path / "in.mkv", name, full=full)
    run(source, tmp_path / "out.mkv", strength=0)
    before, after = codes(source), codes(tmp_path / "out.mkv")
    assert len(before) == len(after) == 4
    for one, two in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("name", ["yuv420p", "yuv444p"])
def test_a_frame_in_planes_is_dehazed_as_one_in_rgb(
    name: str, strength: float, tmp_path: Path
) -> None:
    source = write_lossless(tmp_path / "in.mkv", name)
    run(source, tmp_path / "out.mkv", strength)
    by_rgb = VideoOptions(encoder=LOSSLESS, side_by_side=True)
    run(source, tmp_path / "both.mkv", strength, by_rgb)
    clear, both = codes(tmp_path / "out.mkv"), codes(tmp_path / "both.mkv")
    for one, two in zip(clear, both, strict=True):
        for a, b in zip(one, two, strict=True):
            assert difference(a, b[:, b.shape[1] // 2 :]) < 1.5
    assert difference(clear[0][0], codes(source)[0][0]) > 4


@pytest.mark.parametrize("name", ["yuva420p", "gray", "bgr0", "yuv411p"])
def test_other_formats_go_by_way_of_rgb(name: str, tmp_path: Path) -> None:
    source = write_lossless(tmp_path / "in.mkv", name)
    assert run(source, tmp_path / "out.mkv").frames == 4


def test_a_video_too_large_to_wait_in_memory_is_dehazed_the_same(
    make_video: VideoMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_video(frames=30)
    one_pass = run(source, tmp_path / "one.mkv")
    monkeypatch.setattr(video, "_LOOK_AHEAD_BYTES", 0)
    monkeypatch.setattr(video, "free_bytes", lambda: 0)
    two_passes = run(source, tmp_path / "two.mkv")
    assert one_pass.frames == two_passes.frames == 30
    assert one_pass.haze_frames == pytest.approx(two_passes.haze_frames, abs=0.02)
    pairs = zip(codes(tmp_path / "one.mkv"), codes(tmp_path / "two.mkv"), strict=True)
    assert max(difference(one[0], two[0]) for one, two in pairs) < 2


def test_a_video_is_decoded_once_where_a_fourth_of_the_free_memory_holds_three_seconds(
    make_video: VideoMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class CountedReader(VideoReader):
        def __init__(self, *given: Any, **named: Any) -> None:
            opened.append(given)
            super().__init__(*given, **named)

    monkeypatch.setattr(video, "VideoReader", CountedReader)
    monkeypatch.setattr(video, "_LOOK_AHEAD_BYTES", 0)
    source = make_video(frames=5)
    for free_mib, readers in ((64, 1), (1, 2)):
        monkeypatch.setattr(video, "free_bytes", lambda mib=free_mib: mib << 20)
        opened.clear()
        run(source, tmp_path / f"{readers}.mkv")
        assert len(opened) == readers


def test_frames_are_seen_ahead_and_come_in_their_order(make_video: VideoMaker) -> None:
    with VideoReader(make_video(frames=20, audio=True)) as reader:
        everything = list(reader.read(lambda look: planar_pixels("libx264", look)))
    items = LookAhead(everything, Fraction(1, 1000), 0.1)
    samples, came = items.samples(), []
    seen = []
    for item in items:
        came.append(item)
        if isinstance(item, TimedPlanes) and len(came) % 2:
            seen.append(next(samples, None))
    assert [id(item) for item in came] == [id(item) for item in everything]
    assert not any(isinstance(item, TimedFrame) for item in came)
    assert any(isinstance(item, Packet) for item in came)
    times = [sample[0] for sample in seen if sample is not None]
    assert times[0] == 0
    assert np.diff(times).min() >= 0.1
    assert times[-1] > 0.5
