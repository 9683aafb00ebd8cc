from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from dehaze.train.data.haze import (
    Haze,
    HazeDraw,
    Pair,
    draw_haze,
    pair_from_crops,
    scatter,
    table_from_mixture,
)
from dehaze.train.data.store import Crops

SIZE = (24, 32)
COUNT = 200


def drawn(haze: Haze, count: int = COUNT) -> HazeDraw:
    table = table_from_mixture([haze])
    values = {name: numbers.expand(count, -1) for name, numbers in table.items()}
    return draw_haze(values, torch.Generator().manual_seed(0))


def scenes(clear: Tensor | None = None, *, deep: bool = True, paired: bool = False) -> Crops:
    generator = torch.Generator().manual_seed(1)
    if clear is None:
        clear = torch.rand(COUNT, 3, *SIZE, generator=generator)
    count = len(clear)
    depth = torch.rand(count, 1, *SIZE, generator=generator)
    one = torch.ones(count, 1, 1, 1, dtype=torch.bool)
    hazy = torch.ones_like(clear) if paired else torch.zeros(0)
    return Crops(clear, hazy, depth, one & paired, one & deep)


def hazed(haze: Haze, crops: Crops | None = None) -> Pair:
    crops = scenes() if crops is None else crops
    noise = torch.randn(2, *crops.clear.shape, generator=torch.Generator().manual_seed(2))
    return pair_from_crops(crops, drawn(haze, len(crops.clear)), noise)


def airlight(pair: Pair) -> Tensor:
    """(N, 3, h, w): what the scattering model must have had."""
    return (pair.hazy - pair.clear * pair.transmission) / (1 - pair.transmission)


def test_samples_follow_the_scattering_model_with_resides_ranges() -> None:
    pair = hazed(Haze())
    deep = (pair.transmission < 0.7).expand_as(pair.hazy)
    spread = [airlight(pair)[i][deep[i]] for i in range(COUNT)]
    assert max((values.max() - values.min()).item() for values in spread) < 1e-4
    means = torch.stack([values.mean() for values in spread])
    assert 0.7 <= means.min() < 0.72
    assert 0.98 < means.max() <= 1 + 1e-5
    assert pair.transmission.min() >= np.exp(-1.8)
    assert pair.transmission.max() <= 1


def test_a_share_stays_clear_so_that_the_network_learns_to_do_no_harm() -> None:
    """Neither darkened nor noisy: what goes in is what should come out."""
    haze = Haze(clear_share=0.25, gamma=3, dark_share=1, scene_noise=0.1, noisy_share=1)
    pair = hazed(haze)
    untouched = ((pair.hazy - pair.clear).abs() < 1e-3).flatten(1).all(dim=1)
    assert 0.15 < untouched.float().mean() < 0.35


@pytest.mark.parametrize(
    "beyond",
    [
        {"tint": 0.04, "tinted_share": 0.5},
        {"cast": 0.25, "tinted_share": 0.5},
        {"uneven": 0.02, "uneven_share": 0.5},
        {"sensor_noise": 0.01, "noisy_share": 0.5},
        {"scene_noise": 0.05, "noisy_share": 0.5},
        {"gamma": 2.0, "dark_share": 0.5},
        {"jpeg_share": 0.5},
    ],
    ids=lambda beyond: next(iter(beyond)),
)
def test_what_real_haze_has_beyond_the_model_touches_its_share_and_not_the_target(
    beyond: dict[str, float],
) -> None:
    plain, pair = hazed(Haze()), hazed(replace(Haze(), **beyond))  # type: ignore[arg-type]
    assert torch.equal(pair.clear, plain.clear)
    assert torch.equal(pair.transmission, plain.transmission)
    same = (pair.hazy - plain.hazy).abs().flatten(1).amax(dim=1) < 1e-6
    assert 0.35 < same.float().mean() < 0.65
    assert pair.hazy.min() >= 0
    assert pair.hazy.max() <= 1


def test_a_coloured_airlight_is_blue_or_yellow_and_the_fog_left_over_is_grey() -> None:
    haze = Haze(scattering=(9, 9), cast=0.25, tinted_share=1, floor=0.5, airlight=(0.5, 0.8))
    pair = hazed(haze, scenes(torch.full((COUNT, 3, *SIZE), 0.3)))
    thick = pair.transmission < 0.01
    blue = (pair.hazy[:, 2:] / pair.hazy[:, :1])[thick]
    assert 0.78 < blue.min() < 0.85
    assert 1.2 < blue.max() < 1.35
    target = pair.clear.permute(1, 0, 2, 3)[:, thick[:, 0]]
    assert torch.allclose(target[0], target[2], atol=1e-6)


def test_what_cannot_be_recovered_is_taught_to_stay_fog_and_all_else_to_come_back() -> None:
    black = scenes(torch.zeros(COUNT, 3, *SIZE))
    pair = hazed(Haze(scattering=(0, 6), floor=0.1, white_share=1), black)
    known = pair.transmission >= 0.1
    assert pair.clear.amax(1, keepdim=True)[known].max() < 1e-6
    expected = 1 - pair.transmission / 0.1
    assert torch.allclose(pair.clear[:, :1][~known], expected[~known], atol=1e-5)


