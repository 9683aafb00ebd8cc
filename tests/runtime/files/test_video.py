from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import VideoMaker, video_frames, video_times

from dehaze.runtime import FunctionSession, InputError, OutputError, UsageError
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.video import VideoOptions, VideoSummary, dehaze_video
from dehaze.runtime.media.encoders import EncoderOptions
from dehaze.runtime.media.video_reader import TimedFrame, VideoReader


def identity() -> Dehazer:
    return Dehazer(FunctionSession(lambda frames: frames))


def run(source: Path, target: Path, options: VideoOptions | None = None) -> VideoSummary:
    with identity() as dehazer:
        return dehaze_video(source, target, dehazer, options)


def test_every_frame_comes_out_in_order(make_video: VideoMaker, tmp_path: Path) -> None:
    source, target = make_video(frames=33), tmp_path / "out.mp4"
    seen = []
    with identity() as dehazer:
        summary = dehaze_video(source, target, dehazer, on_frame=seen.append)
    assert summary.frames == len(video_frames(target)) == 33
    assert seen == [33] * 33
    assert video_times(target) == pytest.approx(video_times(source), abs=1e-4)
    for before, after in zip(video_frames(source), video_frames(target), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 4
    assert summary.decode_ms["p95"] >= summary.decode_ms["p50"] > 0


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    ],
    ids=["concat", "hls", "sdp"],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.ts"])
def test_a_list_of_files_brings_in_no_other_file(
    text: str, name: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    make_video("other.ts")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}: expected a video"):
        run(tmp_path / name, tmp_path / "out.mp4")


