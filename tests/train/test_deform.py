from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor

from dehaze.train.deform import DeformConv2d, deform_conv2d, deform_conv2d_reference


def arguments(
    seed: int, spread: float, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (2, 3, 7, 9), offset, mask and weight (4, 3, 3, 3) for padding 1."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    return normal(2, 3, 7, 9), spread * normal(2, 18, 7, 9), normal(2, 9, 7, 9), normal(4, 3, 3, 3)


def onnxruntime_deform_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> np.ndarray:
    node = helper.make_node(
        "DeformConv", ["x", "weight", "offset", "", "mask"], ["y"], pads=[1, 1, 1, 1]
    )
    feeds = {"x": x, "weight": weight, "offset": offset, "mask": mask}
    graph = helper.make_graph(
        [node],
        "deform",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString())
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        pytest.skip("this ONNX Runtime has no DeformConv: it came with 1.25")
    return session.run(None, {k: v.numpy() for k, v in feeds.items()})[0]


@pytest.mark.parametrize("spread", [0.0, 0.7, 40.0])
def test_it_equals_onnxruntimes_operator_also_far_outside_the_image(spread: float) -> None:
    x, offset, mask, weight = arguments(1, spread)
    expected = onnxruntime_deform_conv(x, offset, mask, weight)
    assert np.abs(deform_conv2d(x, offset, mask, weight, 1).numpy() - expected).max() < 1e-5
    reference = deform_conv2d_reference(x, offset, mask, weight, 1).numpy()
    assert np.abs(reference - expected).max() < 1e-5


def test_without_offsets_it_is_a_convolution() -> None:
    x, offset, mask, weight = arguments(2, 0.0)
    result = deform_conv2d(x, offset, torch.ones_like(mask), weight, 1)
    assert torch.allclose(result, torch.nn.functional.conv2d(x, weight, padding=1), atol=1e-5)


def test_gradients_equal_finite_differences() -> None:
    inputs = [tensor.requires_grad_() for tensor in arguments(3, 0.4, torch.float64)]
    assert torch.autograd.gradcheck(lambda *a: deform_conv2d(*a, 1), inputs, fast_mode=True)


def test_the_layer_starts_as_half_a_convolution() -> None:
    layer = DeformConv2d(4)
    x = torch.randn(1, 4, 6, 8)
    plain = torch.nn.functional.conv2d(x, layer.weight, padding=1)
    assert torch.allclose(layer(x), plain / 2, atol=1e-5)
    layer.decomposed = True
    assert torch.allclose(layer(x), plain / 2, atol=1e-5)