def test_thin_haze_may_be_the_rule() -> None:
    even, thin = drawn(Haze(scattering=(0, 2))), drawn(Haze(scattering=(0, 2), thin=2))
    assert 0.15 < (even.beta < 0.5).float().mean() < 0.35
    assert 0.4 < (thin.beta < 0.5).float().mean() < 0.6


def test_noise_patches_and_unevenness_have_the_named_strength() -> None:
    grey = scenes(torch.full((COUNT, 3, *SIZE), 0.5))
    plain = hazed(Haze(), grey)
    noisy = hazed(Haze(noisy_share=1.0, sensor_noise=0.02), grey)
    strength = (noisy.hazy - plain.hazy).flatten(1).std(dim=1)
    assert 0.0 < strength.min() < 0.003
    assert 0.016 < strength.max() < 0.021
    uneven = hazed(Haze(uneven_share=1.0, uneven=0.02), grey)
    deviation = airlight(uneven) - airlight(plain)
    assert 0.01 < deviation[(uneven.transmission < 0.7).expand_as(deviation)].std() < 0.03
    assert deviation.diff(dim=-1).abs().mean() < 0.01  # smooth
    patchy = hazed(Haze(patchy_share=1.0, patches=0.6), grey)
    factor = (patchy.transmission.log() / plain.transmission.log()).log()
    assert 0.15 < factor.std() < 0.5  # 0.6 at most, evenly from 0


def test_noise_before_the_haze_drowns_with_the_scene() -> None:
    grey = scenes(torch.full((COUNT, 3, *SIZE), 0.5))
    haze = Haze(scattering=(3, 3), white_share=1)
    change = (
        hazed(replace(haze, scene_noise=0.1, noisy_share=1), grey).hazy - hazed(haze, grey).hazy
    ).abs()
    near = hazed(haze, grey).transmission.expand_as(change)
    assert change[near > 0.8].mean() > 4 * change[near < 0.15].mean()


def test_haze_before_the_nearest_thing_dims_every_depth_by_one_factor() -> None:
    """exp(-beta (ahead + d)) = exp(-beta ahead) exp(-beta d)."""
    haze = Haze(scattering=(1.0, 1.0))
    crops = scenes()
    before, behind = hazed(haze, crops), hazed(replace(haze, ahead=(0.5, 2.0)), crops)
    factor = (behind.transmission / before.transmission).flatten(1)
    assert (factor - factor.mean(1, keepdim=True)).abs().max() < 1e-5
    assert np.exp(-2.0) <= factor.min() < np.exp(-1.9)
    assert np.exp(-0.6) < factor.max() <= np.exp(-0.5)


def test_light_from_windows_outshines_the_haze_before_them() -> None:
    """What is white stays white in haze that is dim, the rest does not; the target is as it was."""
    clear = torch.full((COUNT, 3, *SIZE), 0.5)
    clear[..., :4] = 1.0
    dim = Haze(scattering=(1.0, 1.0), airlight=(0.4, 0.4))
    plain, glaring = hazed(dim, scenes(clear)), hazed(replace(dim, glare=10.0), scenes(clear))
    assert plain.hazy[..., :4].max() < 1
    assert (glaring.hazy[..., :4] == 1).all(dim=(1, 2, 3)).float().mean() > 0.5
    assert torch.equal(plain.hazy[..., 4:], glaring.hazy[..., 4:])
    assert torch.equal(plain.clear, glaring.clear)


def test_pictures_without_depth_are_given_one_that_grows_upwards() -> None:
    pair = hazed(Haze(scattering=(1, 1)), scenes(deep=False))
    rows = pair.transmission.mean((0, 1, 3))
    assert (rows.diff() > 0).all()  # row 0 is the top, the farthest
    assert torch.equal(pair.transmission, pair.transmission[..., :1].expand_as(pair.transmission))


def test_given_pairs_stay_as_they_are_or_become_lighter() -> None:
    black = scenes(torch.zeros(COUNT, 3, *SIZE), deep=False, paired=True)
    pair = hazed(Haze(scenes="pairs", lighter_share=0.5), black)
    levels = pair.hazy.flatten(1)
    assert (levels.amax(1) == levels.amin(1)).all()
    assert 0.4 < (levels[:, 0] == 1).float().mean() < 0.6
    assert levels[:, 0].min() < 0.1
    assert pair.clear.max() == 0
    assert pair.transmission.isnan().all()


def test_an_exposure_changes_both_pictures_alike_and_keeps_them_within_range() -> None:
    grey = scenes(torch.full((COUNT, 3, *SIZE), 0.6))
    same, exposed = (hazed(Haze(exposure=share, white_share=1), grey) for share in (0.0, 0.5))
    factors = (exposed.clear / same.clear).flatten(1)
    assert factors.amin() < 0.6
    assert factors.amax() > 1.3
    darker = (factors.amax(1) < 1).view(-1, 1, 1, 1).expand_as(same.hazy)
    ratio = exposed.hazy[darker] / same.hazy[darker]
    assert torch.allclose(ratio, exposed.clear[darker] / same.clear[darker], atol=1e-5)
    assert max(exposed.hazy.max(), exposed.clear.max()) <= 1


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
