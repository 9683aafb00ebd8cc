"""AECR-Net (arXiv 2104.09367): an autoencoder to 1/4 size around one shared block.

2 614 145 parameters, the published 2.61 M: of them 1 205 089 in the block, which is applied six
times, and 652 315 in the deformable convolution, which is applied twice. The release whitens the
input before (network deconvolution, arXiv 1905.11926, a 3x3 convolution with 84 more parameters);
that is left out: it takes its statistics from the batch, and no graph exports its matrix root.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention_block import Block
from .deform import DeformConv2d
from .network import Network, Prediction, padded

BLOCK_APPLICATIONS = 6
DEFORM_APPLICATIONS = 2


class AecrNet(Network):
    """(N, 3, H, W) RGB in [0, 1] to the same, any size from 64x64."""

    size_multiple = 4  # the deepest level is 1/4

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            (
                nn.Conv2d(3, 64, 7, padding=3, padding_mode="reflect"),
                nn.Conv2d(64, 128, 3, stride=2, padding=1),
                nn.Conv2d(128, 256, 3, stride=2, padding=1),
            )
        )
        self.block = Block(256)
        self.deform = DeformConv2d(256, offset_kernel=3, bias=True)
        self.mixup = nn.Parameter(torch.tensor((-1.0, -0.6)))
        """The logits of the encoder's share at 1/4 and at 1/2 size (equation 1)."""
        self.up_to_half = nn.ConvTranspose2d(256, 128, 3, stride=2, padding=1, output_padding=1)
        self.up_to_full = nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1)
        self.last = nn.Conv2d(64, 3, 7, padding=3, padding_mode="reflect")

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB in [0, 1] to 64, 128 and 256 channels at 1, 1/2 and 1/4, rounded up."""
        x = padded(image, self.size_multiple)
        levels = []
        for conv in self.down:
            x = F.relu(conv(x))
            levels.append(x)
        return levels

    def predict(self, image: Tensor) -> Prediction:
        """(N, 3, H, W) RGB in [0, 1]; the features are what the last convolution reads."""
        height, width = image.shape[-2:]
        _, half, quarter = self.encode(image)
        x = quarter
        for _ in range(BLOCK_APPLICATIONS):
            x = self.block(x)
        for _ in range(DEFORM_APPLICATIONS):
            x = self.deform(x)
        quarter_share, half_share = self.mixup.sigmoid()
        x = quarter_share * quarter + (1 - quarter_share) * x
        x = F.relu(self.up_to_half(x))
        x = half_share * half + (1 - half_share) * x
        features = F.relu(self.up_to_full(x))
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 has 3 digits
            clear = self.last(features.to(self.last.weight.dtype)).tanh()
        return Prediction(clear[..., :height, :width], features[..., :height, :width], None)