def test_a_variable_frame_rate_is_kept(make_video: VideoMaker, tmp_path: Path) -> None:
    times = [0, 40, 55, 200, 210, 900, 905, 1500]
    source, target = make_video(frames=8, times=times), tmp_path / "out.mkv"
    run(source, target)
    assert video_times(target) == pytest.approx(video_times(source), abs=1.1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_audio_is_copied_bit_for_bit(suffix: str, make_video: VideoMaker, tmp_path: Path) -> None:
    source, target = make_video(audio=True, frames=25), tmp_path / f"out{suffix}"
    run(source, target)
    assert _packets(target, "audio") == _packets(source, "audio") != []


def _packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_subtitles_are_copied(make_video: VideoMaker, tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:00,300\nthrough the fog\n\n")
    source = tmp_path / "with-words.mkv"
    with (
        av.open(str(make_video())) as video,
        av.open(str(words)) as text,
        av.open(str(source), "w") as container,
    ):
        streams = {s: container.add_stream_from_template(s) for s in video.streams.video}
        streams |= {s: container.add_stream_from_template(s) for s in text.streams.subtitles}
        for packet in [*video.demux(), *text.demux()]:
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                container.mux(packet)
    target = tmp_path / "out.mkv"
    run(source, target)
    assert [p.strip() for p in _packets(target, "subtitle")] == [b"through the fog"]


def test_a_stream_that_the_container_cannot_hold_is_told(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    source = make_video(audio=True)
    with pytest.raises(OutputError, match=r"name an \.mkv output|cannot be written"):
        run(source, tmp_path / "out.webm", VideoOptions(encoder=EncoderOptions("vp9")))


def test_a_rotated_video_comes_out_upright(make_video: VideoMaker, tmp_path: Path) -> None:
    source = make_video(size=(96, 64))
    _set_display_matrix(source, (0, 1, -1, 0))  # to be shown turned by a quarter
    target = tmp_path / "out.mp4"
    summary = run(source, target)
    assert (summary.width, summary.height) == (64, 96)
    with av.open(str(source)) as container:
        stored = next(container.decode(video=0))
        shown = np.rot90(stored.to_ndarray(format="rgb24"), round(stored.rotation / 90))
    with av.open(str(target)) as container:
        result = next(container.decode(video=0))
        assert result.rotation == 0
        assert np.abs(result.to_ndarray(format="rgb24").astype(int) - shown).mean() < 4


def _set_display_matrix(path: Path, corner: tuple[int, int, int, int]) -> None:
    """Writes a, b, c, d of the track header's matrix (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in corner)
    struct.pack_into(">6i", data, start, a, b, 0, c, d, 0)
    path.write_bytes(data)


@pytest.mark.parametrize("size", [(97, 64), (96, 65)])
def test_an_odd_size_is_kept(size: tuple[int, int], make_video: VideoMaker, tmp_path: Path) -> None:
    run(make_video(size=size), tmp_path / "out.mp4")
    assert video_frames(tmp_path / "out.mp4")[0].shape == (size[1], size[0], 3)


def test_side_by_side_shows_before_on_the_left(make_video: VideoMaker, tmp_path: Path) -> None:
    source, target = make_video(), tmp_path / "out.mp4"
    with Dehazer(FunctionSession(lambda frames: frames // 2)) as dehazer:
        dehaze_video(source, target, dehazer, VideoOptions(side_by_side=True))
    result = video_frames(target)[0].astype(int)
    assert result.shape == (64, 192, 3)
    assert np.abs(result[:, :96] - video_frames(source)[0]).mean() < 4
    assert np.abs(2 * result[:, 96:] - video_frames(source)[0]).mean() < 8


@pytest.mark.parametrize("codec", ["hevc", "av1", "mpeg4"])
def test_other_codecs(codec: str, make_video: VideoMaker, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    run(make_video(), target, VideoOptions(encoder=EncoderOptions(codec)))
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name in (codec, "libdav1d")
    assert len(video_frames(target)) == 12


def test_quality_changes_the_size(make_video: VideoMaker, tmp_path: Path) -> None:
    source, sizes = make_video(size=(320, 240)), []
    for quality in (10, 40):
        target = tmp_path / f"{quality}.mp4"
        run(source, target, VideoOptions(encoder=EncoderOptions(quality=quality)))
        sizes.append(target.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_an_unknown_codec_is_told(make_video: VideoMaker, tmp_path: Path) -> None:
    options = VideoOptions(encoder=EncoderOptions("h267"))
    with pytest.raises(UsageError, match="no video encoder named 'h267'"):
        run(make_video(), tmp_path / "out.mp4", options)


def test_a_text_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video\n" * 100)
    with pytest.raises(InputError, match="expected a video"):
        run(path, tmp_path / "out.mp4")


@pytest.mark.parametrize("keep", [0.5, 0.9])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_off_video_is_told(
    keep: float, suffix: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    source = make_video(f"whole{suffix}", frames=100, faststart=suffix == ".mp4")
    data = source.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * keep)])
    if suffix == ".mkv" and keep == 0.9:
        pytest.skip("less than a second of an .mkv may go missing unnoticed: no frame count")
    with pytest.raises(InputError, match=r"cut off|damaged"):
        run(cut, tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("size", "rgb"),
    [((1280, 720), (189.6, 142.3, 112.2)), ((640, 480), (185.3, 139.4, 113.9))],
)
def test_the_matrix_between_yuv_and_rgb_is_that_of_hd_and_of_sd(
    size: tuple[int, int], rgb: tuple[float, float, float], tmp_path: Path
) -> None:
    """Y, Cb, Cr = 145, 110, 150 by BT.709 and BT.601, there and back."""
    source, target = tmp_path / "flat.mp4", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height = size
        frame = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(frame.planes, (145, 110, 150), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(source) as reader:
        pixel = next(item for item in reader.read() if isinstance(item, TimedFrame)).pixels[9, 9]
    # FFmpeg's fast conversion cuts off where it should round: 1.5 ms a 720p frame, not 8.
    assert np.abs(pixel - np.array(rgb)).max() < 2
    run(source, target, VideoOptions(encoder=EncoderOptions(quality=1)))
    with av.open(str(target)) as container:
        planes = next(container.decode(video=0)).to_ndarray()
    means = [planes[: size[1]].mean(), *np.array_split(planes[size[1] :].ravel(), 2)]
    assert [np.mean(m) for m in means] == pytest.approx([145, 110, 150], abs=1.5)


def test_a_webm_comes_out_as_vp9_unless_told_otherwise(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    run(make_video(), tmp_path / "out.webm")
    with av.open(str(tmp_path / "out.webm")) as container:
        assert "vp9" in container.streams.video[0].codec_context.name
    assert len(video_frames(tmp_path / "out.webm")) == 12


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_videos_are_whole(frames: int, make_video: VideoMaker, tmp_path: Path) -> None:
    assert run(make_video("short.mkv", frames=frames), tmp_path / "out.mkv").frames == frames


def test_avi_keeps_the_order_of_its_frames(make_video: VideoMaker, tmp_path: Path) -> None:
    source, again = tmp_path / "one.avi", tmp_path / "two.avi"
    run(make_video(frames=20), source)
    run(source, again)
    # FFmpeg's AVI reader gives the first H.264 frame number 1 where the stream may reorder.
    steps = np.diff(video_times(again))
    assert steps == pytest.approx(np.full(19, 1 / 25), abs=1e-3)
    for before, after in zip(video_frames(source), video_frames(again), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 6


def test_a_matroska_that_starts_late_is_whole(make_video: VideoMaker, tmp_path: Path) -> None:
    source = make_video("late.mkv", frames=5, times=[5000, 5040, 5080, 5120, 5160])
    assert run(source, tmp_path / "out.mkv").frames == 5
    assert video_times(tmp_path / "out.mkv")[0] == pytest.approx(5, abs=0.01)


def test_names_may_hold_colons(make_video: VideoMaker, tmp_path: Path) -> None:
    run(make_video("12:30.mp4"), tmp_path / "12:31.mp4")
    assert len(video_frames(tmp_path / "12:31.mp4")) == 12


@pytest.mark.parametrize("name", ["out.m3u8", "out.png", "out"])
def test_an_output_that_is_no_video_file_is_told(
    name: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="expected a video name"):
        run(make_video(), tmp_path / name)


def test_an_encoder_with_its_own_pixel_format(make_video: VideoMaker, tmp_path: Path) -> None:
    target = tmp_path / "out.mov"
    run(make_video(), target, VideoOptions(encoder=EncoderOptions("prores")))
    assert len(video_frames(target)) == 12


def test_each_frame_is_timed_once(make_video: VideoMaker) -> None:
    with VideoReader(make_video(frames=30, audio=True)) as reader:
        frames = [item for item in reader.read() if isinstance(item, TimedFrame)]
        assert len(reader.decode_times) == len(frames) == 30
