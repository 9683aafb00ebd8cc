"""FFA-Net (arXiv 1911.07559) at full resolution, and the student that RFD makes of it.

Three groups of blocks; the outputs of the groups are weighted by a channel attention over their
concatenation. The published network has width 64 and 19 blocks a group, RFD's student
(arXiv 2207.11250) width 16 and 6 blocks: 96 007 parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention_block import Attention, Block, conv3
from .network import Network, Prediction

GROUPS = 3
MEAN = (0.64, 0.6, 0.58)
STD = (0.14, 0.15, 0.152)


class Group(nn.Module):
    """Blocks, a convolution, + x."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(Block(width) for _ in range(blocks)), conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class FfaNet(Network):
    """(N, 3, H, W) RGB in [0, 1] to the same."""

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.first = conv3(3, width)
        self.groups = nn.ModuleList(Group(width, blocks) for _ in range(GROUPS))
        joined = GROUPS * width
        self.weigh = Attention(joined, joined, pooled=True, reduction=GROUPS * 16)  # to width / 16
        self.pixel_attention = Attention(width, 1, pooled=False)
        self.last = nn.Sequential(conv3(width, width), conv3(width, 3))

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB in [0, 1] to what each group gives, (N, width, H, W)."""
        x = self.first(self._normalised(image))
        outputs = []
        for group in self.groups:
            x = group(x)
            outputs.append(x)
        return outputs

    def predict(self, image: Tensor) -> Prediction:
        """(N, 3, H, W) RGB in [0, 1]; the features are what the last convolution reads."""
        outputs = torch.stack(self.encode(image), dim=1)  # (N, GROUPS, width, H, W)
        weights = self.weigh.mask(outputs.flatten(1, 2)).unflatten(1, outputs.shape[1:3])
        mixed = (outputs * weights).sum(dim=1)
        features = self.last[0](self.pixel_attention(mixed))
        with torch.autocast(image.device.type, enabled=False):  # bfloat16 has 3 digits
            residual = self.last[1](features.float())
        return Prediction(residual + self._normalised(image), features, None)

    def _normalised(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std
