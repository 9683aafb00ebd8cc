"""The block of FFA-Net (arXiv 1911.07559), which RFD's student and AECR-Net take over."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Attention(nn.Module):
    """A sigmoid mask from two 1x1 convolutions: per channel where pooled, per pixel where not."""

    def __init__(self, channels: int, masks: int, pooled: bool, reduction: int = 8) -> None:
        super().__init__()
        self.pooled = pooled
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, masks, 1)

    def mask(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True) if self.pooled else x
        return self.excite(F.relu(self.squeeze(pooled))).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask(x)


class Block(nn.Module):
    """(N, C, H, W) to the same: conv, ReLU, + x, conv, channel attention, pixel attention, + x."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.first = conv3(channels, channels)
        self.second = conv3(channels, channels)
        self.channel_attention = Attention(channels, channels, pooled=True, reduction=reduction)
        self.pixel_attention = Attention(channels, 1, pooled=False, reduction=reduction)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)) + x)
        attended: Tensor = self.pixel_attention(self.channel_attention(y))
        return attended + x
