"""The losses of both papers."""

from __future__ import annotations

import torch
from torch import Tensor

from .networks.feature_space import FeatureSpace

CONTRAST_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""AECR-Net's weights of VGG19's five levels, shallow to deep (arXiv 2104.09367, section 4.1)."""


def log_mse(result: Tensor, reference: Tensor) -> Tensor:
    """Mean over the pictures of ln(MSE + 1e-4), times 0.02.

    PSNR is -4.34 ln(MSE): so a picture counts by its decibels, where L1 gives most weight to the
    thickest haze. The factor makes the gradient about that of L1 at an MSE of 0.0025 (26 dB).
    """
    return 0.02 * ((result - reference).square().mean((1, 2, 3)) + 1e-4).log().mean()


def feature_affinity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RFD's Feature Affinity Module (arXiv 2207.11250): ||G_s - G_t|| / N^2 with G = F^T F.

    G has N x N entries, 1.27 GB at 620x460. It is never made: with the Frobenius product,
    ||F^T F||^2 = ||F F^T||^2 and <G_s, G_t> = ||F_s F_t^T||^2, which are C x C.

    Args:
        student: (B, C_s, h, w).
        teacher: (B, C_t, h, w), the same positions, N = h * w.

    Returns:
        The mean over the batch.
    """
    # float64: the three terms nearly cancel once student and teacher agree.
    s, t = student.flatten(2).double(), teacher.flatten(2).double()
    difference = _gram_product(s, s) + _gram_product(t, t) - 2 * _gram_product(s, t)
    positions = s.shape[-1]
    return (difference.clamp(min=1e-12).sqrt() / positions**2).mean().float()


def _gram_product(a: Tensor, b: Tensor) -> Tensor:
    """<a^T a, b^T b> of each picture."""
    return (a @ b.mT).square().sum((1, 2))


def contrastive_loss(space: FeatureSpace, result: Tensor, clear: Tensor, hazy: Tensor) -> Tensor:
    """AECR-Net's contrastive regularisation: near to the clear picture, far from the hazy one.

    sum_i w_i L1(phi_i(J), phi_i(out)) / L1(phi_i(I), phi_i(out)) (arXiv 2104.09367, eq. 3). A space
    of fewer than five levels takes the weights of the deepest.
    """
    with torch.no_grad():
        positive, negative = space.encode(clear), space.encode(hazy)
    anchor = space.encode(result)
    terms = []
    weights = CONTRAST_WEIGHTS[-len(anchor) :]
    for weight, *levels in zip(weights, anchor, positive, negative, strict=True):
        a, p, n = (level.float() for level in levels)  # bfloat16 would round differences away
        terms.append(weight * (a - p).abs().mean() / ((a - n).abs().mean() + 1e-7))
    return torch.stack(terms).sum()
