"""Deformable convolution v2 as one torch op, `dehaze::deform_conv2d`.

Dai et al. 2017 (arXiv 1703.06211), with the mask of Zhu et al. 2018 (arXiv 1811.11168, eq. 1):

    y(p) = sum_k w_k * x(p + p_k + offset_k(p)) * mask_k(p)

torchvision's kernel runs where torchvision is installed, `deform_conv2d_reference` otherwise.
The op is opaque to the exporter, which maps it to ONNX's standard `DeformConv`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

try:
    from torchvision.ops import deform_conv2d as torchvision_deform_conv2d
except (ImportError, RuntimeError):  # RuntimeError: a torchvision built for another torch
    torchvision_deform_conv2d = None


def deform_conv2d_reference(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, padding: int
) -> Tensor:
    """Stride 1, dilation 1, one group, one offset group, in plain torch operations.

    Args:
        x: (N, C, H, W).
        offset: (N, 2 * K * K, H', W'), pairs of (y, x) in pixels for each tap in row-major order.
        mask: (N, K * K, H', W').
        weight: (D, C, K, K).
        padding: zeros around `x`, the same on both axes.

    Returns:
        (N, D, H', W').
    """
    n, channels, height, width = x.shape
    filters, _, kernel, _ = weight.shape
    taps = kernel * kernel
    rows, columns = offset.shape[-2:]
    shift = offset.view(n, taps, 2, rows, columns)
    steps = torch.arange(kernel, device=x.device, dtype=x.dtype) - padding
    tap_y, tap_x = torch.meshgrid(steps, steps, indexing="ij")
    row = torch.arange(rows, device=x.device, dtype=x.dtype).view(1, 1, rows, 1)
    column = torch.arange(columns, device=x.device, dtype=x.dtype).view(1, 1, 1, columns)
    y = row + tap_y.reshape(1, taps, 1, 1) + shift[:, :, 0]
    x_ = column + tap_x.reshape(1, taps, 1, 1) + shift[:, :, 1]
    # grid_sample's align_corners=False convention: pixel i lies at (2 i + 1) / size - 1.
    grid = torch.stack(((2 * x_ + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    sampled = F.grid_sample(
        x, grid.view(n, taps * rows, columns, 2), padding_mode="zeros", align_corners=False
    )
    sampled = sampled.view(n, channels, taps, rows, columns) * mask.unsqueeze(1)
    return torch.einsum("dck,nckhw->ndhw", weight.reshape(filters, channels, taps), sampled)


def _forward(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, padding: int) -> Tensor:
    if torchvision_deform_conv2d is None:
        return deform_conv2d_reference(x, offset, mask, weight, padding)
    result: Tensor = torchvision_deform_conv2d(x, offset, weight, padding=padding, mask=mask)
    return result


@torch.library.custom_op("dehaze::deform_conv2d", mutates_args=())
def deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, padding: int) -> Tensor:
    """Deformable convolution v2; arguments and result as `deform_conv2d_reference`."""
    return _forward(x, offset, mask, weight, padding).contiguous()


@deform_conv2d.register_fake
def _(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,  # noqa: ARG001  # the op's signature
    weight: Tensor,
    padding: int,  # noqa: ARG001  # the op's signature
) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0], offset.shape[2], offset.shape[3])


def _save_inputs(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001  # torch's hook
    *tensors, ctx.padding = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """Recomputes the forward pass with gradients on: a second pass instead of stored samples."""
    inputs = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
    with torch.enable_grad():
        x, offset, mask, weight = inputs
        output = _forward(x, offset, mask, weight, ctx.padding)
    return *torch.autograd.grad(output, inputs, gradient), None


deform_conv2d.register_autograd(_backward, setup_context=_save_inputs)


class DeformConv2d(nn.Module):
    """A 3x3 modulated deformable convolution that predicts its own offsets and mask.

    Starts as a plain convolution: zero offsets and masks of one half (Zhu et al., section 3.2).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.decomposed = False
        """Whether to run the plain torch operations, for exports without DeformConv."""
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.offset_and_mask = nn.Conv2d(channels, 27, 1)
        nn.init.zeros_(self.offset_and_mask.weight)
        nn.init.zeros_(self.offset_and_mask.bias)  # type: ignore[arg-type]  # the bias exists

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        offset, mask = self.offset_and_mask(x).split((18, 9), dim=1)
        convolve = deform_conv2d_reference if self.decomposed else deform_conv2d
        result: Tensor = convolve(x, offset, mask.sigmoid(), self.weight, 1)
        return result
