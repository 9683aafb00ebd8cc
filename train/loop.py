"""The training loop, top to bottom, for every network and every recipe."""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from dehaze.runtime.errors import UsageError

from .batches import Batches, BatchOptions, Crops, pair_from_crops, super_resolution_pair
from .checkpoint import load_state, save_network, save_state
from .haze import Pair
from .muon import Muon
from .objective import Objective
from .processes import Processes
from .recipe import Recipe
from .sources import Share
from .stop import stop_requests
from .validation import Validation


@dataclass(frozen=True)
class Run:
    """One run of a recipe. Either `steps` or `minutes` ends it; the schedule is scaled to that."""

    out: Path
    steps: int | None = None
    minutes: float | None = None
    """Training time over all resumes, without loading data."""
    seed: int = 0
    workers: int = 0
    """Processes that prepare batches ahead."""
    compiled: bool = False
    """Whether torch.compile runs the network."""
    origin: str | None = None
    """Where the first weights came from, if not from the seed."""

    def share(self, step: int, seconds: float) -> float:
        """How much of the run is over, 0 to 1."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return seconds / (60 * self.minutes)


def train(
    objective: Objective,
    recipe: Recipe,
    shares: Sequence[Share],
    validation: Validation,
    run: Run,
    processes: Processes,
) -> dict[str, float]:
    """Trains the objective's network, or goes on where a run in `run.out` stopped.

    Args:
        shares: what to train on.
        run: `out` gets `NETWORK.safetensors` (the averaged weights), `NETWORK.state.safetensors`
            (to resume from), `log.csv` and `samples.jpg`.

    Returns:
        The last validation's scores; empty if the run was over before.

    Raises:
        UsageError: `out` holds a run of another recipe, or neither or both of steps and minutes.
        KeyboardInterrupt: asked to stop; the state was written after the last whole step.
    """
    if (run.steps is None) == (run.minutes is None):
        raise UsageError("give either a number of steps or of minutes to train for")
    network, device = objective.network, processes.device
    objective.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not annotated
    average = copy.deepcopy(network).eval()
    optimizers = _optimizers(objective, recipe)
    rates = [optimizer.defaults["lr"] for optimizer in optimizers]
    parts = {"network": network, "average": average, "adapter": objective.adapter}
    state_path = run.out / f"{recipe.network}.state.safetensors"
    step, seconds = 0, 0.0
    if state_path.exists():
        progress = load_state(state_path, parts, optimizers)
        _require_same(progress["recipe"], recipe, state_path)
        step, seconds = progress["step"], progress["seconds"]
    objective.autocast = _autocast(device, recipe)
    if run.compiled:
        objective.predict = torch.compile(network.predict)
    joined = processes.joined(objective)
    stream = _Stream(shares, recipe, run, processes)
    started = time.monotonic() - seconds
    share = processes.agreed(run.share(step, seconds))
    scores: dict[str, float] = {}
    bar = tqdm(
        total=run.steps, initial=step, unit="step", mininterval=1.0, disable=not processes.first
    )
    with bar, stop_requests() as stop:
        while share < 1:
            network.train()
            factor = _schedule(step, share, recipe.warmup_steps)
            for optimizer, rate in zip(optimizers, rates, strict=True):
                optimizer.param_groups[0]["lr"] = factor * rate
            losses = joined(stream.pair(step, share))
            objective.zero_grad()
            losses["loss"].backward()
            nn.utils.clip_grad_norm_(objective.parameters(), recipe.gradient_norm)
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            _update_average(average, network, step, recipe.average_decay)
            bar.update()
            seconds = time.monotonic() - started
            share = processes.agreed(run.share(step, seconds))
            stopped = processes.agreed(stop.made) > 0
            due = step % recipe.validate_every == 0 or share >= 1
            progress = {"step": step, "seconds": seconds, "recipe": asdict(recipe)}
            if due and processes.first:
                scores = validation.score(average, device)
                bar.set_postfix({k: f"{v:.2f}" for k, v in scores.items() if k.endswith("_db")})
                provenance = {**progress, **scores, **_circumstances(run, processes)}
                save_network(
                    run.out / f"{recipe.network}.safetensors", recipe.network, average, provenance
                )
                validation.draw(average, device, run.out / "samples.jpg")
                terms = {name: value.item() for name, value in losses.items()}
                row = {"step": step, "seconds": seconds, "rate": factor, **terms, **scores}
                _log(run.out / "log.csv", row)
            if (due or stopped) and processes.first:
                save_state(state_path, parts, optimizers, progress)
            if stopped and share < 1:
                raise KeyboardInterrupt
    processes.wait()
    return scores


class _Stream:
    """Batches on the training device."""

    def __init__(
        self, shares: Sequence[Share], recipe: Recipe, run: Run, processes: Processes
    ) -> None:
        self._shares, self._recipe, self._run = shares, recipe, run
        self._device = processes.device
        self._options = BatchOptions(
            size=recipe.batch,
            crop=0,
            rotate=recipe.rotate,
            haze=recipe.haze,
            seed=run.seed,
            rank=processes.rank,
            processes=processes.count,
        )
        self._crops: Iterator[Crops] = iter(())

    def pair(self, step: int, share: float) -> Pair:
        """The batch of this step; a new size of crop starts the workers anew."""
        crop = self._recipe.crop(share)
        if crop != self._options.crop:
            self._options = replace(self._options, crop=crop)
            self._crops = Batches(self._shares, self._options).from_step(step, self._run.workers)
        pair = pair_from_crops(next(self._crops), self._device, self._options)
        return super_resolution_pair(pair) if self._recipe.super_resolution else pair


def _schedule(step: int, share: float, warmup_steps: int) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    warmup = min(1.0, (step + 1) / max(warmup_steps, 1))
    return warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _optimizers(objective: Objective, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW, or Muon for kernels; norms, biases and mixup factors do not decay."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    kernels = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 1]
    others = [p for p in trained if not (p.ndim == 4 and min(p.shape[:2]) > 1)]
    rate, betas, decay = recipe.learning_rate, recipe.adam_betas, recipe.weight_decay
    adam = torch.optim.AdamW(others, rate, betas, weight_decay=0.0, fused=True)
    if recipe.optimizer == "muon":
        return [adam, Muon(kernels, recipe.muon_learning_rate, weight_decay=decay)]
    return [adam, torch.optim.AdamW(kernels, rate, betas, weight_decay=decay, fused=True)]


def _autocast(device: torch.device, recipe: Recipe) -> torch.autocast:
    low = recipe.precision == "bfloat16" or (recipe.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=low)


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Exponential moving average of the weights and of the statistics that belong to them."""
    decay = min(decay, (1 + step) / (10 + step))
    current = network.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], 1 - decay)
        else:
            mean.copy_(current[name])


def _require_same(before: dict[str, Any], recipe: Recipe, path: Path) -> None:
    """A run goes on with the recipe that it began with; only its length may change."""
    now = json.loads(json.dumps(asdict(recipe)))
    for key in now.keys() - {"steps"}:
        if before.get(key) != now[key]:
            raise UsageError(
                f"{path} was made with {key} = {before.get(key)}, this run has {now[key]}; "
                "give another --out, or the same recipe"
            )


def _circumstances(run: Run, processes: Processes) -> dict[str, Any]:
    cuda = processes.device.type == "cuda"
    return {
        "seed": run.seed,
        "minutes": run.minutes,
        "origin": run.origin,
        "processes": processes.count,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
    }


def _log(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
