"""What a video keeps beside its pixels, and what is said of the rest."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import VideoMaker, picture, video_frames, video_times
from PIL import Image, ImageCms

from dehaze.runtime import FunctionSession, InputError, open_dehazer
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.video import VideoOptions, VideoSummary, dehaze_video
from dehaze.runtime.media.encoders import EncoderOptions
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.pixels.planes import plane_array


def run(source: Path, target: Path, codec: str | None = None) -> tuple[VideoSummary, list[str]]:
    notices = Notices()
    options = VideoOptions(encoder=EncoderOptions(codec))
    with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
        summary = dehaze_video(source, target, dehazer, options, notices=notices)
    return summary, list(notices)


def write(path: Path, frames: list[av.VideoFrame], codec: str, **settings: Any) -> Path:
    """A video of these frames at 25 a second; settings of the codec context."""
    options = settings.pop("options", {})
    tags = settings.pop("tags", {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        context: Any = stream.codec_context
        context.width, context.height = frames[0].width, frames[0].height
        context.pix_fmt = frames[0].format.name
        for name, value in settings.items():
            setattr(context, name, value)
        stream.metadata.update(tags)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def flat(name: str, codes: tuple[int, ...], size: tuple[int, int] = (96, 64)) -> av.VideoFrame:
    frame = av.VideoFrame(*size, name)
    for plane, code in zip(frame.planes, codes, strict=True):
        wide = np.uint16 if name.endswith("le") else np.uint8
        plane.update(np.full(plane.buffer_size // wide().itemsize, code, wide).tobytes())
    return frame


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def stream_of(path: Path, kind: str = "video") -> dict[str, Any]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return {
            "tags": dict(stream.metadata),
            "disposition": int(stream.disposition),
            "codec": stream.codec_context and stream.codec_context.name,
            "ratio": getattr(stream, "sample_aspect_ratio", None) if kind == "video" else None,
        }


def test_10_bits_stay_10_bits_with_the_tags_of_hdr(tmp_path: Path) -> None:
    colours = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    params = "log-level=error:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)"
    params += "R(34000,16000)WP(15635,16450)L(10000000,1)"
    frames = [flat("yuv420p10le", (460, 500, 530)) for _ in range(3)]
    source = write(
        tmp_path / "in.mp4", frames, "libx265", options={"x265-params": params}, **colours
    )
    run(source, tmp_path / "out.mp4")
    before, after = first_frame(source), first_frame(tmp_path / "out.mp4")
    assert after.format.name == "yuv420p10le"
    assert (after.colorspace, after.color_primaries, after.color_trc) == (9, 9, 16)
    kinds = {data.type.name for data in after.side_data}
    assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= kinds
    for one, two in zip(before.planes, after.planes, strict=True):
        a, b = (np.frombuffer(plane, np.uint16).mean() for plane in (one, two))
        assert a == pytest.approx(b, abs=0.8)  # 0.2 of 255


def test_the_haze_of_a_scene_in_pq_is_that_of_an_sdr_display(tmp_path: Path) -> None:
    """PQ codes of dark greys lie high, as those of haze do: they must not be taken for light."""
    grey = picture(192, 320)[..., 0].astype(float) / 255
    light = grey**2.4 * 203 / 10000
    power = light ** (2610 / 16384)
    coded = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375  # ST 2084
    frame = flat("yuv420p10le", (0, 512, 512), (320, 192))
    frame.planes[0].update(np.rint(64 + 876 * coded).astype(np.uint16).tobytes())
    colours = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    source = write(tmp_path / "in.mkv", [frame], "ffv1", **colours)
    with open_dehazer() as dehazer:
        summary = dehaze_video(source, tmp_path / "out.mkv", dehazer)
        shown = np.rint(grey * 255).astype(np.uint8)[..., None].repeat(3, 2)
        expected = dehazer.estimate(shown).haze()
    assert summary.haze == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *(("png", ".mov"), ("libx264rgb", ".mp4"), ("prores_ks", ".mov"), ("mjpeg", ".mov")),
        *(("ffv1", ".mkv"), ("qtrle", ".mov"), ("mpeg4", ".mp4"), ("h264", ".avi")),
    ],
)
def test_every_encoder_gets_the_colours_that_it_expects(
    codec: str, suffix: str, tmp_path: Path
) -> None:
    source = write(  # Y, Cb, Cr of RGB (60, 200, 60) by BT.709, in a small video
        tmp_path / "in.mp4",
        [flat("yuv420p", (153, 81, 72))] * 2,
        "libx264",
        colorspace=1,
        color_primaries=1,
        color_trc=1,
        color_range=1,
        options={"crf": "1"},
    )
    run(source, tmp_path / f"out{suffix}", codec)
    frame = first_frame(tmp_path / f"out{suffix}")
    assert np.abs(np.array(_colour_by_tags(frame)) - (60, 200, 60)).max() < 2.5


def _colour_by_tags(frame: av.VideoFrame) -> tuple[float, float, float]:
    """The mean RGB of a frame as a player makes it out, by the standards' formulas."""
    if frame.format.is_rgb:
        means = frame.reformat(format="rgb24").to_ndarray().mean((0, 1))
        return means[0], means[1], means[2]
    y, cb, cr = frame.reformat(format="yuv444p16le").to_ndarray().mean((0, 1)) / 256
    if frame.color_range == 2:
        y, cb, cr = y / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    red_share, blue_share = (0.2126, 0.0722) if frame.colorspace == 1 else (0.299, 0.114)
    red, blue = y + 2 * (1 - red_share) * cr, y + 2 * (1 - blue_share) * cb
    green = (y - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    return 255 * red, 255 * green, 255 * blue


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4", ".mov", ".ts"])
def test_the_shape_of_a_pixel_is_kept(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / "wide.mp4"
    ratio = Fraction(16, 11)
    write(
        source,
        [flat("yuv420p", (90, 128, 128), (352, 288))] * 12,
        "libx264",
        sample_aspect_ratio=ratio,
    )
    run(source, tmp_path / f"out{suffix}")
    assert stream_of(tmp_path / f"out{suffix}")["ratio"] == Fraction(16, 11)
    assert len(video_frames(tmp_path / f"out{suffix}")) == 12


def test_interlaced_frames_are_made_whole(tmp_path: Path) -> None:
    frames = []
    for index in range(8):
        fields = np.full((64, 96), 60, np.uint8)
        for field in (0, 1):  # a bar that moves between the two fields of a frame
            left = 8 * index + 4 * field
            fields[field::2, left : left + 16] = 200
        frame = flat("yuv420p", (0, 128, 128))
        frame.planes[0].update(fields.tobytes())
        frames.append(frame)
    source = write(
        tmp_path / "in.mp4", frames, "libx264", options={"flags": "+ildct+ilme", "crf": "4"}
    )
    _, notices = run(source, tmp_path / "out.mp4")
    assert "interlaced frames are deinterlaced" in notices

    def combing(path: Path) -> float:
        luma = np.stack(video_frames(path))[..., 1].astype(int)
        return float(np.abs(2 * luma[:, 1:-1] - luma[:, :-2] - luma[:, 2:]).mean())

    assert combing(tmp_path / "out.mp4") < 0.6 * combing(source)
    assert video_times(tmp_path / "out.mp4") == pytest.approx(video_times(source), abs=1e-4)


def test_joined_recordings_go_on_where_the_first_ends(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    part = tmp_path / "part.ts"
    run(make_video(frames=25, audio=True), part)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * 2)
    for suffix in (".ts", ".mp4"):
        run(joined, tmp_path / f"out{suffix}")
        steps = np.diff(video_times(tmp_path / f"out{suffix}"))
        assert len(steps) == 49
        assert steps == pytest.approx(np.full(49, 0.04), abs=0.03)
        assert _sound_seconds(tmp_path / f"out{suffix}") == pytest.approx(2, abs=0.15)


def _sound_seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.pts is not None]
        times = [float(p.pts * p.time_base) for p in packets if p.pts is not None]
    return times[-1] - times[0]


def test_empty_chunks_of_an_avi_repeat_the_frame_before(tmp_path: Path) -> None:
    source = tmp_path / "in.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        context: Any = stream.codec_context
        context.width, context.height, context.pix_fmt = 80, 64, "yuvj420p"
        for number in [*range(10), *range(20, 30)]:  # the muxer fills the gap with empty chunks
            frame = flat("yuvj420p", (100, 128, 128), (80, 64))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    run(source, tmp_path / "out.mkv")
    times = video_times(tmp_path / "out.mkv")
    assert len(times) == 20
    assert times[10] - times[0] == pytest.approx(0.8, abs=2e-3)


def test_a_damaged_packet_costs_its_frames_alone(make_video: VideoMaker, tmp_path: Path) -> None:
    source = make_video(frames=30)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        packet = [p for p in container.demux(video=0) if p.size][12]
        start, size = packet.pos, packet.size
    assert start is not None
    data[start : start + size] = b"\xff" * size
    source.write_bytes(data)
    summary, _ = run(source, tmp_path / "out.mp4")
    assert summary.lost_frames + summary.damaged_frames >= 1
    assert summary.frames >= 15
    with (
        Dehazer(FunctionSession(lambda frames: frames)) as dehazer,
        pytest.raises(InputError, match=r"damaged.*leave out --strict"),
    ):
        dehaze_video(source, tmp_path / "no.mp4", dehazer, VideoOptions(strict=True))


def without_packets(source: Path, frames: range) -> Path:
    """The transport stream without what the network lost: the packets of these frames."""
    data = source.read_bytes()
    kept, index = b"", -1
    for start in range(0, len(data), 188):
        packet = data[start : start + 188]
        is_video = (packet[1] & 0x1F) << 8 | packet[2] == 0x100
        index += is_video and packet[1] >> 6 & 1  # a frame begins
        if not (is_video and index in frames):
            kept += packet
    damaged = source.with_stem("damaged")
    damaged.write_bytes(kept)
    return damaged


def test_frames_that_a_transport_stream_lost_are_counted(tmp_path: Path) -> None:
    frames = [flat("yuv420p", (50 + n, 128, 128)) for n in range(50)]
    source = write(tmp_path / "in.ts", frames, "mpeg2video")
    summary, _ = run(without_packets(source, range(20, 23)), tmp_path / "out.ts")
    assert (summary.frames, summary.lost_frames) == (47, 3)
    assert run(source, tmp_path / "whole.ts")[0].lost_frames == 0


@pytest.mark.parametrize("lost", [range(0), range(80, 82)])
def test_long_frames_of_a_variable_rate_are_not_lost_ones(
    lost: range, make_video: VideoMaker, tmp_path: Path
) -> None:
    times = [40 * n + 600 * (n > 10) + 1000 * (n > 20) for n in range(100)]
    source = make_video("in.ts", frames=100, times=times)
    summary, _ = run(without_packets(source, lost), tmp_path / "out.ts")
    assert summary.frames == 100 - len(lost)
    assert summary.lost_frames == 0


def test_a_matroska_file_that_lacks_its_end_is_told(make_video: VideoMaker, tmp_path: Path) -> None:
    source = make_video("in.mkv", frames=80)
    with av.open(str(source)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    data[positions[20] :] = bytes(len(data) - positions[20])
    source.write_bytes(data)
    _, notices = run(source, tmp_path / "out.mkv")
    assert [line for line in notices if "the header says 3.2 s" in line]


def test_a_video_that_begins_after_its_sound_is_whole(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    late = make_video("late.mkv", frames=5, times=[8000, 8040, 8080, 8120, 8160], audio=True)
    summary, _ = run(late, tmp_path / "out.mkv")
    assert summary.frames == 5
    assert video_times(tmp_path / "out.mkv")[0] == pytest.approx(8, abs=0.01)


def test_odd_sides_keep_their_chroma_where_the_codec_can(tmp_path: Path) -> None:
    image = av.VideoFrame.from_ndarray(picture(65, 97), "rgb24").reformat(format="yuv420p")
    source = write(tmp_path / "in.mkv", [image] * 2, "ffv1")
    _, notices = run(source, tmp_path / "out.mkv", "ffv1")
    assert notices == []
    before, after = first_frame(source), first_frame(tmp_path / "out.mkv")
    assert after.format.name == "yuv420p"
    for mine, theirs in zip(before.planes, after.planes, strict=True):
        rows = [plane_array(plane, False)[:, : plane.width] for plane in (mine, theirs)]
        assert np.array_equal(*rows)
    _, notices = run(source, tmp_path / "out.mp4", "h264")
    assert notices == [
        "odd sides: 4:2:0 at 8 bits becomes 4:4:4 at 8 bits, which not every player shows"
    ]


def test_transparency_is_kept_or_told(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in.mov",
        [flat("yuva444p10le", (500, 512, 512, 300))] * 2,
        "prores_ks",
        options={"profile": "4444"},
    )
    _, notices = run(source, tmp_path / "out.mov")
    assert not any("transparency" in notice for notice in notices)
    alpha = first_frame(tmp_path / "out.mov").reformat(format="rgba64le").to_ndarray()[..., 3]
    assert alpha.mean() / 65535 == pytest.approx(300 / 1023, abs=0.01)
    _, notices = run(source, tmp_path / "out.mp4", "h264")
    assert any("transparency is dropped" in notice for notice in notices)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_chapters_are_kept_or_told(suffix: str, tmp_path: Path) -> None:
    """An MP4 holds them twice, once as a track of texts."""
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as container:
        unit: Any = {"time_base": Fraction(1, 1000)}
        container.set_chapters(
            [
                {"id": 0, "start": 0, "end": 400, "metadata": {"title": "One"}, **unit},
                {"id": 1, "start": 400, "end": 800, "metadata": {"title": "Two"}, **unit},
            ]
        )
        container.metadata["title"] = "A film"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.metadata.update({"language": "jpn"})
        for index in range(20):
            frame = flat("yuv420p", (100, 128, 128))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    target = tmp_path / f"out{suffix}"
    _, notices = run(source, target)
    with av.open(str(target)) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    if suffix == ".ts":
        lost = "dropped, for a .ts file cannot hold it: the language jpn of the video, "
        assert notices == [f"{lost}the title of the file, the chapters"]
    else:
        assert titles == ["One", "Two"]
        assert notices == []


def test_languages_titles_flags_and_attachments_are_kept(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    source = tmp_path / "in.mkv"
    with (
        av.open(str(make_video())) as video,
        av.open(str(source), "w", container_options={"default_mode": "passthrough"}) as container,
    ):
        stream = container.add_stream_from_template(video.streams.video[0])
        stream.metadata.update({"language": "jpn", "title": "Main"})
        container.add_attachment("font.ttf", "application/x-truetype-font", b"a font")
        for packet in video.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    _, notices = run(source, tmp_path / "out.mkv")
    assert notices == []
    found = stream_of(tmp_path / "out.mkv")
    assert found["tags"]["language"] == "jpn"
    assert found["tags"]["title"] == "Main"
    assert found["disposition"] == 0
    assert stream_of(tmp_path / "out.mkv", "attachment")["tags"]["filename"] == "font.ttf"
    _, notices = run(source, tmp_path / "out.mp4")
    assert any("font.ttf" in notice and "dropped" in notice for notice in notices)
    assert stream_of(tmp_path / "out.mp4")["tags"]["language"] == "jpn"


@pytest.mark.parametrize("language", ["deu", "fra", "nld", "swe", "zho", "eng"])
def test_a_quicktime_file_knows_languages_by_names_of_its_own(
    language: str, tmp_path: Path
) -> None:
    frames = [flat("yuv420p", (9, 99, 99))] * 3
    source = write(tmp_path / "in.mkv", frames, "libx264", tags={"language": language})
    _, notices = run(source, tmp_path / "out.mov")
    assert notices == []
    own = {"deu": "ger", "nld": "dut", "swe": "sve", "zho": "chi"}
    assert stream_of(tmp_path / "out.mov")["tags"]["language"] == own.get(language, language)


def test_a_timecode_is_kept(tmp_path: Path) -> None:
    tags = {"timecode": "01:02:03:04"}
    source = write(tmp_path / "in.mov", [flat("yuv420p", (9, 99, 99))] * 3, "libx264", tags=tags)
    _, notices = run(source, tmp_path / "out.mov")
    assert stream_of(tmp_path / "out.mov")["tags"]["timecode"] == "01:02:03:04"
    assert notices == []


def _with_subtitles(video: Path, path: Path, codec: str, words: bytes) -> Path:
    with av.open(str(video)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        text = container.add_mux_stream(codec)
        text.time_base = Fraction(1, 1000)
        packets: list[Any] = [p for p in source.demux(video=0) if p.dts is not None]
        for packet in packets:
            packet.stream = stream
        line = av.Packet(words)
        line.pts = line.dts = 100
        line.duration, line.time_base, line.stream = 200, Fraction(1, 1000), text
        for packet in [line, *packets]:
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mkv", "subrip"), (".mp4", "mov_text"), (".webm", "webvtt")]
)
def test_subtitles_become_what_the_file_holds(
    suffix: str, codec: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    source = _with_subtitles(make_video(), tmp_path / "in.mkv", "subrip", b"through the fog")
    run(source, tmp_path / f"out{suffix}")
    found = stream_of(tmp_path / f"out{suffix}", "subtitle")
    assert found["codec"] in (codec, "srt")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        packets = [bytes(p) for p in container.demux(subtitles=0) if p.size]
    assert any(b"through the fog" in packet for packet in packets)


def test_subtitles_that_a_file_cannot_hold_are_told(make_video: VideoMaker, tmp_path: Path) -> None:
    source = _with_subtitles(make_video(), tmp_path / "in.mkv", "subrip", b"through the fog")
    _, notices = run(source, tmp_path / "out.ts")
    assert any("subtitles" in notice and "dropped" in notice for notice in notices)
    with av.open(str(tmp_path / "out.ts")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_hevc_in_mp4_has_the_tag_that_players_of_apple_ask_for(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    run(make_video(), tmp_path / "out.mp4", "hevc")
    assert b"hvc1" in (tmp_path / "out.mp4").read_bytes()


def test_300_frames_a_second_to_av1(tmp_path: Path) -> None:
    source = tmp_path / "fast.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=300)
        stream.width, stream.height = 96, 64
        for _ in range(12):
            container.mux(stream.encode(flat("yuv420p", (80, 128, 128))))
        container.mux(stream.encode(None))
    run(source, tmp_path / "out.mkv", "av1")
    assert np.diff(video_times(tmp_path / "out.mkv")).max() < 5e-3


def test_a_mirrored_video_comes_out_as_players_show_it(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    source = make_video(size=(96, 64))
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">6i", data, start, -1 << 16, 0, 0, 0, 1 << 16, 0)
    mirrored = tmp_path / "mirrored.mp4"
    mirrored.write_bytes(data)
    run(mirrored, tmp_path / "out.mp4")
    stored, shown = video_frames(source)[0], video_frames(tmp_path / "out.mp4")[0]
    assert np.abs(stored[:, ::-1].astype(int) - shown).mean() < 4


def test_a_camera_that_writes_exif_into_its_frames_is_read(tmp_path: Path) -> None:
    """FFmpeg hands EXIF on as data of the frame, of a type that PyAV 17.1 does not know."""
    source, exif = tmp_path / "camera.avi", Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Cam"  # orientation and maker
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(5):
            photo = io.BytesIO()
            Image.fromarray(picture(64, 96, index / 4)).save(photo, "JPEG", exif=exif, quality=95)
            packet: Any = av.Packet(photo.getvalue())
            packet.stream, packet.pts, packet.dts = stream, index, index
            packet.time_base, packet.is_keyframe = Fraction(1, 25), True
            container.mux(packet)
    run(source, tmp_path / "out.mp4")
    shown = video_frames(tmp_path / "out.mp4")
    assert len(shown) == 5
    assert np.abs(np.rot90(picture(64, 96), -1).astype(int) - shown[0]).mean() < 4


def test_a_profile_in_the_frames_of_a_png_video_crashes_nothing(tmp_path: Path) -> None:
    """PyAV 17.1 frees the profile's name twice: a segmentation fault, or worse."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [Image.fromarray(picture(64, 96, phase)) for phase in (0.0, 0.5, 1.0)]
    source = tmp_path / "in.mp4"  # FFmpeg goes by the content
    frames[0].save(source, "PNG", save_all=True, append_images=frames[1:], icc_profile=profile)
    program = (
        "import gc, pathlib, sys\n"
        "from dehaze.runtime.media.video_reader import VideoReader\n"
        "for _ in range(10):\n"
        "    with VideoReader(pathlib.Path(sys.argv[1])) as reader:\n"
        "        assert len(list(reader.read())) == 3\n"
        "    del reader\n"
        "    gc.collect()\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(source)]).returncode == 0


def test_sound_that_begins_late_is_left_out_and_told(tmp_path: Path) -> None:
    """As in the recording of a live stream: FFmpeg looks at 5 MB for the streams there are."""
    source, noise = tmp_path / "late.flv", np.random.default_rng(0)
    with av.open(str(source), "w") as container:
        stream = container.add_stream("flv", rate=25, options={"qmin": "1", "qmax": "1"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        for index in range(8):
            pixels = noise.integers(0, 255, (480, 640, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 8192), np.float32), "fltp", "stereo")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    data = source.read_bytes()
    video, late, at = b"", b"", 13
    while at < len(data):
        tag = data[at : at + 15 + int.from_bytes(data[at + 1 : at + 4], "big")]
        late, video = (late + tag, video) if tag[0] == 8 else (late, video + tag)
        at += len(tag)
    assert len(video) > 5_500_000
    source.write_bytes(data[:4] + b"\1" + data[5:13] + video + late)  # 1: it holds video alone
    summary, notices = run(source, tmp_path / "out.mkv")
    assert summary.frames == 8
    assert "a stream that begins long after the others is left out" in notices
