"""A space in which pictures are compared: VGG19, or the encoder of a network of ours."""

from __future__ import annotations

from torch import Tensor, nn


class FeatureSpace(nn.Module):
    """A network whose features tell pictures apart."""

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, h, w) RGB in [0, 1] to features, shallow to deep."""
        raise NotImplementedError
