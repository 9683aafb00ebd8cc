"""Training for 8 bits: convolutions that compute as they will after `dehaze-export --int8`.

Quantisation-aware training of Jacob et al. 2018 (arXiv 1712.05877, section 3): the forward pass
rounds, the backward pass lets gradients through as if it had not. Ranges are those of the batch at
hand, so that there is no state beside the weights; the export calibrates its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .deform import DeformConv2d
from .network import Network

WEIGHT_LEVELS = 127
"""Signed and symmetric, one scale for each filter."""
ACTIVATION_LEVELS = 255
"""Unsigned with a zero-point, one scale for each tensor."""


def learn_eight_bits(network: Network) -> None:
    """Turns convolutions, as the export quantises them, into `RoundedConv2d`, in place.

    Not the last one, nor those that predict offsets. Names and weights stay as they are.
    """
    offsets = {m.offset_and_mask for m in network.modules() if isinstance(m, DeformConv2d)}
    order = _call_order(network)
    for module in order:
        if module is not order[-1] and module not in offsets:
            module.__class__ = RoundedConv2d


class RoundedConv2d(nn.Conv2d):
    """A convolution of rounded weights and rounded inputs; of pooled inputs a plain one."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, H', W')."""
        if max(x.shape[-2:]) == 1:
            return super().forward(x)
        return self._conv_forward(rounded_activations(x), rounded_weight(self.weight), self.bias)


def rounded_weight(weight: Tensor) -> Tensor:
    """(D, C, K, L) to the same on 255 symmetric levels for each of the D filters."""
    scale = weight.detach().abs().amax((1, 2, 3), keepdim=True) / WEIGHT_LEVELS
    return _straight_through(weight, torch.round(weight / scale.clamp_min(1e-12)) * scale)


def rounded_activations(x: Tensor) -> Tensor:
    """Rounds a tensor of any shape to 256 levels between its smallest and largest value and 0."""
    wide = x.detach().float()
    low, high = wide.amin().clamp(max=0), wide.amax().clamp(min=0)
    scale = ((high - low) / ACTIVATION_LEVELS).clamp_min(1e-12)
    zero = torch.round(-low / scale)
    level = torch.round(wide / scale + zero).clamp(0, ACTIVATION_LEVELS)
    return _straight_through(x, ((level - zero) * scale).to(x.dtype))


def _straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` with the gradient of `x`."""
    return x + (rounded - x).detach()


@torch.no_grad()
def _call_order(network: Network) -> list[nn.Conv2d]:
    """The convolutions in the order in which the network calls them first."""
    order: dict[nn.Conv2d, None] = {}
    hooks = [
        module.register_forward_hook(lambda called, *_: order.setdefault(called))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    training = network.training
    network.eval()(torch.zeros(1, 3, network.minimum_size, network.minimum_size))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return list(order)
