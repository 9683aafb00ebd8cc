"""The student of RFD (arXiv 2207.11250): FFA-Net's structure at width 16, full resolution.

Three groups of six blocks; the outputs of the groups are weighted by a channel attention over their
concatenation. 96 007 parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 16
GROUPS = 3
BLOCKS = 6
MEAN = (0.64, 0.6, 0.58)
STD = (0.14, 0.15, 0.152)


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
    """conv, ReLU, + x, conv, channel attention, pixel attention, + x."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv3(WIDTH, WIDTH)
        self.second = conv3(WIDTH, WIDTH)
        self.channel_attention = Attention(WIDTH, WIDTH, pooled=True)
        self.pixel_attention = Attention(WIDTH, 1, pooled=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)) + x)
        attended: Tensor = self.pixel_attention(self.channel_attention(y))
        return attended + x


class Group(nn.Module):
    """Blocks, a convolution, + x."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(Block() for _ in range(BLOCKS)), conv3(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class RfdStudent(nn.Module):
    """(N, 3, H, W) RGB in [0, 1] to the same."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.first = conv3(3, WIDTH)
        self.groups = nn.ModuleList(Group() for _ in range(GROUPS))
        joined = GROUPS * WIDTH
        self.weigh = Attention(joined, joined, pooled=True, reduction=joined)  # to one channel
        self.pixel_attention = Attention(WIDTH, 1, pooled=False)
        self.last = nn.Sequential(conv3(WIDTH, WIDTH), conv3(WIDTH, 3))

    def forward(self, image: Tensor) -> Tensor:
        normalised = (image - self.mean) / self.std
        x = self.first(normalised)
        outputs = []
        for group in self.groups:
            x = group(x)
            outputs.append(x)
        features = torch.stack(outputs, dim=1)  # (N, GROUPS, WIDTH, H, W)
        weights = self.weigh.mask(features.flatten(1, 2)).unflatten(1, (GROUPS, WIDTH))
        mixed = (features * weights).sum(dim=1)
        result: Tensor = self.last(self.pixel_attention(mixed)) + normalised
        return result
