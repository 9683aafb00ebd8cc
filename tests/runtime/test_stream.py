from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime import FunctionSession, ModelError, UsageError, open_dehazer
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.haze.airlight import RecursiveAirlight, Sample, WindowAirlight, airlight_of
from dehaze.runtime.haze.grid import Grid
from dehaze.runtime.haze.motion import luminance_of, motion_between
from dehaze.runtime.stream import Stream, StreamOptions, auto_strength

PER_FRAME = StreamOptions(temporal=False)
SMOOTH = StreamOptions()


def scene(seed: int, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Blobs of colour under haze, (H, W, 3) uint8 RGB, to be cut frames from."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    clear = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (0.5 * clear + 0.5 * 230).astype(np.uint8)


def panned(count: int) -> Iterator[NDArray[np.uint8]]:
    """A camera that turns over a wide scene by 6 pixels a frame."""
    wide = scene(1, 240, 320 + 6 * count)
    for i in range(count):
        yield wide[:, 6 * i : 6 * i + 320]


@pytest.fixture(scope="module")
def dehazer() -> Iterator[Dehazer]:
    with open_dehazer(threads=2) as opened:
        yield opened


def flicker(stream: Stream) -> float:
    """The mean change of the error from one frame to the next."""
    errors = []
    for i, hazy in enumerate(panned(30)):
        clear = (hazy.astype(np.float32) - 0.5 * 230) / 0.5
        errors.append(np.mean(stream(hazy, seconds=i / 30).pixels - clear))
    return float(np.abs(np.diff(errors)).mean())


def test_a_turning_camera_flickers_half_as_much(dehazer: Dehazer) -> None:
    assert flicker(Stream(dehazer, SMOOTH)) < 0.5 * flicker(Stream(dehazer, PER_FRAME))


def test_without_smoothing_a_frame_is_as_if_alone(dehazer: Dehazer) -> None:
    stream = Stream(dehazer, PER_FRAME)
    for seed in range(3):
        assert np.array_equal(stream(scene(seed)).pixels, dehazer(scene(seed)))


def test_the_first_frame_after_a_cut_is_as_if_alone(dehazer: Dehazer) -> None:
    stream = Stream(dehazer, SMOOTH)
    shown = [stream(scene(seed)) for seed in (1, 1, 1, 2, 2)]
    assert [one.begins_scene for one in shown] == [True, False, False, True, False]
    difference = shown[3].pixels.astype(int) - dehazer(scene(2))
    assert np.abs(difference).max() <= 1


def test_a_camera_that_changes_its_size_begins_anew(dehazer: Dehazer) -> None:
    stream = Stream(dehazer, SMOOTH)
    stream(scene(1))
    larger = cv2.resize(scene(1), (640, 480))
    shown = stream(cv2.resize(larger, (1280, 960)))  # of the same thumbnail size as 640x480
    assert shown.begins_scene
    assert stream(larger).begins_scene
    assert not stream(larger).begins_scene


def test_a_cut_gets_its_own_estimate_whatever_every_says(dehazer: Dehazer) -> None:
    stream = Stream(dehazer, StreamOptions(every=100))
    stream(scene(1))
    shown = stream(scene(2))
    assert shown.begins_scene
    assert np.abs(shown.pixels.astype(int) - dehazer(scene(2))).max() <= 1


def test_what_appears_within_a_scene_counts_at_once(dehazer: Dehazer) -> None:
    """Something clear and dark enters: its cells take the new estimate, far ones keep the old."""
    before = scene(1)
    after = before.copy()
    after[80:140, 100:180] = scene(3, 60, 80) // 4
    stream = Stream(dehazer, SMOOTH)
    for _ in range(4):
        stream(before)
    shown = stream(after)
    assert not shown.begins_scene
    ours, alone = shown.pixels[90:130, 110:170], dehazer(after)[90:130, 110:170]
    old = dehazer.apply(after, dehazer.estimate(before))[90:130, 110:170]
    error = np.abs(ours.astype(int) - alone).mean()
    assert error < 0.5 * np.abs(old.astype(int) - alone).mean()


@pytest.mark.parametrize("cells", [(30, 40), (20, 27)])
def test_the_grid_moves_with_the_picture(cells: tuple[int, int]) -> None:
    wide = scene(1, 240, 480)
    previous, current = wide[:, 40:360], wide[:, 64:384]  # the camera turns by 24 pixels
    small = (cv2.cvtColor(cv2.resize(i, (80, 60)), cv2.COLOR_RGB2GRAY) for i in (previous, current))
    motion = motion_between(*small, cells)
    columns = np.arange(motion.source.shape[1])
    shift = np.median(motion.source[..., 0] - columns)
    assert shift == pytest.approx(24 * cells[1] / 320, abs=0.25)
    assert not motion.is_cut
    assert np.median(motion.trust) > 0.8
    assert (motion.trust[:, -1] == 0).all()  # came into view


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (64, 320), (480, 64), (96, 640), (64, 3840), (16384, 64)]
)
def test_narrow_frames_are_followed_too(height: int, width: int, dehazer: Dehazer) -> None:
    """OpenCV's flow crashes on thumbnails of fewer than 32 rows."""
    stream = Stream(dehazer, SMOOTH)
    frame = cv2.resize(scene(1), (width, height))
    assert [stream(frame).begins_scene for _ in range(3)] == [True, False, False]


