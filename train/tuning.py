"""Chooses how fast to train on a machine that was never seen before, by trying."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import torch

from .data.batches import Batches, BatchOptions
from .data.store import Store
from .objective import Objective
from .recipe import Recipe
from .step import WARM_UP, Step, optimizers_of, prepared

BATCHES = (16, 64, 256, 1024)
NEARLY = 0.8
"""A smaller batch makes more steps of the same samples, so it is taken if it is nearly as fast."""
TIMED = 8
"""Steps of each trial, after those that a recording waits for."""


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
    batches = BATCHES if gpu else BATCHES[:2]
    ways = [(batch, "bfloat16" if gpu else "float32", False) for batch in batches]
    if gpu:  # what takes a minute each comes last
        ways += [(256, "float32", False), *((batch, "bfloat16", True) for batch in batches[2:])]
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
    """The recipe with the batch and precision of a trial.

    The learning rates stay: neither Muon's steps nor Adam's grow with the gradient.
    """
    return replace(recipe, batch=trial.batch, precision=trial.precision)  # type: ignore[arg-type]


def _samples_per_s(
    objective: Objective, recipe: Recipe, store: Store, batch: int, precision: str, compiled: bool
) -> float:
    """Speed of whole steps, on a copy of everything that they change."""
    device = store.clear.device
    trained = copy.deepcopy(objective)
    tried = replace(recipe, batch=batch, precision=precision)  # type: ignore[arg-type]
    average = prepared(trained, tried, device, compiled=compiled)
    trained.train()
    step = Step(
        trained,
        trained,
        average,
        optimizers_of(trained, tried),
        tried,
        Batches(store, recipe.mixture, BatchOptions(batch, recipe.rotate, seed=0)),
        recorded=device.type == "cuda",
    )
    crop, warm_up = recipe.crop(0.0), WARM_UP + 2 if device.type == "cuda" else 1
    started = 0.0
    for number in range(warm_up + TIMED):
        if number == warm_up:
            _finish(device)
            started = time.monotonic()
        step.make(number, crop, 1e-3)
    _finish(device)
    return batch * TIMED / (time.monotonic() - started)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
