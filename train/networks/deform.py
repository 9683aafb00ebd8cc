"""Deformable convolution v2 as one torch op, `dehaze::deform_conv2d`.

Dai et al. 2017 (arXiv 1703.06211), with the mask of Zhu et al. 2018 (arXiv 1811.11168, eq. 1):

    y(p) = sum_k w_k * x(p + p_k + offset_k(p)) * mask_k(p)

torchvision's kernel runs where torchvision is installed, `deform_conv2d_reference` otherwise.
The op is opaque to the exporter, which maps it to ONNX's standard `DeformConv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

try:
    from torchvision.ops import deform_conv2d as torchvision_deform_conv2d
except (ImportError, RuntimeError):  # RuntimeError: a torchvision built for another torch
    torchvision_deform_conv2d = None


def deform_conv2d_reference(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Deformable convolution in plain torch operations, in the type of the arguments.

    G groups of channels have their own filters, S groups their own offsets and masks; neighbouring
    channels are in the same group.

    Args:
        x: (N, C, H, W).
        offset: (N, S * 2 * K * L, H', W'), pairs of (y, x) in pixels for each tap in row-major
            order.
        mask: (N, S * K * L, H', W').
        weight: (D, C / G, K, L).
        stride: along y and x, as the next two.
        padding: zeros on both sides of `x`.
        dilation: pixels from tap to tap.

    Returns:
        (N, D, H', W').
    """
    n, channels, height, width = x.shape
    filters, group_channels, *kernel = weight.shape
    taps = kernel[0] * kernel[1]
    groups, offset_groups = channels // group_channels, mask.shape[1] // taps
    size = offset.shape[-2:]
    arange = partial(torch.arange, device=x.device, dtype=x.dtype)
    taps_y, taps_x = (arange(k) * d for k, d in zip(kernel, dilation, strict=True))
    row, column = (arange(k) * s - p for k, s, p in zip(size, stride, padding, strict=True))
    tap_y, tap_x = torch.meshgrid(taps_y, taps_x, indexing="ij")
    shift = offset.view(n * offset_groups, taps, 2, *size)
    y = row.view(-1, 1) + tap_y.reshape(taps, 1, 1) + shift[:, :, 0]
    x_ = column + tap_x.reshape(taps, 1, 1) + shift[:, :, 1]
    # grid_sample's align_corners=False convention: pixel i lies at (2 i + 1) / size - 1.
    grid = torch.stack(((2 * x_ + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    sampled = F.grid_sample(
        x.reshape(n * offset_groups, -1, height, width),
        grid.flatten(1, 2),
        padding_mode="zeros",
        align_corners=False,
    )
    sampled = sampled.view(n, offset_groups, -1, taps, *size) * mask.view(
        n, offset_groups, 1, taps, *size
    )
    result = torch.einsum(
        "gdck,ngckhw->ngdhw",
        weight.view(groups, -1, group_channels, taps),
        sampled.view(n, groups, group_channels, taps, *size),
    )
    return result.reshape(n, filters, *size)


def _forward(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, *numbers: Sequence[int]
) -> Tensor:
    """Computes in float32 at least: coordinates in half precision are half a pixel off at 1920."""
    wide = torch.promote_types(x.dtype, torch.float32)
    x_, offset, mask, weight = (tensor.to(wide) for tensor in (x, offset, mask, weight))
    with torch.autocast(x.device.type, enabled=False):
        if torchvision_deform_conv2d is None:
            result = deform_conv2d_reference(x_, offset, mask, weight, *numbers)
        else:
            result = torchvision_deform_conv2d(x_, offset, weight, None, *map(tuple, numbers), mask)
    return result.to(x.dtype)


@torch.library.custom_op("dehaze::deform_conv2d", mutates_args=())
def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Deformable convolution v2; arguments and result as `deform_conv2d_reference`.

    Tensors may differ in type, as they do under autocast; the result is of the type of `x`.
    """
    return _forward(x, offset, mask, weight, stride, padding, dilation).contiguous()


@deform_conv2d.register_fake
def _(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,  # noqa: ARG001  # the op's signature
    weight: Tensor,
    *_: Sequence[int],
) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0], *offset.shape[2:])


def _save_inputs(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001  # torch's hook
    ctx.save_for_backward(*inputs[:4])
    ctx.numbers = inputs[4:]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Recomputes the forward pass with gradients on: a second pass instead of stored samples."""
    inputs = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
    x, offset, mask, weight = inputs
    with torch.enable_grad():
        output = _forward(x, offset, mask, weight, *ctx.numbers)
    return *torch.autograd.grad(output, inputs, gradient), None, None, None


deform_conv2d.register_autograd(_backward, setup_context=_save_inputs)


class DeformConv2d(nn.Module):
    """A 3x3 modulated deformable convolution that predicts its own offsets and mask.

    Starts as a plain convolution: zero offsets and masks of one half (Zhu et al., section 3.2).
    """

    def __init__(self, channels: int, offset_kernel: int = 1, bias: bool = False) -> None:
        """`offset_kernel` is the size of the convolution that predicts: 1 here, 3 in the paper."""
        super().__init__()
        self.decomposed = False
        """True to run the plain torch operations, for exports without DeformConv."""
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1)) if bias else None
        self.offset_and_mask = nn.Conv2d(channels, 27, offset_kernel, padding=offset_kernel // 2)
        nn.init.zeros_(self.offset_and_mask.weight)
        nn.init.zeros_(self.offset_and_mask.bias)  # type: ignore[arg-type]  # the bias exists

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        offset, mask = self.offset_and_mask(x).split((18, 9), dim=1)
        convolve = deform_conv2d_reference if self.decomposed else deform_conv2d
        result: Tensor = convolve(x, offset, mask.sigmoid(), self.weight, (1, 1), (1, 1), (1, 1))
        return result if self.bias is None else result + self.bias.to(result.dtype)
