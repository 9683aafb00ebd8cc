"""Steps that a GPU replays must be the steps that are made one kernel after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from training import EDGE, small_data

from dehaze.runtime import GateError
from dehaze.train.data.batches import Batches, BatchOptions, Draw
from dehaze.train.networks import build_network
from dehaze.train.objective import Objective, Teachers
from dehaze.train.recipe import Recipe
from dehaze.train.step import LOOK_EVERY, Step, optimizers_of, prepared

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU")


def step_of(recipe: Recipe, device: torch.device, *, recorded: bool) -> tuple[Step, Objective]:
    torch.manual_seed(0)
    objective = Objective(build_network("edge"), recipe.losses, Teachers()).train()
    average = prepared(objective, recipe, device, compiled=False)
    store = small_data()[0].to(device)
    options = BatchOptions(recipe.batch, rotate=False, seed=1, half_share=recipe.half_share)
    batches = Batches(store, recipe.mixture, options)
    optimizers = optimizers_of(objective, recipe)
    step = Step(objective, objective, average, optimizers, recipe, batches, recorded=recorded)
    return step, objective


@pytest.mark.parametrize(("optimizer", "kernels"), [("adamw", 3e-3), ("muon", 0.02)])
def test_the_schedule_scales_each_optimizer_s_own_rate(optimizer: str, kernels: float) -> None:
    recipe = replace(EDGE, optimizer=optimizer)  # type: ignore[arg-type]  # one of the two
    step, _ = step_of(recipe, torch.device("cpu"), recorded=False)
    for number, schedule in enumerate((0.5, 0.25)):
        step.make(number, 24, schedule)
        rates = [used.param_groups[0]["lr"] for used in step._optimizers]
        assert rates == pytest.approx([schedule * 3e-3, schedule * kernels])


def made(recipe: Recipe, *, recorded: bool, steps: int) -> tuple[list[float], Tensor]:
    step, objective = step_of(recipe, torch.device("cuda"), recorded=recorded)
    losses = [step.make(number, 24, 0.2)["loss"].detach().item() for number in range(steps)]
    weights = [p.detach().flatten() for p in objective.network.parameters()]
    return losses, torch.cat(weights)


@gpu
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_replayed_steps_are_the_steps(optimizer: str) -> None:
    recipe = replace(
        EDGE,
        optimizer=optimizer,  # type: ignore[arg-type]  # one of the two
        half_share=0.3,
        precision="float32",
    )
    losses, weights = made(recipe, recorded=False, steps=20)
    replayed, theirs = made(recipe, recorded=True, steps=20)
    assert replayed == pytest.approx(losses, rel=0.02)
    assert (weights - theirs).norm() < 0.01 * weights.norm()


@gpu
def test_what_is_not_finite_is_found_before_anything_is_written() -> None:
    step, objective = step_of(EDGE, torch.device("cuda"), recorded=True)
    for number in range(LOOK_EVERY // 2):
        step.make(number, 24, 0.2)
    step.require_finite(LOOK_EVERY // 2)
    next(objective.parameters()).data.fill_(torch.nan)
    step.make(LOOK_EVERY // 2, 24, 0.2)
    with pytest.raises(GateError, match="is not finite"):
        step.require_finite(LOOK_EVERY // 2 + 1)


def test_a_draw_keeps_its_order_when_its_tensors_are_replaced() -> None:
    """A graph is fed by position."""
    batches = Batches(small_data()[0], EDGE.mixture, BatchOptions(4, rotate=False, seed=0))
    first, second = batches.draw(0, 24), batches.draw(1, 24)
    replaced: Draw = first.replaced(second.tensors())
    assert all(a is b for a, b in zip(replaced.tensors(), second.tensors(), strict=True))
    for mine, theirs in zip(batches.made(replaced), batches.pair(1, 24), strict=True):
        assert torch.equal(mine, theirs)