def test_an_estimate_that_is_not_finite_counts_for_nothing(dehazer: Dehazer) -> None:
    stream = Stream(dehazer, SMOOTH)
    before = stream(scene(1)).pixels
    estimate = dehazer.estimate

    def overflowing(*arguments: object) -> Grid:
        grid = estimate(*arguments)  # type: ignore[arg-type]
        return Grid(np.full_like(grid.values, np.nan), grid.cell)

    dehazer.estimate = overflowing  # type: ignore[method-assign]
    try:
        during = stream(scene(1))
    finally:
        dehazer.estimate = estimate  # type: ignore[method-assign]
    assert np.abs(during.pixels.astype(int) - before).max() <= 1
    assert np.abs(stream(scene(1)).pixels.astype(int) - before).max() <= 1


@pytest.mark.parametrize("every", [2, 5])
def test_estimates_are_spared_between(every: int, dehazer: Dehazer) -> None:
    counted: list[int] = []
    estimate = dehazer.estimate

    def counting(*arguments: object) -> Grid:
        counted.append(1)
        return estimate(*arguments)  # type: ignore[arg-type]

    dehazer.estimate = counting  # type: ignore[method-assign]
    try:
        stream = Stream(dehazer, StreamOptions(every=every))
        shown = [stream(scene(1)).pixels for _ in range(11)]
    finally:
        dehazer.estimate = estimate  # type: ignore[method-assign]
    assert len(counted) == 1 + 10 // every
    assert np.abs(shown[-1].astype(int) - dehazer(scene(1))).max() <= 2


def test_clear_frames_stay_as_they_are_with_auto(dehazer: Dehazer) -> None:
    clear = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    clear = cv2.resize(clear, (320, 240), interpolation=cv2.INTER_CUBIC)
    shown = Stream(dehazer, StreamOptions(auto=True))(clear)
    assert shown.haze is not None
    assert shown.haze < 0.15
    assert np.array_equal(shown.pixels, clear)
    hazy = Stream(dehazer, StreamOptions(auto=True))(scene(1))
    assert hazy.haze is not None
    assert hazy.haze > 0.24
    assert np.abs(hazy.pixels.astype(int) - dehazer(scene(1))).max() <= 1


def test_the_strength_of_auto_rises_without_a_step() -> None:
    strengths = [auto_strength(haze) for haze in np.linspace(0, 1, 201)]
    assert strengths == sorted(strengths)
    assert strengths[0] == 0
    assert strengths[-1] == 1
    assert max(np.diff(strengths)) < 0.1


def test_a_model_without_a_grid_dehazes_frame_by_frame() -> None:
    with Dehazer(FunctionSession(lambda frames: 255 - frames)) as dehazer:
        shown = Stream(dehazer, SMOOTH)(scene(1))
    assert np.array_equal(shown.pixels, 255 - scene(1))
    assert shown.haze is None


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="every must be at least 1, got 0"):
        StreamOptions(every=0)
    with pytest.raises(UsageError, match="temporal"):
        StreamOptions(every=2, temporal=False)
    without_grid = Dehazer(FunctionSession(lambda frames: frames))
    for options in (StreamOptions(auto=True), StreamOptions(every=2)):
        with pytest.raises(ModelError, match="gives no estimate, which auto and every need"):
            Stream(without_grid, options)


def values_of(airlight: float, gain: float) -> NDArray[np.float32]:
    values = np.full((32, 40, 4), gain, np.float32)
    values[..., 1:] = airlight * (1 - gain)
    return values


def test_the_airlight_of_a_grid_is_that_of_its_haze() -> None:
    airlight, weight = airlight_of(values_of(0.8, 3))
    assert airlight == pytest.approx([0.8] * 3, rel=1e-4)
    assert weight == pytest.approx(2, rel=1e-4)
    assert airlight_of(values_of(0.8, 1))[1] == 0


def test_the_airlight_of_a_camera_follows_slowly() -> None:
    track = RecursiveAirlight()
    grey = np.zeros((64, 80), np.uint8)
    for _ in range(20):
        steady = track.update(values_of(0.8, 2), grey, 0)
    assert steady == pytest.approx([0.8] * 3, rel=1e-4)
    step = track.update(values_of(1.0, 2), grey, 0)
    assert step == pytest.approx([0.82] * 3, rel=1e-4)
    assert track.update(values_of(0.1, 1), grey, 0) == pytest.approx(
        step, rel=1e-4
    )  # clear: says nothing
    track.reset()
    assert track.update(values_of(0.5, 2), grey, 0) == pytest.approx([0.5] * 3, rel=1e-4)


def test_the_airlight_of_a_file_is_the_mean_around_a_frame_in_its_scene() -> None:
    one, other = (
        luminance_of(cv2.resize(scene(seed), (80, 64)).transpose(2, 0, 1) / np.float32(255))
        for seed in (1, 2)
    )
    guesses = [(0.7, one), (0.8, one), (0.9, one), (0.2, other), (0.3, other)]
    samples = (
        Sample(i, Grid(values_of(a, 2)[None], 8), image) for i, (a, image) in enumerate(guesses)
    )
    track = WindowAirlight(samples)
    assert track.update(values_of(0.7, 2), one, 0.0) == pytest.approx([0.8] * 3, rel=1e-4)
    # Between the samples at 2 s and at 3 s a scene begins: the picture says which it is.
    assert track.update(values_of(0.9, 2), one, 2.5) == pytest.approx([0.8] * 3, rel=1e-4)
    assert track.update(values_of(0.2, 2), other, 2.6) == pytest.approx([0.25] * 3, rel=1e-4)
    assert track.update(values_of(0.3, 2), other, 4.0) == pytest.approx([0.25] * 3, rel=1e-4)
