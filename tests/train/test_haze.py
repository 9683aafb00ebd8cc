from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dehaze.runtime import InputError
from dehaze.train.haze import HazeRecipe, sample_pairs, scatter
from dehaze.train.scenes import Scenes, load_frida2, load_nyu


def scenes(count: int = 4) -> Scenes:
    generator = torch.Generator().manual_seed(0)
    return Scenes(
        torch.rand(count, 3, 40, 56, generator=generator).half(),
        torch.rand(count, 1, 40, 56, generator=generator),
        torch.tensor([[0.6, 1.8]]).repeat(count, 1),
    )


def draw(seed: int, recipe: HazeRecipe, crop: int = 24) -> tuple[torch.Tensor, ...]:
    indices = torch.arange(4).repeat(50)
    return sample_pairs(scenes(), indices, crop, recipe, torch.Generator().manual_seed(seed))


def test_samples_follow_the_scattering_model_with_resides_ranges() -> None:
    hazy, clear, transmission = draw(0, HazeRecipe(white_share=0, tint=0, clear_share=0))
    airlight = ((hazy - clear * transmission) / (1 - transmission)).median(dim=-1)[0].median(-1)[0]
    assert airlight.std(dim=1).max() < 1e-2  # the same for all three colours
    assert airlight.min() > 0.69
    assert airlight.max() < 1.01
    assert airlight.max() - airlight.min() > 0.2
    assert transmission.min() >= np.exp(-1.8)
    assert transmission.max() <= 1


def test_a_share_stays_clear_so_that_the_network_learns_to_do_no_harm() -> None:
    hazy, clear, _ = draw(0, HazeRecipe(clear_share=0.25))
    untouched = (hazy == clear).flatten(1).all(dim=1).float().mean()
    assert 0.15 < untouched < 0.35


def test_a_seed_gives_its_batch_and_another_seed_another() -> None:
    first, again, other = (draw(seed, HazeRecipe())[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_crop_larger_than_the_scene_is_the_scene() -> None:
    assert draw(0, HazeRecipe(), crop=500)[0].shape[-2:] == (40, 56)


def test_missing_scenes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected scenes at"):
        load_nyu(tmp_path)
    with pytest.raises(InputError, match="expected scenes at"):
        load_frida2(tmp_path)


def test_damaged_scenes_are_told(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "0000.jpg").write_text("nothing")
    with pytest.raises(InputError, match=r"0000\.jpg: expected a picture"):
        load_nyu(tmp_path)


@pytest.mark.parametrize("level", [1, 6])
def test_the_recipe_makes_the_official_hazy_pictures(shared_data: Path, level: int) -> None:
    """SOTS-indoor 1400 is NYU's scene 1399, mirrored, with beta = 0.5 + 0.1 * level and A = 1."""
    sots = shared_data / "sots-indoor"
    clear = cv2.imread(str(sots / "clear" / "1400.webp")) / 255
    official = cv2.imread(str(sots / "hazy" / f"1400_{level}.webp")) / 255
    depth = cv2.imread(str(shared_data / "nyu" / "depth" / "1399.jpg"), cv2.IMREAD_UNCHANGED)
    share = (depth / depth.max())[10:-10, 10:-10][:, ::-1]
    transmission = np.exp(-(0.5 + 0.1 * level) * share)[..., None]
    ours = scatter(torch.from_numpy(clear), torch.from_numpy(transmission.copy()), 1.0).numpy()
    psnr = -10 * np.log10(np.mean((ours - official) ** 2))
    assert psnr > 35  # the depth at hand has 8 bits and went through JPEG
