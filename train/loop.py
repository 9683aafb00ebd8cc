"""The training loop of `edge`, top to bottom."""

from __future__ import annotations

import copy
import csv
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from dehaze.runtime.errors import UsageError

from .checkpoint import load_state, save_network, save_state
from .edge import GRID_STRIDE, THUMBNAIL_STRIDE, Edge, EdgeEstimator, apply_grid
from .haze import HazeRecipe, Pair, sample_pairs
from .scenes import Scenes
from .validation import Validation


@dataclass(frozen=True)
class TrainingOptions:
    """One run. Either `steps` or `minutes` ends it; the learning rate follows that measure."""

    steps: int | None = None
    minutes: float | None = None
    """Training time over all resumes, without loading data."""
    batch: int = 16
    crops: tuple[tuple[float, int], ...] = ((0.0, 80), (0.75, 112))
    """(from this share of the run on, side in thumbnail pixels): fast first, then in context."""
    road_share: float = 0.125
    """Share of road scenes in a batch."""
    learning_rate: float = 3e-3
    warmup_steps: int = 300
    weight_decay: float = 1e-2
    transmission_weight: float = 0.5
    gradient_norm: float = 1.0
    average_decay: float = 0.999
    validate_every: int = 1000
    """Steps between scores, log lines and checkpoints."""
    seed: int = 0


def train_edge(
    scenes: tuple[Scenes, Scenes], validation: Validation, out: Path, options: TrainingOptions
) -> dict[str, float]:
    """Trains `edge`, or goes on where a run in `out` stopped.

    Args:
        scenes: indoor and road scenes to train on.
        out: gets `edge.safetensors` (the averaged weights), `edge.state.safetensors` (to resume
            from) and `log.csv`, all three as of the last validation.

    Returns:
        The last validation scores.
    """
    if (options.steps is None) == (options.minutes is None):
        raise UsageError("give either a number of steps or of minutes to train for")
    torch.manual_seed(options.seed)
    network = Edge()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not annotated
    average = copy.deepcopy(network).eval()
    optimizer = _optimizer(network, options)
    state_path = out / "edge.state.safetensors"
    step, seconds = 0, 0.0
    if state_path.exists():
        progress = load_state(state_path, network, average, optimizer)
        step, seconds = progress["step"], progress["seconds"]
    started = time.monotonic() - seconds
    scores: dict[str, float] = {}
    bar = tqdm(total=options.steps, initial=step, unit="step", mininterval=1.0)
    share = _share(step, seconds, options)
    while share < 1:
        rate = options.learning_rate * _schedule(step, share, options)
        for group in optimizer.param_groups:
            group["lr"] = rate
        pair = _batch(scenes, step, share, options)
        loss = _loss(network.estimator, pair, options)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.gradient_norm)
        optimizer.step()
        step += 1
        _update_average(average, network, step, options.average_decay)
        bar.update()
        seconds = time.monotonic() - started
        share = _share(step, seconds, options)
        if step % options.validate_every == 0 or share >= 1:
            scores = validation.score(average.estimator)
            bar.set_postfix(loss=f"{loss.item():.4f}", **{k: f"{v:.2f}" for k, v in scores.items()})
            progress = {"step": step, "seconds": seconds, **scores}
            provenance = {
                **progress,
                "options": asdict(options),
                "threads": torch.get_num_threads(),
            }
            save_network(out / "edge.safetensors", "edge", average, provenance)
            save_state(state_path, network, average, optimizer, progress)
            _log(out / "log.csv", {**progress, "loss": loss.item(), "learning_rate": rate})
    bar.close()
    return scores


def _share(step: int, seconds: float, options: TrainingOptions) -> float:
    """How much of the run is over, 0 to 1."""
    if options.steps is not None:
        return step / options.steps
    assert options.minutes is not None
    return seconds / (60 * options.minutes)


def _schedule(step: int, share: float, options: TrainingOptions) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    warmup = min(1.0, (step + 1) / options.warmup_steps)
    return warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _optimizer(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """AdamW that decays kernels only: norms, biases and mixup factors are left alone."""
    kernels = [p for p in network.parameters() if p.ndim == 4 and p.shape[0] > 1]
    others = [p for p in network.parameters() if not (p.ndim == 4 and p.shape[0] > 1)]
    return torch.optim.AdamW(
        [
            {"params": kernels, "weight_decay": options.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=options.learning_rate,
    )


def _batch(
    scenes: tuple[Scenes, Scenes], step: int, share: float, options: TrainingOptions
) -> Pair:
    """The batch of a step depends on nothing but the seed, the step and the crop's size."""
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
    crop = max((start, side) for start, side in options.crops if start <= share)[1]
    road = round(options.batch * options.road_share)
    pairs = [
        sample_pairs(
            part,
            torch.randint(len(part), (count,), generator=generator),
            crop,
            HazeRecipe(),
            generator,
        )
        for part, count in zip(scenes, (options.batch - road, road), strict=True)
        if count
    ]
    return Pair(*(torch.cat(tensors) for tensors in zip(*pairs, strict=True)))


def _loss(estimator: EdgeEstimator, pair: Pair, options: TrainingOptions) -> Tensor:
    """L1 on the image, plus L1 on the transmission, of which the image alone is a poor teacher."""
    stride = GRID_STRIDE // THUMBNAIL_STRIDE
    estimate = estimator(pair.hazy.contiguous(memory_format=torch.channels_last))
    image_loss = (apply_grid(pair.hazy, estimate.grid(), stride) - pair.clear).abs().mean()
    target = nn.functional.avg_pool2d(pair.transmission, stride)
    transmission_loss = ((-estimate.log_gain).exp() - target).abs().mean()
    result: Tensor = image_loss + options.transmission_weight * transmission_loss
    return result


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


def _log(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
