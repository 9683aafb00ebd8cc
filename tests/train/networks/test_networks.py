from __future__ import annotations

import pytest
import torch

from dehaze.runtime import UsageError
from dehaze.train.networks import NETWORKS, build_network, parameter_count
from dehaze.train.networks.deform import DeformConv2d
from dehaze.train.networks.edge import (
    AdaptiveMixup,
    EdgeEstimator,
    Estimate,
    apply_grid,
    colour_extremes,
)

PARAMETERS = {
    "edge": 126_879,
    "rfd-student": 96_007,
    "ffa-net": 4_455_913,
    "aecr-net": 2_614_145,
    "sr-teacher": 26_451,
    "edge-teacher": 1_108_639,
}
DEHAZING = [name for name in NETWORKS if name != "sr-teacher"]
SMALL = [name for name in DEHAZING if name != "ffa-net"]


def test_every_network_has_the_published_number_of_parameters() -> None:
    assert {name: parameter_count(build_network(name)) for name in NETWORKS} == PARAMETERS


def test_edge_is_a_twentieth_of_aecr_net() -> None:
    assert PARAMETERS["edge"] <= PARAMETERS["aecr-net"] / 20
    kinds = {type(module) for module in build_network("edge").modules()}
    assert {DeformConv2d, AdaptiveMixup} <= kinds


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, size) for name in SMALL for size in ((64, 65), (66, 131))), ("ffa-net", (64, 67))],
)
def test_any_size_from_64_comes_back_in_its_size(name: str, size: tuple[int, int]) -> None:
    network = build_network(name).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_the_teacher_doubles_the_size_and_compares_its_image() -> None:
    prediction = build_network("sr-teacher").predict(torch.rand(2, 3, 16, 21))
    assert prediction.image.shape == (2, 3, 32, 42)
    assert prediction.features is prediction.image


def test_the_teacher_keeps_colours_apart() -> None:
    teacher = build_network("sr-teacher").eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        change = teacher(image * torch.tensor([1.0, 0.5, 1.0]).view(3, 1, 1)) - teacher(image)
    assert [bool(colour.any()) for colour in change[0]] == [False, True, False]


@pytest.mark.parametrize("name", DEHAZING)
def test_features_and_levels_have_the_stated_sizes(name: str) -> None:
    network = build_network(name).eval()
    size = (40, 48)
    with torch.no_grad():
        prediction = network.predict(torch.rand(1, 3, *size))
        levels = network.encode(torch.rand(1, 3, *size))
    assert prediction.image.shape == (1, 3, *size)
    on_grid = name in ("edge", "edge-teacher")
    stride = 2 if on_grid else 1
    assert prediction.features.shape[2:] == (size[0] // stride, size[1] // stride)
    assert (prediction.transmission is None) != on_grid
    widths = {
        "edge": [16, 32, 64],
        "edge-teacher": [48, 96, 192],
        "rfd-student": [16, 16, 16],
        "ffa-net": [64, 64, 64],
        "aecr-net": [64, 128, 256],
    }
    assert [level.shape[1] for level in levels] == widths[name]
    shrinking = [2, 4, 8] if on_grid else {"aecr-net": [1, 2, 4]}.get(name, [1, 1, 1])
    assert [size[0] / level.shape[2] for level in levels] == shrinking


def test_aecr_net_of_a_padded_picture_is_that_of_the_larger_one() -> None:
    network = build_network("aecr-net").eval()
    image = torch.rand(1, 3, 64, 68)
    image[..., 61:, :] = image[..., 60:61, :]
    image[..., 66:] = image[..., 65:66]
    with torch.no_grad():
        assert torch.allclose(network(image)[..., :61, :66], network(image[..., :61, :66]))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("mixed", [False, True])
def test_every_weight_learns(name: str, mixed: bool) -> None:
    torch.manual_seed(0)
    network = build_network(name)
    for key, parameter in network.named_parameters():
        # Away from the zeros that some layers start with, and from attentions of two units that
        # ReLU happens to silence.
        parameter.data.add_(0.05 * torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
        if key.endswith("squeeze.bias"):
            parameter.data.add_(1)
    image = torch.rand(2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        prediction = network.predict(image)
        prediction.image.square().mean().backward()
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None] == []
    assert [key for key, gradient in gradients.items() if not gradient.any()] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_an_unknown_network_is_told() -> None:
    with pytest.raises(UsageError, match="no network named 'edgy'"):
        build_network("edgy")


def test_the_grid_inverts_the_scattering_model() -> None:
    clear = torch.rand(1, 3, 32, 48)
    airlight = torch.tensor([0.8, 0.9, 1.0]).view(1, 3, 1, 1)
    transmission = torch.full((1, 1, 4, 6), 0.4)
    hazy = clear * 0.4 + airlight * 0.6
    estimate = Estimate(-transmission.log(), airlight.expand(1, 3, 4, 6))
    assert torch.allclose(apply_grid(hazy, estimate.grid(), 8), clear, atol=1e-5)


@torch.no_grad()
def test_the_grid_of_an_export_is_the_estimate_s() -> None:
    torch.manual_seed(0)
    estimator = EdgeEstimator().eval()
    estimator.head.weight[0].mul_(400)  # little haze, much, and more than there can be
    thumbnail = torch.rand(2, 3, 64, 96)
    thumbnail[0] = 0.6 + 0.4 * thumbnail[0]
    estimate = estimator(thumbnail)
    assert estimate.log_gain.min() < 0.01 and estimate.log_gain.max() > 0.5
    assert torch.allclose(estimator.grid(thumbnail), estimate.grid(), rtol=1e-5, atol=1e-5)


def test_the_darkest_and_brightest_colours_are_those_of_whole_blocks() -> None:
    thumbnail = torch.rand(1, 3, 16, 24)
    for level, colours in zip((2, 4, 8), colour_extremes(thumbnail), strict=True):
        blocks = thumbnail.reshape(1, 3, 16 // level, level, 24 // level, level)
        expected = torch.cat((blocks.amin((3, 5)), blocks.amax((3, 5))), dim=1)
        assert torch.equal(colours, expected)
