from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from dehaze.train.data.haze import HazeRecipe, Pair, draw_haze, scatter, synthesise

SIZE = (24, 32)


def draw(recipe: HazeRecipe, count: int = 200, clear: Tensor | None = None) -> Pair:
    generator = torch.Generator().manual_seed(0)
    if clear is None:
        clear = torch.rand(count, 3, *SIZE, generator=generator)
    depth = torch.rand(count, 1, *SIZE, generator=generator)
    ranges = (torch.tensor([r]).repeat(count, 1) for r in ((0.6, 1.8), recipe.airlight))
    haze = draw_haze(*ranges, recipe, generator)
    return synthesise(clear, depth, haze, generator)


def airlight(pair: Pair) -> Tensor:
    """(N, 3, h, w): what the scattering model must have had."""
    return (pair.hazy - pair.clear * pair.transmission) / (1 - pair.transmission)


def test_samples_follow_the_scattering_model_with_resides_ranges() -> None:
    pair = draw(HazeRecipe())
    deep = (pair.transmission < 0.7).expand_as(pair.hazy)
    spread = [airlight(pair)[i][deep[i]] for i in range(200)]
    assert max((values.max() - values.min()).item() for values in spread) < 1e-4
    means = torch.stack([values.mean() for values in spread])
    assert 0.7 <= means.min() < 0.72
    assert 0.98 < means.max() <= 1 + 1e-5
    assert pair.transmission.min() >= np.exp(-1.8)
    assert pair.transmission.max() <= 1


def test_a_share_stays_clear_so_that_the_network_learns_to_do_no_harm() -> None:
    pair = draw(HazeRecipe(clear_share=0.25))
    untouched = (pair.hazy == pair.clear).flatten(1).all(dim=1).float().mean()
    assert 0.15 < untouched < 0.35


@pytest.mark.parametrize("share", ["tinted_share", "uneven_share", "noisy_share", "jpeg_share"])
def test_what_real_haze_has_beyond_the_model_touches_its_share_and_no_other(share: str) -> None:
    plain = draw(HazeRecipe())
    pair = draw(replace(HazeRecipe(), **{share: 0.5}))
    assert torch.equal(pair.clear, plain.clear)
    assert torch.equal(pair.transmission, plain.transmission)
    same = (pair.hazy - plain.hazy).abs().flatten(1).amax(dim=1) < 1e-6
    assert 0.35 < same.float().mean() < 0.65
    assert pair.hazy.min() >= 0
    assert pair.hazy.max() <= 1


def test_noise_and_unevenness_have_the_named_strength() -> None:
    grey = torch.full((200, 3, *SIZE), 0.5)
    plain = draw(HazeRecipe(), clear=grey)
    noisy = draw(HazeRecipe(noisy_share=1.0, sensor_noise=0.02), clear=grey)
    strength = (noisy.hazy - plain.hazy).flatten(1).std(dim=1)
    assert 0.0 < strength.min() < 0.003
    assert 0.016 < strength.max() < 0.021
    uneven = draw(HazeRecipe(uneven_share=1.0, unevenness=0.02), clear=grey)
    deviation = airlight(uneven) - airlight(plain)
    assert 0.01 < deviation[(uneven.transmission < 0.7).expand_as(deviation)].std() < 0.03
    assert deviation.diff(dim=-1).abs().mean() < 0.01  # smooth


def test_a_hazy_sky_keeps_its_colour() -> None:
    clear = torch.full((1, 3, 8, 8), 0.2)
    depth = torch.full((1, 1, 8, 8), 30.0)
    depth[..., :4, :] = 500  # metres
    ranges = torch.tensor([[0.04, 0.05]]), torch.tensor([[0.5, 0.6]])
    haze = draw_haze(*ranges, HazeRecipe(), torch.Generator().manual_seed(0))
    pair = synthesise(clear, depth, haze, torch.Generator())
    assert 0.5 <= haze.airlight.min() <= haze.airlight.max() <= 0.6
    sky, ground = (..., slice(0, 4), slice(None)), (..., slice(4, 8), slice(None))
    assert torch.allclose(pair.clear[sky], pair.hazy[sky], atol=1e-5)
    assert torch.equal(pair.clear[ground], clear[ground])
    assert pair.transmission[..., :4, :].isnan().all()  # nothing to learn it from
    assert not pair.transmission[..., 4:, :].isnan().any()


def test_a_share_of_scenes_is_given_a_sky_that_comes_out_as_it_is() -> None:
    plain = draw(HazeRecipe())
    recipe = HazeRecipe(sky_share=0.5, uneven_share=1, unevenness=0.05, cloudy_share=1, clouds=0.3)
    pair = draw(recipe)
    sky = pair.transmission.isnan()
    assert 0.35 < sky.flatten(1).any(dim=1).float().mean() < 0.65
    assert sky.flatten(1).float().mean(dim=1).max() <= 0.6
    nearest = torch.where(sky, plain.transmission, 0).flatten(1).amax(dim=1)
    assert (torch.where(sky, 1, plain.transmission).flatten(1).amin(dim=1) >= nearest).all()
    everywhere = sky.expand_as(pair.clear)
    assert torch.allclose(pair.clear[everywhere], pair.hazy[everywhere], atol=1e-5)
    assert torch.equal(pair.clear[~everywhere], plain.clear[~everywhere])
    spread = [pair.clear[i][everywhere[i]].std() for i in range(200) if sky[i].sum() > 200]
    assert 0.05 < torch.stack(spread).mean() < 0.25  # clouds, up to 0.3


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
