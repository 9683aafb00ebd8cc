from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dehaze.train.data.jpeg import jpeg


def textured(height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: smooth colours under noise, most of it grey."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 20), np.sin(y / 15 + 1), np.sin((x + y) / 25 + 2)], axis=-1)
    noise = np.random.default_rng(0).standard_normal((height, width, 4))
    noise = 12 * noise[..., :1] + 5 * noise[..., 1:]
    return np.clip(np.rint(130 + 70 * waves + noise), 0, 255).astype(np.uint8)


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


def through_libjpeg(pixels: NDArray[np.uint8], quality: int) -> Tensor:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    data = cv2.imencode(".jpg", pixels[..., ::-1], options)[1]
    return tensor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8))


def psnr(first: Tensor, second: Tensor) -> float:
    return float(-10 * torch.log10((first - second).square().mean()))


@pytest.mark.parametrize("quality", [10, 30, 50, 60, 90, 100])
@pytest.mark.parametrize("size", [(112, 112), (101, 83), (90, 66)])
def test_gives_what_libjpeg_gives(size: tuple[int, int], quality: int) -> None:
    pixels = textured(*size)
    official = through_libjpeg(pixels, quality)
    ours = jpeg(tensor(pixels), torch.tensor([quality]))
    assert psnr(official, tensor(pixels)) < 40  # there is something to agree on
    assert psnr(ours, official) > 45


def test_each_picture_of_a_batch_has_its_own_quality() -> None:
    first, second = tensor(textured(48, 70)), tensor(textured(48, 70)).flip(-1)
    quality = torch.tensor([20, 85])
    together = jpeg(torch.cat((first, second)), quality)
    assert torch.equal(together[:1], jpeg(first, quality[:1]))
    assert torch.equal(together[1:], jpeg(second, quality[1:]))
    assert psnr(together[:1], first) < psnr(together[1:], second) - 2


def test_a_clean_grey_picture_stays_as_it_is() -> None:
    grey = torch.full((1, 3, 21, 35), 128 / 255)
    assert torch.equal(jpeg(grey, torch.tensor([5])), grey)


def test_gives_whole_levels_without_a_gradient() -> None:
    images = torch.rand(1, 3, 16, 16, requires_grad=True)
    result = jpeg(images, torch.tensor([50]))
    assert not result.requires_grad
    assert result.min() >= 0
    assert result.max() <= 1
    assert torch.allclose(result * 255, (result * 255).round(), atol=1e-3)
