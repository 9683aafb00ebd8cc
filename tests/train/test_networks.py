from __future__ import annotations

import pytest
import torch

from dehaze.runtime import UsageError
from dehaze.train.deform import DeformConv2d
from dehaze.train.edge import AdaptiveMixup, Edge, Estimate, apply_grid
from dehaze.train.networks import build_network, parameter_count

AECR_NET_PARAMETERS = 2_610_000


def test_edge_is_a_twentieth_of_aecr_net() -> None:
    edge = build_network("edge")
    assert parameter_count(edge) <= min(130_000, AECR_NET_PARAMETERS / 20)
    kinds = {type(module) for module in edge.modules()}
    assert {DeformConv2d, AdaptiveMixup} <= kinds


def test_rfd_student_has_the_published_number_of_parameters() -> None:
    assert parameter_count(build_network("rfd-student")) == 96_007


@pytest.mark.parametrize("size", [(64, 64), (65, 131), (96, 72)])
@pytest.mark.parametrize("name", ["edge", "rfd-student"])
def test_any_size_from_64_comes_back_in_its_size(name: str, size: tuple[int, int]) -> None:
    network = build_network(name).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


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


def test_every_weight_of_edge_learns() -> None:
    edge = Edge()
    torch.manual_seed(0)
    for parameter in edge.parameters():  # away from the zeros that some layers start with
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    edge(torch.rand(2, 3, 96, 96)).sum().backward()
    silent = [n for n, p in edge.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert silent == []
