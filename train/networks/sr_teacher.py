"""The teacher of RFD (arXiv 2207.11250): super-resolution by two, one network for each colour.

FSRCNN (arXiv 1608.00367) with depthwise-separable convolutions; 26 451 parameters in all three.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .network import Network, Prediction

WIDTH = 56
NARROW = 12
MAPPINGS = 4
SCALE = 2


def separable(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution of each channel, one across channels, PReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs),
        nn.Conv2d(inputs, outputs, 1),
        nn.PReLU(outputs),
    )


def colour_network() -> nn.Sequential:
    """(N, 1, H, W) to (N, 1, 2 H, 2 W)."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 5, padding=2),
        nn.PReLU(WIDTH),
        separable(WIDTH, NARROW, 1),
        *(separable(NARROW, NARROW, 3) for _ in range(MAPPINGS)),
        separable(NARROW, WIDTH, 1),
        nn.ConvTranspose2d(WIDTH, 1, 9, stride=SCALE, padding=4, output_padding=1),
    )


class SrTeacher(Network):
    """(N, 3, H, W) RGB in [0, 1] to (N, 3, 2 H, 2 W)."""

    exported = False

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.ModuleList(colour_network() for _ in range(3))

    def predict(self, image: Tensor) -> Prediction:
        """(N, 3, H, W) RGB in [0, 1]; a student's features are compared with the image."""
        colours = image.split(1, dim=1)
        pairs = zip(self.colours, colours, strict=True)
        enlarged = torch.cat([network(colour) for network, colour in pairs], dim=1)
        return Prediction(enlarged, enlarged, None)
