"""One step of a training: losses, gradients, optimisers, and the average of the weights.

A step of a small network is a thousand small kernels, which Python starts more slowly than a GPU
runs them. So on a GPU the whole step, from cutting out the crops to averaging the weights, is
recorded as a CUDA graph, once for each size of crop, and replayed with other random numbers.
"""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dehaze.runtime.errors import GateError, one_line

from .data.batches import Batches, Draw
from .data.haze import Pair
from .muon import Muon
from .networks.network import Network
from .objective import Objective
from .recipe import Recipe

WARM_UP = 3
"""Steps of a size that are made before it is recorded, as CUDA graphs ask for."""
LOOK_EVERY = 100
"""Replayed steps between two looks at whether all was finite; a look waits for the GPU."""

Losses = dict[str, Tensor]


@dataclass
class _Recorded:
    """A size of crop: how often it was met, and then its graph."""

    met: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    inputs: list[Tensor] = field(default_factory=list)
    losses: Losses = field(default_factory=dict)


class Step:
    """Makes the steps of a training.

    Args:
        objective: the network with its losses.
        joined: the same, as the processes share it.
        average: the copy of the network that gets the averaged weights.
        optimizers: of `optimizers_of`, whose states are restored already.
        recorded: True to record and replay the steps: one process on a GPU.
    """

    def __init__(
        self,
        objective: Objective,
        joined: nn.Module,
        average: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        recipe: Recipe,
        batches: Batches,
        *,
        recorded: bool,
    ) -> None:
        self._objective, self._joined = objective, joined
        self._optimizers, self._recipe, self._batches = optimizers, recipe, batches
        self._rates = [float(optimizer.defaults["lr"]) for optimizer in optimizers]
        self._recording, self._number = recorded, 0
        self._sizes: dict[tuple[int, bool], _Recorded] = {}
        current = objective.network.state_dict()
        pairs = [(mean, current[name]) for name, mean in average.state_dict().items()]
        self._averages = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        device = self._averages[0][0].device
        self._share = torch.zeros((), device=device)
        """How far the average goes towards the weights of now."""
        self._finite = torch.ones((), dtype=torch.bool, device=device)

    def make(self, number: int, crop: int, schedule: float) -> Losses:
        """Makes a step.

        Args:
            number: of the step, from 0.
            crop: side of the crops in training pixels.
            schedule: factor on the learning rates.

        Returns:
            Each loss, weighted, and their sum as `loss`; overwritten by the next step.

        Raises:
            GateError: a gradient is not finite; it did not reach the weights. In replayed steps it
                may have, see `require_finite`.
        """
        self._number = number
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            _set_rate(optimizer, schedule * rate)
        self._share.fill_(1 - min(self._recipe.average_decay, (2 + number) / (11 + number)))
        if not self._recording:
            return self._train(self._batches.pair(number, crop))
        if number % LOOK_EVERY == 0:
            self.require_finite(number)
        return self._replayed(self._batches.draw(number, crop))

    def require_finite(self, number: int) -> None:
        """Checks all steps up to this one; to be called before anything is written.

        Raises:
            GateError: a gradient was not finite.
        """
        self._require_finite(f"a step before {number}")

    def _require_finite(self, where: str) -> None:
        if not self._finite:
            raise GateError(
                f"the gradient of {where} is not finite; what was written before is whole: try a "
                "lower learning rate or --set precision=float32"
            )

    def _train(self, pair: Pair) -> Losses:
        losses: Losses = self._joined(pair)
        self._objective.zero_grad()
        losses["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self._objective.parameters(), self._recipe.gradient_norm)
        self._finite.logical_and_(norm.isfinite())
        if not self._recording:
            self._require_finite(f"step {self._number}")
        for optimizer in self._optimizers:
            optimizer.step()
        self._update_average()
        return losses

    def _replayed(self, draw: Draw) -> Losses:
        size = self._sizes.setdefault((draw.side, draw.halved), _Recorded())
        if size.graph is not None:
            torch._foreach_copy_(size.inputs, draw.tensors())
            size.graph.replay()
            return size.losses
        if size.met < WARM_UP:
            size.met += 1
            return self._warmed_up(draw)
        try:
            self._record(size, draw)
        except RuntimeError as error:
            warnings.warn(
                f"the steps are not recorded as CUDA graphs, and slower: {one_line(error)[:200]}",
                stacklevel=2,
            )
            self._recording = False
            return self._train(self._batches.made(draw))
        return self._replayed(draw)

    def _warmed_up(self, draw: Draw) -> Losses:
        """A step on a stream of its own, before it is recorded."""
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            losses = self._train(self._batches.made(draw))
        current.wait_stream(side)
        return losses

    def _record(self, size: _Recorded, draw: Draw) -> None:
        size.inputs = [tensor.clone() for tensor in draw.tensors()]
        static = draw.replaced(size.inputs)
        self._objective.zero_grad()  # so that the graph has gradients of its own
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            size.losses = self._train(self._batches.made(static))
        size.graph = graph

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of the weights and of the statistics that belong to them."""
        means, current = map(list, zip(*self._averages, strict=True))
        ways = torch._foreach_sub(current, means)
        torch._foreach_mul_(ways, self._share)
        torch._foreach_add_(means, ways)
        for mean, count in self._counts:
            mean.copy_(count)


def prepared(
    objective: Objective, recipe: Recipe, device: torch.device, *, compiled: bool
) -> Network:
    """Gets an objective ready to train on a device; returns the copy for the averaged weights."""
    network = objective.to(device).network
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not annotated
    low = recipe.precision == "bfloat16" or (recipe.precision == "auto" and device.type == "cuda")
    objective.autocast = torch.autocast(device.type, torch.bfloat16, enabled=low)
    # One graph for each size of crop: torch 2.13 cannot compile `padded` for all sizes at once.
    predict = network.predict
    objective.predict = torch.compile(predict, dynamic=False) if compiled else predict
    return copy.deepcopy(network).eval()


def optimizers_of(objective: Objective, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon or AdamW for kernels; norms, biases and mixup factors do not decay."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    kernels = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 1]
    others = [p for p in trained if not (p.ndim == 4 and min(p.shape[:2]) > 1)]
    gpu = trained[0].is_cuda

    def rate(value: float) -> float | Tensor:
        return torch.tensor(value, device=trained[0].device) if gpu else value

    def adam(parameters: list[nn.Parameter], decay: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            rate(recipe.learning_rate),
            recipe.adam_betas,
            weight_decay=decay,
            fused=True,
            capturable=gpu,
        )

    if recipe.optimizer == "muon":
        muon = Muon(kernels, rate(recipe.muon_learning_rate), weight_decay=recipe.weight_decay)
        return [adam(others, 0.0), muon]
    return [adam(others, 0.0), adam(kernels, recipe.weight_decay)]


def schedule(step: int, elapsed: float, warmup_steps: int) -> float:
    """Linear warm-up, then half a cosine down to a hundredth.

    Args:
        elapsed: the share of the run that is over, 0 to 1.
    """
    warmup = min(1.0, (step + 1) / max(warmup_steps, 1))
    return warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * elapsed)))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    group = optimizer.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
