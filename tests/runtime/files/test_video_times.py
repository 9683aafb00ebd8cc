"""The times of a video's frames and of its sound are those that a player would show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import picture, video_times

from dehaze.runtime.cli import main

Maker = Callable[..., Path]


@pytest.fixture
def make_film(tmp_path: Path) -> Maker:
    """Writes a video with sound; see `_write_film`."""
    return lambda name, **options: _write_film(tmp_path / name, **options)


def _write_film(
    path: Path, *, frames: int = 25, sound_s: float = 1.0, later_s: float = 0.0, **options: str
) -> Path:
    """25 frames a second and AAC; the video begins `later_s` after the sound, or before it."""
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=48000)
        images = [
            av.VideoFrame.from_ndarray(picture(64, 96, i / 4), "rgb24") for i in range(frames)
        ]
        for index, image in enumerate([*images, None]):
            if image is not None:
                image.pts = index
            for packet in video.encode(image):
                assert packet.pts is not None and packet.dts is not None
                shift = round(later_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                container.mux(packet)
        tone = np.sin(np.arange(round(48000 * sound_s)) / 20).astype(np.float32) / 4
        samples = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
        samples.sample_rate = 48000
        for part in (samples, None):
            container.mux(sound.encode(part))
    return path


def _sound_times(path: Path) -> list[float]:
    """Presentation time of every packet of sound in seconds."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [float(packet.pts * packet.time_base) for packet in packets]


def _dehazed(path: Path) -> Path:
    target = path.with_name(f"out{path.suffix}")
    assert main([str(path), str(target)]) == 0
    return target


def test_time_stamps_of_33_bits_that_wrap_go_on(make_film: Maker) -> None:
    wrap = 2**33 / 90_000
    film = make_film("a.ts", output_ts_offset=f"{wrap - 0.5:.3f}")
    result = _dehazed(film)
    assert np.diff(video_times(result)) == pytest.approx(np.full(24, 0.04), abs=0.001)
    assert np.ptp(_sound_times(result)) == pytest.approx(np.ptp(_sound_times(film)), abs=0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".ts", ".mkv"])
def test_a_video_that_begins_after_its_sound_stays_there(suffix: str, make_film: Maker) -> None:
    result = _dehazed(make_film(f"a{suffix}", later_s=0.6))
    lag = video_times(result)[0] - _sound_times(result)[0]
    assert lag == pytest.approx(0.6, abs=0.045)  # the encoder's sound begins a little early
    assert len(video_times(result)) == 25


def test_what_an_edit_list_cuts_stays_cut(make_film: Maker) -> None:
    film = make_film("a.mp4", later_s=-0.4, avoid_negative_ts="disabled", use_editlist="1")
    assert len(video_times(film)) == 15  # the first ten frames lie before the beginning
    result = _dehazed(film)
    assert video_times(result) == pytest.approx(np.arange(15) / 25, abs=0.001)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_one_frame_under_a_long_sound_is_whole(suffix: str, make_film: Maker) -> None:
    film = make_film(f"a{suffix}", frames=1, sound_s=5.0)
    result = _dehazed(film)
    assert len(video_times(result)) == 1
    assert len(_sound_times(result)) == len(_sound_times(film))


def test_two_recordings_joined_follow_each_other(make_film: Maker, tmp_path: Path) -> None:
    later = make_film("later.ts", output_ts_offset="500").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(later + make_film("b.ts", later_s=0.2).read_bytes())
    result = _dehazed(joined)
    steps = np.diff(video_times(result))
    assert len(steps) == 49
    assert steps.min() > 0 and steps.max() < 0.3
    sound = np.diff(_sound_times(result))
    assert sound.min() > 0 and sound.max() < 0.1


def test_what_begins_before_zero_stays_beside_its_sound(make_film: Maker, tmp_path: Path) -> None:
    """Matroska's reader gives frames before zero no times, but sound has them."""
    film, source = make_film("film.mp4"), tmp_path / "in.mkv"
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(film)) as before, av.open(str(source), "w", options=options) as after:
        copies = [after.add_stream_from_template(stream) for stream in before.streams]
        for packet in before.demux():
            if packet.dts is not None and packet.pts is not None:
                shift = round(0.48 / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    target = _dehazed(source)
    assert len(video_times(target)) == 25
    ahead = video_times(film)[0] - _sound_times(film)[0]
    assert video_times(target)[0] - _sound_times(target)[0] == pytest.approx(ahead, abs=0.01)
