"""Frames from a device: PyAV hands on their numbers as NV12 or P010, and their times, no more."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.packet import Packet
from av.video.frame import VideoFrame
from conftest import VideoMaker, error_lines, picture

from dehaze.runtime.cli import main
from dehaze.runtime.errors import InputError
from dehaze.runtime.media import decoder
from dehaze.runtime.media.encoders import planar_pixels
from dehaze.runtime.media.pixels.planes import plane_array
from dehaze.runtime.media.video_reader import TimedFrame, TimedPlanes, VideoReader


class FakeDevice:
    """Decodes on the processor, and hands on what PyAV hands on of a device's frames."""

    def __init__(self, path: Path, name: str) -> None:
        self._container = av.open(str(path))
        self._codec = self._container.streams.video[0].codec_context
        self._name = name

    def decode(self, packet: Packet[Any]) -> list[VideoFrame]:
        return [self._bare(frame) for frame in self._codec.decode(packet)]

    def _bare(self, frame: VideoFrame) -> VideoFrame:
        deep = self._name == "p010le"
        same = frame.reformat(format=self._name)
        bare = VideoFrame(frame.width, frame.height, self._name)
        for target, source in zip(bare.planes, same.planes, strict=True):
            codes = plane_array(source, deep)
            plane_array(target, deep)[:] = codes[:, : target.line_size // codes.itemsize]
        bare.pts, bare.time_base = frame.pts, frame.time_base
        return bare


def write(path: Path, name: str, *, full: bool) -> Path:
    """A lossless video of uneven durations, whose colours are not those that would be guessed."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        context: Any = stream.codec_context
        context.width, context.height, context.pix_fmt = 128, 96, name
        context.color_range, context.colorspace = 2 if full else 1, 1
        for index in range(5):
            frame = VideoFrame.from_ndarray(picture(96, 128, index / 4), "rgb24")
            frame = frame.reformat(format=name, dst_colorspace=1)
            frame.pts, frame.time_base = index * (index + 1), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def codes(item: TimedFrame | TimedPlanes) -> list[Any]:
    if isinstance(item, TimedFrame):
        return [item.pixels]
    sides = [item.planes.frame.planes[i].width for i in range(3)]
    return [plane[:, :side] for plane, side in zip(item.planes.planes, sides, strict=True)]


@pytest.mark.parametrize("planar", [True, False], ids=["planes", "rgb"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("name", "handed_on"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le"), ("yuv444p", "yuv444p")]
)
def test_frames_of_a_device_are_those_of_the_processor(
    name: str,
    handed_on: str,
    full: bool,
    planar: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write(tmp_path / "in.mkv", name, full=full)
    device = FakeDevice(path, handed_on)
    monkeypatch.setattr(decoder, "_codec_on_device", lambda *_: device)
    chosen = (lambda look: planar_pixels("ffv1", look)) if planar else None
    with VideoReader(path, deep=True) as one, VideoReader(path, deep=True, hardware="cuda") as two:
        expected, got = list(one.read(chosen)), list(two.read(chosen))
        assert two.look == one.look
    assert len(got) == len(expected) == 5
    for mine, wanted in zip(got, expected, strict=True):
        assert isinstance(mine, TimedPlanes if planar else TimedFrame)
        assert type(mine) is type(wanted)
        assert (mine.pts, mine.duration) == (wanted.pts, wanted.duration)
        assert all(map(np.array_equal, codes(mine), codes(wanted)))


def test_a_device_that_decodes_no_frame_is_told(
    make_video: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute:
        def decode(self, packet: Packet[Any]) -> list[VideoFrame]:  # noqa: ARG002
            raise av.InvalidDataError(1, "no such profile")

    monkeypatch.setattr(decoder, "_codec_on_device", lambda *_: Mute())
    with (
        VideoReader(make_video(), hardware="cuda") as reader,
        pytest.raises(InputError, match="decodes no frame; leave --hwaccel out"),
    ):
        list(reader.read())


def test_an_unknown_kind_of_device_is_told(
    make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(make_video()), "--hwaccel", "abacus"]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "--hwaccel expects one of " in line
    assert line.endswith(" here, got abacus")


def test_a_device_that_is_not_there_is_told(
    make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_video()
    kind = next(iter(hwdevices_available()), None)
    if kind is None or is_there(kind, source):
        pytest.skip("FFmpeg knows no device, or there is one")
    assert main([str(source), "--hwaccel", kind]) == 1
    (line,) = error_lines(capsys.readouterr().err)
    assert f"--hwaccel {kind}: no such device " in line
    assert line.endswith("; leave it out")
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def is_there(kind: str, source: Path) -> bool:
    try:
        av.open(str(source), hwaccel=HWAccel(kind, allow_software_fallback=False)).close()
    except (av.FFmpegError, OSError, RuntimeError):
        return False
    return True


def test_devices_are_for_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rtsp://127.0.0.1:9/x", "--hwaccel", "cuda"]) == 2
    assert "--hwaccel is for files" in capsys.readouterr().err


def test_an_encoder_without_its_device_is_told(
    make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    if "h264_nvenc" not in av.codecs_available or is_there("cuda", make_video("probe.mp4")):
        pytest.skip("FFmpeg has no NVENC, or there is a device")
    source = make_video(size=(256, 160))
    assert main([str(source), "--codec", "h264_nvenc"]) == 1
    (line,) = error_lines(capsys.readouterr().err)
    assert line.endswith("h264_nvenc needs its device and driver, choose another --codec")
