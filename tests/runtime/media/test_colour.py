from __future__ import annotations

import numpy as np
import pytest

from dehaze.runtime.media.colour import YuvMatrix, yuv420_from_rgb, yuv444_from_rgb


@pytest.mark.parametrize("matrix", YuvMatrix)
def test_grey_has_no_chroma_and_limited_range(matrix: YuvMatrix) -> None:
    for level, luma in ((0, 16), (255, 235), (128, 126)):
        planes = yuv444_from_rgb(np.full((3, 5, 3), level, np.uint8), matrix)
        assert planes[:, 0, 0].tolist() == [luma, 128, 128]


@pytest.mark.parametrize(
    ("matrix", "rgb", "yuv"),
    [
        (YuvMatrix.BT601, (255, 0, 0), (81, 90, 240)),  # ITU-R BT.601's red bar
        (YuvMatrix.BT709, (255, 0, 0), (63, 102, 240)),  # ITU-R BT.709's
        (YuvMatrix.BT709, (0, 0, 255), (32, 240, 118)),
    ],
)
def test_primaries_have_the_standards_codes(
    matrix: YuvMatrix, rgb: tuple[int, ...], yuv: tuple[int, ...]
) -> None:
    planes = yuv444_from_rgb(np.full((2, 2, 3), rgb, np.uint8), matrix)
    assert planes[:, 0, 0].tolist() == list(yuv)


def test_chroma_of_420_is_the_mean_of_four_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (66, 34, 3), np.uint8)
    full = yuv444_from_rgb(pixels, YuvMatrix.BT709).astype(float)
    packed = yuv420_from_rgb(pixels, YuvMatrix.BT709)
    assert np.array_equal(packed[:66], full[0])
    means = full[1:].reshape(2, 33, 2, 17, 2).mean((2, 4))
    assert np.abs(packed[66:].reshape(2, 33, 17) - means).max() <= 0.5
