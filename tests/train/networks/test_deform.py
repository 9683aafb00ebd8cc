from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from dehaze.export.graph.from_torch import onnx_from_network
from dehaze.train.networks import deform
from dehaze.train.networks.deform import DeformConv2d, deform_conv2d, deform_conv2d_reference


class Case(NamedTuple):
    """Tensors for the op and its whole numbers; all pairs are (y, x)."""

    tensors: tuple[Tensor, Tensor, Tensor, Tensor]
    """x, offset, mask, weight."""
    numbers: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    """stride, padding, dilation."""
    groups: int
    offset_groups: int


def case(
    seed: int,
    spread: float = 0.7,
    *,
    groups: int = 1,
    offset_groups: int = 1,
    size: tuple[int, int] = (7, 9),
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    dtype: torch.dtype = torch.float32,
) -> Case:
    """A batch of two; offsets are about `spread` pixels."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    channels, filters, taps = 2 * groups * offset_groups, 2 * groups, kernel[0] * kernel[1]
    rows, columns = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    )
    tensors = (
        normal(2, channels, *size),
        spread * normal(2, offset_groups * 2 * taps, rows, columns),
        normal(2, offset_groups * taps, rows, columns),
        normal(filters, channels // groups, *kernel),
    )
    return Case(tensors, (stride, padding, dilation), groups, offset_groups)


def random_case(seed: int) -> Case:
    draw = random.Random(seed)
    return case(
        seed,
        draw.choice([0.0, 0.7, 3.0, 40.0]),
        groups=draw.choice([1, 2, 3]),
        offset_groups=draw.choice([1, 2, 4]),
        size=(draw.randint(7, 12), draw.randint(7, 12)),
        kernel=(draw.randint(1, 3), draw.randint(1, 3)),
        stride=(draw.randint(1, 3), draw.randint(1, 3)),
        padding=(draw.randint(0, 2), draw.randint(0, 2)),
        dilation=(draw.randint(1, 3), draw.randint(1, 3)),
    )


def run_onnx(model: bytes, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    try:
        session = onnxruntime.InferenceSession(model)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        pytest.skip("this ONNX Runtime has no DeformConv: it came with 1.25")
    return session.run(None, feeds)[0]


def onnxruntime_deform_conv(case: Case) -> NDArray[np.float32]:
    (stride, padding, dilation) = case.numbers
    node = helper.make_node(
        "DeformConv",
        ["x", "weight", "offset", "", "mask"],
        ["y"],
        strides=stride,
        pads=padding * 2,
        dilations=dilation,
        group=case.groups,
        offset_group=case.offset_groups,
    )
    feeds = dict(zip(("x", "offset", "mask", "weight"), case.tensors, strict=True))
    graph = helper.make_graph(
        [node],
        "deform",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return run_onnx(model.SerializeToString(), {k: v.numpy() for k, v in feeds.items()})


def looped_deform_conv(case: Case) -> NDArray[np.float64]:
    """The equation as it stands, one pixel, filter, tap and neighbour at a time."""
    x, offset, mask, weight = (tensor.double().numpy() for tensor in case.tensors)
    stride, padding, dilation = case.numbers
    _, channels, height, width = x.shape
    filters, group_channels, rows, columns = weight.shape
    result = np.zeros((len(x), filters, *offset.shape[2:]))
    for image, out, row, column in np.ndindex(*result.shape):
        for c, i, j in np.ndindex(group_channels, rows, columns):
            channel = out // (filters // case.groups) * group_channels + c
            shared = channel // (channels // case.offset_groups)
            tap = shared * rows * columns + i * columns + j
            shift_y, shift_x = offset[image, 2 * tap : 2 * tap + 2, row, column]
            y = row * stride[0] - padding[0] + i * dilation[0] + shift_y
            x_ = column * stride[1] - padding[1] + j * dilation[1] + shift_x
            top, left = int(np.floor(y)), int(np.floor(x_))
            value = 0.0
            for v, u in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                if 0 <= v < height and 0 <= u < width:
                    value += (1 - abs(y - v)) * (1 - abs(x_ - u)) * x[image, channel, v, u]
            result[image, out, row, column] += (
                weight[out, c, i, j] * value * mask[image, tap, row, column]
            )
    return result


def largest_difference(result: Tensor, expected: Tensor | NDArray[np.floating]) -> float:
    return np.abs(result.detach().double().numpy() - np.asarray(expected)).max()


@pytest.mark.parametrize("seed", range(24))
def test_it_equals_onnxruntimes_operator_also_far_outside_the_image(seed: int) -> None:
    case = random_case(seed)
    expected = onnxruntime_deform_conv(case)
    assert largest_difference(deform_conv2d(*case.tensors, *case.numbers), expected) < 2e-5
    assert (
        largest_difference(deform_conv2d_reference(*case.tensors, *case.numbers), expected) < 2e-5
    )


def test_it_equals_the_equation() -> None:
    small = case(
        1,
        groups=2,
        offset_groups=2,
        size=(5, 6),
        kernel=(2, 3),
        stride=(2, 1),
        padding=(1, 2),
        dilation=(2, 1),
    )
    expected = looped_deform_conv(small)
    assert np.abs(expected).max() > 1
    assert largest_difference(deform_conv2d(*small.tensors, *small.numbers), expected) < 1e-5


@pytest.mark.parametrize("seed", range(6))
def test_torchvisions_kernel_and_the_reference_agree(seed: int) -> None:
    if deform.torchvision_deform_conv2d is None:
        pytest.skip("no torchvision for this torch: the op runs the reference itself")
    case = random_case(seed)
    expected = deform_conv2d_reference(*case.tensors, *case.numbers)
    assert largest_difference(deform_conv2d(*case.tensors, *case.numbers), expected) < 2e-5


@pytest.mark.parametrize("groups", [1, 2])
def test_without_offsets_it_is_a_convolution(groups: int) -> None:
    (x, offset, mask, weight), numbers, *_ = case(2, 0.0, groups=groups, stride=(2, 1))
    expected = nn.functional.conv2d(x, weight, None, *numbers, groups)
    result = deform_conv2d(x, offset, torch.ones_like(mask), weight, *numbers)
    assert torch.allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("groups", "offset_groups", "stride"), [(1, 1, (1, 1)), (2, 3, (2, 1)), (3, 1, (1, 2))]
)
def test_gradients_equal_finite_differences(
    groups: int, offset_groups: int, stride: tuple[int, int]
) -> None:
    tensors, numbers, *_ = case(
        3, 0.4, groups=groups, offset_groups=offset_groups, stride=stride, dtype=torch.float64
    )
    inputs = [tensor.requires_grad_() for tensor in tensors]
    assert torch.autograd.gradcheck(lambda *a: deform_conv2d(*a, *numbers), inputs, fast_mode=True)


def test_half_precision_costs_the_rounding_of_the_numbers_alone() -> None:
    """Coordinates in half precision would be a quarter of a pixel off at this width."""
    wide = case(4, size=(3, 700), dtype=torch.float16)
    exact = deform_conv2d(*(tensor.float() for tensor in wide.tensors), *wide.numbers)
    result = deform_conv2d(*wide.tensors, *wide.numbers)
    assert result.dtype == torch.float16
    assert torch.equal(result, exact.half())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_layer_learns_the_same_under_autocast(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch sees no NVIDIA GPU")
    torch.manual_seed(5)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), DeformConv2d(8, offset_kernel=3))
    layers.to(device)
    nn.init.normal_(layers[1].offset_and_mask.weight, std=0.1)
    image = torch.rand(2, 3, 12, 14, device=device)
    gradients = []
    for mixed in (False, True):
        layers.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            result = layers(image)
            result.square().mean().backward()
        assert result.dtype == (torch.bfloat16 if mixed else torch.float32)
        gradients.append([parameter.grad for parameter in layers.parameters()])
    for exact, rounded in zip(*gradients, strict=True):
        assert rounded.dtype == torch.float32
        assert (rounded - exact).norm() < 0.05 * exact.norm()


def test_the_layer_starts_as_half_a_convolution() -> None:
    for layer in (DeformConv2d(4), DeformConv2d(4, offset_kernel=3, bias=True)):
        x = torch.randn(1, 4, 6, 8)
        plain = nn.functional.conv2d(x, layer.weight, padding=1)
        assert torch.allclose(layer(x), plain / 2, atol=1e-5)
        layer.decomposed = True
        assert torch.allclose(layer(x), plain / 2, atol=1e-5)


def test_the_layers_weights_keep_their_names() -> None:
    names = ["weight", "offset_and_mask.weight", "offset_and_mask.bias"]
    assert list(DeformConv2d(4).state_dict()) == names


class Strided(nn.Module):
    """Six channels: two filters of (2, 3) taps for three each, one set of offsets for two each."""

    def forward(self, x: Tensor) -> Tensor:
        offset = x[:, :1, 1::2, 2:].repeat(1, 36, 1, 1) * torch.linspace(-2, 2, 36).view(-1, 1, 1)
        weight = torch.linspace(-1, 1, 36).view(2, 3, 2, 3)
        x = torch.cat((x, 1 - x), dim=1)
        return deform_conv2d(x, offset, offset[:, :18].cos(), weight, (2, 1), (0, 1), (1, 2))


def test_the_exported_operator_carries_stride_dilation_and_groups() -> None:
    model = onnx_from_network(Strided(), "x", "y", 2)
    node = next(node for node in model.graph.node if node.op_type == "DeformConv")
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert attributes == {
        "strides": [2, 1],
        "pads": [0, 1, 0, 1],
        "dilations": [1, 2],
        "group": 2,
        "offset_group": 3,
    }
    x = torch.rand(1, 3, 6, 10)
    result = run_onnx(model.SerializeToString(), {"x": x.numpy()})
    assert largest_difference(Strided()(x), result) < 1e-5
