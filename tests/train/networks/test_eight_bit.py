from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import torch
from training import EDGE, same, smooth_scenes, train_small

from dehaze.train.networks import build_network
from dehaze.train.networks.eight_bit import (
    RoundedConv2d,
    learn_eight_bits,
    rounded_activations,
    rounded_weight,
)
from dehaze.train.run.checkpoint import load_network
from dehaze.train.shipped import shipped_or_path


def test_rounding_is_that_of_the_quantised_graph() -> None:
    """torch's own fake quantisation, whose formulas ONNX's operators have."""
    x = torch.randn(2, 3, 5, 5) + 0.3
    scale = ((x.max() - x.min()) / 255).item()
    expected = torch.fake_quantize_per_tensor_affine(
        x, scale, round(-x.min().item() / scale), 0, 255
    )
    assert torch.allclose(rounded_activations(x), expected, atol=1e-5)
    weight = torch.randn(4, 3, 3, 3)
    scales = weight.abs().amax((1, 2, 3)) / 127
    zeros = torch.zeros(4, dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -127, 127)
    assert torch.allclose(rounded_weight(weight), expected, atol=1e-6)


def test_gradients_pass_the_rounding() -> None:
    x = torch.randn(2, 3, 5, 5, requires_grad=True)
    (3 * rounded_activations(x)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full_like(x, 3.0))


def test_which_layers_round() -> None:
    """The layers that the export quantises round; the names of the weights stay."""
    network, plain = build_network("edge"), build_network("edge")
    learn_eight_bits(network)
    rounded = {n for n, m in network.named_modules() if isinstance(m, RoundedConv2d)}
    assert {"estimator.stem", "estimator.coarse.first"} <= rounded
    assert not {"estimator.head", "estimator.enhance.deform.offset_and_mask"} & rounded
    assert network.state_dict().keys() == plain.state_dict().keys()
    averaged = copy.deepcopy(network)
    assert isinstance(averaged.get_submodule("estimator.stem"), RoundedConv2d)


def test_rounding_costs_a_little_and_not_more() -> None:
    network, _ = load_network(shipped_or_path("edge"))
    scene = torch.from_numpy(smooth_scenes(1, 0)[0].clear).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        before = network.predict(scene).image
        learn_eight_bits(network)
        after = network.predict(scene).image
    assert 0 < (after - before).abs().mean() < 0.03


def test_a_quantised_run_gives_other_weights(tmp_path: Path) -> None:
    recipe = replace(EDGE, steps=3)
    train_small(tmp_path / "plain", recipe)
    train_small(tmp_path / "rounded", replace(recipe, quantised=True))
    plain, rounded = (
        load_network(tmp_path / n / "edge.safetensors")[0] for n in ("plain", "rounded")
    )
    assert not same(plain.state_dict(), rounded.state_dict())
