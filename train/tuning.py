"""Chooses how fast to train on a machine that was never seen before, by trying."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from itertools import product

import torch

from .data.batches import Batches, BatchOptions
from .data.store import Store
from .objective import Objective
from .recipe import Recipe

BATCHES = (16, 64, 256)
NEARLY = 0.8
"""A smaller batch makes more steps of the same samples, so it is taken if it is nearly as fast."""
WARM_UP, TIMED = 3, 8
"""Steps of each trial; torch.compile works in the first."""


@dataclass(frozen=True)
class Trial:
    """One way to train, with its measured speed."""

    batch: int
    precision: str
    compiled: bool
    samples_per_s: float


def trials(objective: Objective, recipe: Recipe, store: Store, seconds: float) -> list[Trial]:
    """Measures the ways to train, one after the other, until the time is over.

    Args:
        objective: of the recipe, on the device to measure; its weights stay as they are.
        store: on the same device.
        seconds: no trial begins later than this; the first one always does.
    """
    device = store.clear.device
    gpu = device.type == "cuda"
    ways = (
        product(BATCHES, ("bfloat16", "float32"), (False, True))
        if gpu
        else [(batch, "float32", False) for batch in BATCHES[:2]]
    )
    done: list[Trial] = []
    started = time.monotonic()
    for batch, precision, compiled in ways:
        if done and time.monotonic() - started > seconds:
            break
        speed = _samples_per_s(objective, recipe, store, batch, precision, compiled)
        done.append(Trial(batch, precision, compiled, speed))
    return done


def best(done: list[Trial]) -> Trial:
    """The smallest batch that is nearly as fast as the fastest; of that batch the fastest way."""
    fastest = max(trial.samples_per_s for trial in done)
    fast = [trial for trial in done if trial.samples_per_s >= NEARLY * fastest]
    smallest = min(trial.batch for trial in fast)
    return max(
        (trial for trial in fast if trial.batch == smallest), key=lambda trial: trial.samples_per_s
    )


def tuned(recipe: Recipe, trial: Trial) -> Recipe:
    """The recipe with the batch and precision of a trial; steps grow as the root of the batch."""
    growth = (trial.batch / recipe.batch) ** 0.5
    return replace(
        recipe,
        batch=trial.batch,
        precision=trial.precision,  # type: ignore[arg-type]  # one of the three
        learning_rate=recipe.learning_rate * growth,
        muon_learning_rate=recipe.muon_learning_rate * growth,
    )


def _samples_per_s(
    objective: Objective, recipe: Recipe, store: Store, batch: int, precision: str, compiled: bool
) -> float:
    """Speed of forward and backward passes on drawn batches, without the optimiser."""
    device = store.clear.device
    trained = copy.deepcopy(objective).to(device).train()
    trained.autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    predict = trained.network.predict
    trained.predict = torch.compile(predict, dynamic=False) if compiled else predict
    batches = Batches(store, recipe.mixture, BatchOptions(batch, recipe.rotate, seed=0))
    crop = recipe.crop(0.0)
    started = 0.0
    for step in range(WARM_UP + TIMED):
        if step == WARM_UP:
            _finish(device)
            started = time.monotonic()
        trained(batches.pair(step, crop))["loss"].backward()
    _finish(device)
    return batch * TIMED / (time.monotonic() - started)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
