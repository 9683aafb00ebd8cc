"""Frames in planes against the same frames by way of RGB."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime import ModelError
from dehaze.runtime.haze.grid import Grid, thumbnail_stride
from dehaze.runtime.haze.pixel_passes import apply_grid, thumbnail_of
from dehaze.runtime.haze.plane_passes import apply_to_planes, thumbnail_of_planes
from dehaze.runtime.media.pixels.colour import Colours
from dehaze.runtime.media.pixels.frame_pixels import EncoderPixels, frame_of, rgb_of
from dehaze.runtime.media.pixels.pixel_layout import layout_of
from dehaze.runtime.media.pixels.planar_frame import CodedFrame

FORMATS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv440p"),
    *("yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"),
]
BT709, BT601, BT2020, YCGCO = 1, 5, 9, 8


def coded(
    name: str, colours: Colours, size: tuple[int, int] = (266, 150), contrast: float = 60
) -> CodedFrame:
    """A hazy-looking frame of a format: colours that change from pixel to pixel."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width] / 9
    waves = np.stack([np.sin(x), np.sin(y + 1), np.sin(x + y + 2)], axis=-1)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, waves.shape)
    rgb = np.rint((150 + contrast * (waves + noise)).clip(0, 255) * 257).astype(np.uint16)
    pixels = EncoderPixels(name, layout_of(av.VideoFormat(name)), colours)
    return CodedFrame(frame_of(rgb, None, pixels), pixels)


def rgb(frame: CodedFrame) -> NDArray[np.uint16]:
    height, width, _ = frame.shape
    return rgb_of(frame.frame, (width, height), frame.pixels.colours, deep=True)


def random_grid(frame: CodedFrame, gain: float, airlight: float) -> Grid:
    height, width, _ = frame.shape
    cell = 2 * thumbnail_stride(height, width)
    shape = (1, -(-height // cell), -(-width // cell), 4)
    values = np.random.default_rng(1).uniform(0.95, 1.05, shape).astype(np.float32)
    values[..., 0] *= gain
    values[..., 1:] *= airlight * (1 - values[..., :1])
    return Grid(values, cell)


def difference(one: CodedFrame, other: CodedFrame) -> float:
    """The greatest one between two frames' codes, in units of those of 8 bits."""
    _, width, _ = one.shape
    most = 0.0
    for k, (a, b) in enumerate(zip(one.planes, other.planes, strict=True)):
        right = width >> one.halves[0] if k else width
        most = max(most, np.abs(a[:, :right].astype(int) - b[:, :right]).max())
    return most / (1 << (one.depth - 8))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT709, BT601, BT2020, YCGCO])
@pytest.mark.parametrize("name", FORMATS)
def test_planes_become_what_they_become_by_way_of_rgb(
    name: str, matrix: int, full: bool, threads: int
) -> None:
    frame = coded(name, Colours(matrix, full_range=full))
    grid = random_grid(frame, gain=1.6, airlight=0.9)
    clear = frame.blank()
    apply_to_planes(frame, grid, clear, threads)
    by_rgb = frame_of(apply_grid(rgb(frame)[None], grid, 1)[0], None, frame.pixels)
    # The way by RGB repeats chroma and takes the gain of each pixel; here it is that of the mean.
    assert difference(clear, CodedFrame(by_rgb, frame.pixels)) <= 2


@pytest.mark.parametrize("size", [(1282, 722), (1100, 778)], ids=["even stride", "odd stride"])
@pytest.mark.parametrize("name", FORMATS)
def test_so_do_frames_of_several_tiles(name: str, size: tuple[int, int]) -> None:
    """With an odd stride the cells change between two rows of luma that share their chroma."""
    frame = coded(name, Colours(BT709), size)
    grid = random_grid(frame, gain=1.6, airlight=0.9)
    clear, parts = frame.blank(), frame.blank()
    apply_to_planes(frame, grid, clear, 1)
    by_rgb = frame_of(apply_grid(rgb(frame)[None], grid, 1)[0], None, frame.pixels)
    assert difference(clear, CodedFrame(by_rgb, frame.pixels)) <= 2
    apply_to_planes(frame, grid, parts, 3)
    assert difference(clear, parts) == 0


@pytest.mark.parametrize("name", FORMATS)
def test_colours_beyond_rgb_are_cut_off_as_in_rgb(name: str) -> None:
    frame = coded(name, Colours(BT709), contrast=100)
    grid = random_grid(frame, gain=2.5, airlight=0.8)
    clear = frame.blank()
    apply_to_planes(frame, grid, clear, 1)
    by_rgb = apply_grid(rgb(frame)[None], grid, 1)[0]
    assert np.mean((by_rgb == 0) | (by_rgb == 65535)) > 0.1
    expected = CodedFrame(frame_of(by_rgb, None, frame.pixels), frame.pixels)
    assert difference(clear, expected) <= 3


@pytest.mark.parametrize("name", FORMATS)
def test_the_bluest_blue_has_a_code_that_exists(name: str) -> None:
    """In the full range its Cb would round to one more than the greatest."""
    frame = coded(name, Colours(BT709, full_range=True)).blank()
    for plane, code in zip(frame.planes, (0.5, 0.9, 0.5), strict=True):
        plane[:] = code * (1 << frame.depth)
    values = np.zeros((1, 19, 34, 4), np.float32)
    values[:] = (0, 0, 0, 1)
    clear = frame.blank()
    apply_to_planes(frame, Grid(values, 8), clear, 1)
    assert (clear.planes[1][:, : 266 >> frame.halves[0]] == (1 << frame.depth) - 1).all()


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(266, 150), (64, 64), (1282, 722), (1100, 778)])
def test_the_thumbnail_is_that_of_the_same_frame_in_rgb(
    size: tuple[int, int], name: str, full: bool
) -> None:
    frame = coded(name, Colours(BT709, full_range=full), size)
    small = thumbnail_of_planes(frame, 2)
    expected = thumbnail_of(rgb(frame)[None], 1)
    assert small.stride == expected.stride
    assert np.abs(small.values - expected.values).max() < 0.004


@pytest.mark.parametrize("name", FORMATS)
def test_the_identity_changes_no_code(name: str) -> None:
    frame = coded(name, Colours(BT709))
    values = np.zeros((1, 19, 34, 4), np.float32)
    values[..., 0] = 1
    clear = frame.blank()
    apply_to_planes(frame, Grid(values, 8), clear, 2)
    assert difference(clear, frame) == 0


def test_a_grid_that_does_not_cover_the_frame_is_refused() -> None:
    frame = coded("yuv420p", Colours(BT709))
    with pytest.raises(ModelError, match="expected a grid that covers"):
        apply_to_planes(frame, Grid(np.ones((1, 2, 2, 4), np.float32), 8), frame.blank(), 1)
