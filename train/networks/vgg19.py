"""The convolutions of VGG19 (arXiv 1409.1556) as a perceptual space, without torchvision.

AECR-Net's contrastive regularisation compares five of its features (arXiv 2104.09367, section 3.3).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dehaze.runtime.errors import ModelError

from .feature_space import FeatureSpace

STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,))
"""Widths of the convolutions between poolings, up to conv5_1; the network has three more."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in [0, 1]: what torchvision's weights were trained with."""
SOURCE = "torchvision's vgg19-dcbb9e9d.pth from https://download.pytorch.org/models"


class Vgg19(FeatureSpace):
    """Frozen, with torchvision's names for its weights."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        layers: list[nn.Module] = []
        self.taken: list[int] = []
        """Places of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""
        channels = 3
        for stage in STAGES:
            self.taken.append(len(layers) + 1)
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:-1])
        self.eval().requires_grad_(False)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) RGB in [0, 1], from 16x16, to relu1_1 ... relu5_1.

        The 1st, 3rd, 5th, 9th and 13th convolution, rectified: (N, C, h, w) with C = 64, 128, 256,
        512, 512 at 1, 1/2, 1/4, 1/8, 1/16 of the size, rounded down.
        """
        x = (image - self.mean) / self.std
        taken = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taken:
                taken.append(x)
        return taken


def vgg19_from_file(path: Path) -> Vgg19:
    """Loads torchvision's VGG19 from its .pth, or from a .safetensors with the same names.

    Raises:
        ModelError: no such file, or not VGG19's weights.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected {SOURCE}")
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        network = Vgg19()
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except Exception as error:  # a file that is no pickle can raise anything
        raise ModelError(f"{path}: not VGG19's weights; expected {SOURCE}") from error
    return network
