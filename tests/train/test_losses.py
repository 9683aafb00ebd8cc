from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dehaze.train.data.haze import Pair
from dehaze.train.losses import (
    CONTRAST_WEIGHTS,
    FeatureSpace,
    contrastive_loss,
    feature_affinity_loss,
    log_mse,
)
from dehaze.train.networks.edge import Edge
from dehaze.train.networks.sr_teacher import SrTeacher
from dehaze.train.networks.vgg19 import Vgg19
from dehaze.train.objective import Objective, Teachers
from dehaze.train.recipe import Losses


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def affinity_with_gram_matrices(student: Tensor, teacher: Tensor) -> Tensor:
    """RFD's formula as it stands in the paper, N x N matrices and all."""
    norms = []
    for s, t in zip(student.double(), teacher.double(), strict=True):
        s, t = s.flatten(1), t.flatten(1)
        norms.append(torch.linalg.matrix_norm(s.T @ s - t.T @ t) / s.shape[1] ** 2)
    return torch.stack(norms).mean()


@pytest.mark.parametrize("shape", [(2, 16, 9, 7), (1, 3, 12, 12), (3, 40, 4, 5)])
def test_feature_affinity_equals_the_form_with_gram_matrices(shape: tuple[int, ...]) -> None:
    student = normal(*shape).requires_grad_()
    teacher = normal(shape[0], 3, *shape[2:], seed=1)
    naive = affinity_with_gram_matrices(student, teacher)
    (expected,) = torch.autograd.grad(naive, student)
    ours = feature_affinity_loss(student, teacher)
    (gradient,) = torch.autograd.grad(ours, student)
    assert ours.item() == pytest.approx(naive.item(), rel=1e-6)
    assert torch.allclose(gradient, expected.float(), rtol=1e-4, atol=1e-9)


def test_feature_affinity_also_holds_near_agreement() -> None:
    teacher = normal(1, 8, 10, 10)
    student = teacher + 1e-4 * normal(1, 8, 10, 10, seed=1)
    expected = affinity_with_gram_matrices(student, teacher).item()
    assert feature_affinity_loss(student, teacher).item() == pytest.approx(expected, rel=1e-3)


def test_feature_affinity_at_resides_size_needs_no_gigabyte() -> None:
    """115 x 155 positions: a Gram matrix would be 1.27 GB, and one allocation of it would show."""
    with torch.profiler.profile(profile_memory=True) as profile:
        feature_affinity_loss(normal(1, 16, 115, 155), normal(1, 3, 115, 155, seed=1))
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert 0 < largest < 50e6


class Halves(FeatureSpace):
    """Two levels by hand."""

    def encode(self, image: Tensor) -> list[Tensor]:
        return [image, image[..., ::2, ::2]]


def test_contrast_is_the_published_sum_of_ratios() -> None:
    result, clear, hazy = (torch.rand(2, 3, 8, 8) for _ in range(3))
    expected = 0.0
    for weight, step in zip(CONTRAST_WEIGHTS[-2:], (1, 2), strict=True):
        a, p, n = (x[..., ::step, ::step] for x in (result, clear, hazy))
        expected += weight * ((a - p).abs().mean() / (a - n).abs().mean()).item()
    loss = contrastive_loss(Halves(), result, clear, hazy)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_contrast_over_vgg_uses_all_five_levels() -> None:
    clear, hazy = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    vgg = Vgg19()
    near, far = (
        contrastive_loss(vgg, result, clear, hazy).item()
        for result in (clear + 0.01 * normal(1, 3, 32, 32), hazy + 0.01 * normal(1, 3, 32, 32))
    )
    assert near < 0.2 * sum(CONTRAST_WEIGHTS)
    assert far > 5 * sum(CONTRAST_WEIGHTS)


def test_a_decibel_counts_the_same_in_every_picture() -> None:
    """Halving the error of a good picture gains what halving that of a bad one gains."""
    reference = torch.zeros(1, 3, 8, 8)
    gain = [
        (log_mse(reference + error, reference) - log_mse(reference + error / 2, reference)).item()
        for error in (0.5, 0.1)
    ]
    assert gain[0] == pytest.approx(gain[1], rel=0.03)


def pair() -> Pair:
    generator = torch.Generator().manual_seed(0)
    hazy, clear = (torch.rand(2, 3, 32, 32, generator=generator) for _ in range(2))
    return Pair(hazy, clear, torch.rand(2, 1, 32, 32, generator=generator))


ALL = Losses("l1", 0.5, affinity=0.25, contrast=0.1, teacher_image=1.0, teacher_features=0.1)


def test_all_losses_train_the_student_and_no_helper() -> None:
    guide, teacher, student = SrTeacher(), Edge(), Edge()
    objective = Objective(student, ALL, Teachers(guide, teacher))
    terms = objective(pair())
    assert set(terms) == {
        "loss",
        "image",
        "transmission",
        "affinity",
        "contrast",
        "teacher_image",
        "teacher_features",
    }
    assert all(term > 0 for term in terms.values())
    total = terms.pop("loss")
    assert total.item() == pytest.approx(sum(term.item() for term in terms.values()), rel=1e-5)
    total.backward()
    assert objective.adapter is not None
    assert all(parameter.grad is not None for parameter in objective.adapter.parameters())
    assert not any(p.requires_grad for helper in (guide, teacher) for p in helper.parameters())
    assert not teacher.training


def test_torch_compile_gives_the_same_gradients() -> None:
    gradients = []
    for compiled in (False, True):
        torch.manual_seed(0)
        student = Edge()
        objective = Objective(student, Losses("l1", 0.5), Teachers())
        if compiled:  # this backend traces as the default one does, without its C++ compiler
            objective.predict = torch.compile(student.predict, backend="aot_eager")
        objective(pair())["loss"].backward()
        gradients.append([p.grad for p in student.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-6)


def test_the_transmission_of_file_pairs_is_not_known_and_not_taught() -> None:
    torch.manual_seed(0)
    student = Edge()
    known = pair()
    unknown = known._replace(transmission=torch.full_like(known.transmission, torch.nan))
    objective = Objective(student, Losses("l1", 0.5), Teachers())
    assert objective(known)["transmission"] > 0
    terms = objective(unknown)
    assert terms["transmission"] == 0
    terms["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())
