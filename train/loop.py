"""The training loop, top to bottom, for every network and every recipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from dehaze.runtime.errors import UsageError

from .data.batches import Batches, BatchOptions
from .data.store import Store
from .objective import Objective
from .recipe import Recipe
from .run.folder import RunFolder
from .run.processes import Processes
from .run.stop import stop_requests
from .step import Step, optimizers_of, prepared, schedule
from .validation import Validation


@dataclass(frozen=True)
class Run:
    """A run of a recipe. Either `steps` or `minutes` ends it; the schedule is scaled to that."""

    out: Path
    steps: int | None = None
    minutes: float | None = None
    """Training time over all resumes, without loading data."""
    pause_s: float | None = None
    """Seconds after which this call ends with its state written, to be called again."""
    seed: int = 0
    compiled: bool = False
    """True if torch.compile runs the network."""
    origins: Mapping[str, Any] = field(default_factory=dict)
    """The data, first weights and teachers, as a checkpoint names them."""

    def elapsed(self, step: int, seconds: float) -> float:
        """The share of the run that is over, 0 to 1."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return seconds / (60 * self.minutes)


def train(
    objective: Objective,
    recipe: Recipe,
    store: Store,
    validation: Validation,
    run: Run,
    processes: Processes,
) -> dict[str, float]:
    """Trains the objective's network, or goes on where a run in `run.out` stopped.

    Args:
        store: the pictures to train on.
        run: `out` gets `NETWORK.safetensors` (the averaged weights), `NETWORK.state.safetensors`
            (to resume from), `log.csv` and `samples.jpg`.

    Returns:
        The last validation's scores; empty if the run was over before, or was paused.

    Raises:
        UsageError: `out` holds a run of another recipe, neither or both of steps and minutes, or a
            batch that the processes cannot share evenly.
        GateError: a gradient is not finite.
        KeyboardInterrupt: asked to stop; the state was written after the last whole step.
    """
    _check(recipe, run, processes)
    network, device = objective.network, processes.device
    average = prepared(objective, recipe, device, compiled=run.compiled)
    optimizers = optimizers_of(objective, recipe)
    parts = {"network": network, "average": average, "adapter": objective.adapter}
    folder = RunFolder(run.out, recipe, {"seed": run.seed, **run.origins})
    step, seconds = folder.resume(parts, optimizers)
    processes.require_equal(step)
    joined = processes.joined(objective)
    batches = Batches(
        store.to(device),
        recipe.mixture,
        batch_options(recipe, run.seed, processes.rank, processes.count),
    )
    recorded = device.type == "cuda" and processes.count == 1
    makes = Step(objective, joined, average, optimizers, recipe, batches, recorded=recorded)
    begun = time.monotonic()
    started = begun - seconds
    elapsed = processes.largest(run.elapsed(step, seconds))
    scores: dict[str, float] = {}
    terms = _Means()
    bar = tqdm(
        total=None if run.steps is None else run.steps * recipe.batch,
        initial=step * recipe.batch,
        unit="sample",
        mininterval=1.0,
        disable=not processes.first,
    )
    with bar, stop_requests() as stop:
        while elapsed < 1:
            network.train()
            factor = schedule(step, elapsed, recipe.warmup_steps)
            losses = makes.make(step, recipe.crop(elapsed), factor)
            step += 1
            terms.add(losses)
            bar.update(recipe.batch)
            seconds = time.monotonic() - started
            elapsed = processes.largest(run.elapsed(step, seconds))
            paused = run.pause_s is not None and time.monotonic() - begun >= run.pause_s
            stopped = processes.largest(stop.made) > 0
            ending = stopped or processes.largest(paused) > 0
            due = step % recipe.validate_every == 0 or elapsed >= 1
            if due or ending:
                makes.require_finite(step)
            if due and processes.first:
                scores = validation.score(average, device)
                bar.set_postfix({k: f"{v:.2f}" for k, v in scores.items() if k.endswith("_db")})
                state = {"step": step, "seconds": seconds}
                folder.save_network(average, {**state, **scores, **_circumstances(run, processes)})
                validation.draw(average, device, run.out / "samples.jpg")
                folder.log({**state, "schedule": factor, **terms.taken(), **scores})
            if (due or ending) and processes.first:
                if not due:
                    state = {"step": step, "seconds": seconds}
                    folder.save_network(average, {**state, **_circumstances(run, processes)})
                folder.save(parts, optimizers, step, seconds)
            if ending and elapsed < 1:
                processes.wait()  # for the first one to have written
                if stopped:
                    raise KeyboardInterrupt
                return {}
    processes.wait()
    return scores


class _Means:
    """Mean of each loss since it was last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, losses: Mapping[str, Tensor]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value.detach()
        self._count += 1

    def taken(self) -> dict[str, float]:
        means = {name: total.item() / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def _check(recipe: Recipe, run: Run, processes: Processes) -> None:
    if (run.steps is None) == (run.minutes is None):
        raise UsageError("give either a number of steps or of minutes to train for")
    if recipe.batch % processes.count:
        raise UsageError(
            f"expected a batch that {processes.count} processes can share, got {recipe.batch}; "
            f"--set batch={processes.count * max(1, recipe.batch // processes.count)}"
        )


def batch_options(recipe: Recipe, seed: int, rank: int = 0, processes: int = 1) -> BatchOptions:
    """What a training of the recipe draws its batches by."""
    return BatchOptions(
        size=recipe.batch,
        rotate=recipe.rotate,
        seed=seed,
        half_share=recipe.half_share,
        super_resolution=recipe.super_resolution,
        rank=rank,
        processes=processes,
    )


def _circumstances(run: Run, processes: Processes) -> dict[str, Any]:
    cuda = processes.device.type == "cuda"
    return {
        "minutes": run.minutes,
        "processes": processes.count,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
    }
