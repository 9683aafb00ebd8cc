from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime.media.pixels.colour import Colours, colours_of
from dehaze.runtime.media.pixels.frame_pixels import EncoderPixels, alpha_of, frame_of, rgb_of
from dehaze.runtime.media.pixels.pixel_layout import layout_of

BT601, BT709, BT2020, SMPTE240M = 5, 1, 9, 7
MATRICES = (1, 4, 5, 6, 7, 8, 9)


def planes_of(pixels: NDArray[np.uint8], colours: Colours, name: str = "yuv444p") -> av.VideoFrame:
    layout = layout_of(av.VideoFormat(name))
    return frame_of(pixels, None, EncoderPixels(name, layout, colours))


def codes(pixels: NDArray[np.uint8], colours: Colours) -> list[int]:
    return [frame_plane[0, 0] for frame_plane in planes_of(pixels, colours).to_ndarray()]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("full", "black", "white"), [(False, 16, 235), (True, 0, 255)])
def test_grey_has_no_chroma(matrix: int, full: bool, black: int, white: int) -> None:
    for level, luma in ((0, black), (255, white)):
        pixels = np.full((4, 6, 3), level, np.uint8)
        assert codes(pixels, Colours(matrix, full_range=full)) == [luma, 128, 128]


@pytest.mark.parametrize(
    ("matrix", "rgb", "yuv"),
    [
        (BT601, (255, 0, 0), [81, 90, 240]),  # ITU-R BT.601's red bar
        (BT709, (255, 0, 0), [63, 102, 240]),  # ITU-R BT.709's
        (BT709, (0, 0, 255), [32, 240, 118]),
        (SMPTE240M, (255, 0, 0), [62, 102, 240]),
    ],
)
def test_primaries_have_the_standards_codes(
    matrix: int, rgb: tuple[int, ...], yuv: list[int]
) -> None:
    assert codes(np.full((2, 2, 3), rgb, np.uint8), Colours(matrix)) == yuv


def test_chroma_of_420_is_the_mean_of_four_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (66, 34, 3), np.uint8)
    full = planes_of(pixels, Colours(BT709)).to_ndarray().astype(float)
    packed = planes_of(pixels, Colours(BT709), "yuv420p").to_ndarray()
    assert np.array_equal(packed[:66], full[0])
    means = full[1:].reshape(2, 33, 2, 17, 2).mean((2, 4))
    assert np.abs(packed[66:].reshape(2, 33, 17) - means).max() <= 1


LAYOUTS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "nv12", "yuyv422"),
    *("uyvy422", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p10be", "p010le", "p210le"),
    *("y210le", "yuv444p12le", "yuva420p", "yuva444p10le", "rgb24", "bgr0", "gbrp", "gbrp10le"),
    *("gbrap12le", "rgba64le"),
]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020])
@pytest.mark.parametrize("full", [False, True])
def test_every_layout_comes_back_as_it_was(name: str, matrix: int, full: bool) -> None:
    """To RGB and again to the same codes: no code changes, and no colour by more than rounding."""
    layout, colours = layout_of(av.VideoFormat(name)), Colours(matrix, full_range=full)
    small = np.random.default_rng(3).integers(60, 196, (8, 8, 3)).astype(np.uint8)
    pixels = small.repeat(4, 0).repeat(4, 1)
    if deep := layout.depth > 8:
        pixels = pixels.astype(np.uint16) * 257
    target = EncoderPixels(name, layout, colours)
    first = frame_of(pixels, pixels[..., 0], target)
    seen = rgb_of(first, (32, 32), colours, deep=deep)
    assert abs(seen.astype(float) - pixels).max() <= (2.1 if not deep else 0.6 * 257)
    assert abs((seen.astype(float) - pixels).mean()) < (0.2 if not deep else 0.2 * 257)
    again = frame_of(seen, alpha_of(first, (32, 32)), target)
    for one, two in zip(first.planes, again.planes, strict=True):
        lines, bytes_used = one.line_size, one.width * (2 if deep else 1)
        pair = [np.frombuffer(p, np.uint8).reshape(-1, lines)[:, :bytes_used] for p in (one, two)]
        assert np.array_equal(*pair)


def test_what_a_stream_does_not_say_is_taken_as_players_take_it() -> None:
    assert colours_of(2, 2, 2, 1080)[0].matrix == BT709
    assert colours_of(2, 2, 2, 480)[0].matrix == BT601
    assert colours_of(2, 9, 16, 480)[0].matrix == BT2020
    assert not colours_of(2, 2, 2, 1080)[1]
    assert colours_of(14, 9, 16, 1080) == (Colours(BT2020, 9, 16), True)  # ICtCp is no matrix
