from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dehaze.runtime import InputError
from dehaze.train.pairs import PairFolder, open_pairs


def coloured(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return pixels.astype(np.uint8)


def write(path: Path, rgb: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])


@pytest.fixture
def sots(tmp_path: Path) -> Path:
    """Three clear scenes of 24x16 with one, two and three hazes."""
    for scene in (1, 2, 10):
        write(tmp_path / "gt" / f"{scene}.png", coloured(16, 24, scene))
    for name in ("1_4", "2_1", "2_10", "10_3", "10_5", "10_7"):
        write(tmp_path / "hazy" / f"{name}.png", coloured(16, 24, 99))
    return tmp_path


def test_gives_both_pictures_as_they_are_at_scale_1(sots: Path) -> None:
    pairs = open_pairs(sots, 1)
    item = pairs[0]
    assert len(pairs) == 6
    assert item.depth is None
    assert item.hazy is not None
    assert torch.equal(item.clear, torch.from_numpy(coloured(16, 24, 1)).permute(2, 0, 1))
    assert torch.equal(item.hazy, torch.from_numpy(coloured(16, 24, 99)).permute(2, 0, 1))


def test_a_training_pixel_is_the_mean_of_its_square(tmp_path: Path) -> None:
    hazy, clear = coloured(18, 27, 1), coloured(18, 27, 2)
    write(tmp_path / "hazy" / "1_1.png", hazy)
    write(tmp_path / "clear" / "1.png", clear)
    item = open_pairs(tmp_path, 4)[0]
    assert item.hazy is not None
    for result, pixels in ((item.clear, clear), (item.hazy, hazy)):
        means = pixels[:16, :24].reshape(4, 4, 6, 4, 3).mean((1, 3)).transpose(2, 0, 1)
        assert result.shape == (3, 4, 6)
        assert result.dtype == torch.uint8
        assert np.abs(result.numpy() - means).max() <= 0.5 + 1e-6


def test_nothing_is_decoded_before_it_is_asked_for(sots: Path) -> None:
    (sots / "hazy" / "1_4.png").write_text("nothing")
    pairs = open_pairs(sots, 1)
    assert pairs[1].clear.shape == (3, 16, 24)
    with pytest.raises(InputError, match=r"1_4\.png: expected a picture"):
        pairs[0]


def test_the_border_of_a_larger_clear_picture_is_cut_off(tmp_path: Path) -> None:
    clear = coloured(48, 64)
    write(tmp_path / "gt" / "1400.png", clear)
    write(tmp_path / "hazy" / "1400_1.png", clear[10:-10, 10:-10])
    item = open_pairs(tmp_path, 2)[0]
    assert item.hazy is not None
    assert torch.equal(item.clear, item.hazy)


@pytest.mark.parametrize("size", [(48, 63), (48, 42), (48, 86), (46, 64)])
def test_other_sizes_do_not_make_a_pair(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "gt" / "1.png", coloured(*size))
    write(tmp_path / "hazy" / "1_1.png", coloured(48, 64))
    message = rf"1_1\.png: expected the size of .*1\.png, {size[1]}x{size[0]}, got 64x48"
    with pytest.raises(InputError, match=message):
        open_pairs(tmp_path, 1)[0]


def test_pictures_smaller_than_a_training_pixel_are_told(sots: Path) -> None:
    with pytest.raises(InputError, match="expected 20 pixels a side or more, got 24x16"):
        open_pairs(sots, 20)[0]


def names(pairs: PairFolder) -> list[str]:
    return [pair.hazy.stem for pair in pairs.pairs]


def test_whole_scenes_are_held_out(sots: Path) -> None:
    training, held_out = open_pairs(sots, 1).split(2)
    assert names(training) == ["1_4"]
    assert names(held_out) == ["2_1", "2_10", "10_3", "10_5", "10_7"]
    everything, nothing = open_pairs(sots, 1).split(0)
    assert len(everything) == 6
    assert len(nothing) == 0


def test_more_scenes_than_there_are_cannot_be_held_out(sots: Path) -> None:
    with pytest.raises(InputError, match=r"expected more than 3 clear scenes, .* got 3"):
        open_pairs(sots, 1).split(3)


def test_reads_the_official_files(shared_data: Path) -> None:
    item = open_pairs(shared_data / "sots-indoor", 4)[0]
    assert item.hazy is not None
    assert item.clear.shape == item.hazy.shape == (3, 115, 155)
    assert item.hazy.float().mean() > item.clear.float().mean()  # haze is white there
