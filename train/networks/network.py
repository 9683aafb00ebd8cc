"""The interface of every network that can be trained."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from .feature_space import FeatureSpace


class Prediction(NamedTuple):
    """The output of a network in training, which is more than its image."""

    image: Tensor
    """(N, 3, h, w) RGB, not clamped."""
    features: Tensor
    """(N, C, h / s, w / s): the last features, which a teacher's are compared with."""
    transmission: Tensor | None
    """(N, 1, h / k, w / k) where the network estimates it."""


class Network(FeatureSpace):
    """A network that can be trained, and teach."""

    exported: ClassVar[bool] = True
    """True if it takes hazy pictures, as a model file does."""
    minimum_size: ClassVar[int] = 64
    """Smallest height and width in pixels."""
    size_multiple: ClassVar[int] = 1
    """Frames are padded to a multiple of this many pixels."""
    grid_stride: ClassVar[int] = 0
    """Pixels per cell of the grid that it estimates, along each axis; 0 for one without."""

    def predict(self, image: Tensor) -> Prediction:
        """(N, 3, h, w) RGB in [0, 1], at the scale that the network is trained at."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same, clear; not clamped, so that gradients pass."""
        return self.predict(image).image


def padded(image: Tensor, multiple: int) -> Tensor:
    """Repeats the last row and column until both sides are multiples of `multiple`."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="replicate")
