"""Computes the losses of a recipe, for any network, with any frozen teachers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dehaze.runtime.errors import UsageError

from .data.haze import Pair
from .losses import contrastive_loss, feature_affinity_loss, log_mse
from .networks.feature_space import FeatureSpace
from .networks.network import Network, Prediction
from .recipe import Losses

AFFINITY_STRIDE = 4
"""Pixels per position of the Feature Affinity Module, along each axis: N = H W / 16."""

IMAGE_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "log-mse": log_mse,
}


@dataclass(frozen=True)
class Teachers:
    """Frozen networks that some losses need."""

    guide: Network | None = None
    """The super-resolution teacher of RFD."""
    teacher: Network | None = None
    """A dehazing teacher."""
    space: FeatureSpace | None = None
    """VGG19; without it the teacher's encoder is the space of the contrastive loss."""


class Objective(nn.Module):
    """A network with its losses; `forward` is what runs once a step."""

    def __init__(self, network: Network, losses: Losses, teachers: Teachers) -> None:
        super().__init__()
        self.network = network
        self.losses = losses
        self.guide = _frozen(teachers.guide)
        self.teacher = _frozen(teachers.teacher)
        self.space: FeatureSpace | None = _frozen(teachers.space or teachers.teacher)
        self.adapter: nn.Module | None = None
        """The layer from the student's features to the teacher's."""
        _require(losses.affinity, self.guide, "affinity", "--guide")
        _require(losses.contrast, self.space, "contrast", "--vgg or --teacher")
        _require(losses.teacher_image, self.teacher, "teacher_image", "--teacher")
        _require(losses.teacher_features, self.teacher, "teacher_features", "--teacher")
        if losses.teacher_features:
            self.adapter = nn.Conv2d(_channels(network), _channels(teachers.teacher), 1)
        self.autocast = torch.autocast("cpu", enabled=False)
        self.predict: Callable[[Tensor], Prediction] = network.predict

    def forward(self, pair: Pair) -> dict[str, Tensor]:
        """Each loss, weighted, and their sum as `loss`."""
        with self.autocast:
            prediction = self.predict(pair.hazy)
        image, features = prediction.image.float(), prediction.features.float()
        losses = self.losses
        terms = {"image": IMAGE_LOSSES[losses.image](image, pair.clear)}
        if losses.transmission and prediction.transmission is not None:
            error = _transmission_error(prediction.transmission.float(), pair.transmission)
            terms["transmission"] = losses.transmission * error
        if losses.affinity:
            terms["affinity"] = losses.affinity * self._affinity(image, pair.clear)
        if self.space is not None and losses.contrast:
            with self.autocast:
                contrast = contrastive_loss(self.space, image, pair.clear, pair.hazy)
            terms["contrast"] = losses.contrast * contrast
        if losses.teacher_image or losses.teacher_features:
            terms |= self._distilled(image, features, pair.hazy)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _affinity(self, image: Tensor, clear: Tensor) -> Tensor:
        """The affinity loss to the guide's picture; each position is the mean of a square."""
        assert self.guide is not None
        with torch.no_grad(), self.autocast:
            guide = self.guide(clear)  # twice the size
        return feature_affinity_loss(
            F.avg_pool2d(image, AFFINITY_STRIDE), F.avg_pool2d(guide.float(), 2 * AFFINITY_STRIDE)
        )

    def _distilled(self, image: Tensor, features: Tensor, hazy: Tensor) -> dict[str, Tensor]:
        assert self.teacher is not None
        with torch.no_grad(), self.autocast:
            taught = self.teacher.predict(hazy)
        terms = {}
        if self.losses.teacher_image:
            error = (image - taught.image.float()).abs().mean()
            terms["teacher_image"] = self.losses.teacher_image * error
        if self.adapter is not None:
            theirs = taught.features.float()
            ours = self.adapter(features)
            size = min(ours.shape[-2:], theirs.shape[-2:])
            ours, theirs = (F.adaptive_avg_pool2d(x, size) for x in (ours, theirs))
            terms["teacher_features"] = self.losses.teacher_features * F.l1_loss(ours, theirs)
        return terms


def _transmission_error(estimated: Tensor, exact: Tensor) -> Tensor:
    """L1 at the estimate's resolution, over the samples of which the transmission is known."""
    target = F.avg_pool2d(exact, exact.shape[-1] // estimated.shape[-1])
    known = ~target.isnan()
    errors = (estimated - torch.where(known, target, estimated)).abs()
    return errors.sum() / known.sum().clamp(min=1)


Frozen = TypeVar("Frozen", bound=nn.Module)


def _frozen(network: Frozen | None) -> Frozen | None:
    return None if network is None else network.eval().requires_grad_(False)


def _require(weight: float, helper: nn.Module | None, loss: str, option: str) -> None:
    if weight and helper is None:
        raise UsageError(f"the recipe's loss {loss!r} needs {option}; or --set losses.{loss}=0")


@torch.no_grad()
def _channels(network: Network | None) -> int:
    """Channels of the last features."""
    assert network is not None
    return copy.deepcopy(network).eval().predict(torch.zeros(1, 3, 64, 64)).features.shape[1]
