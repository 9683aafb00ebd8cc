"""Checkpoints as safetensors: weights with their provenance, and the state to resume from.

Never a pickle: a checkpoint from a stranger must be safe to open. Files appear whole or not at all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dehaze.runtime.errors import ModelError
from dehaze.runtime.output_file import finished_output

from ..networks.network import Network

__all__ = ["load_network", "load_state", "save_network", "save_state"]


def save_network(path: Path, name: str, network: nn.Module, provenance: dict[str, Any]) -> None:
    """Writes weights with the network's name and where they come from."""
    _save(path, network.state_dict(), {"network": name, **provenance})


def load_network(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a checkpoint in evaluation mode, and its provenance.

    Raises:
        ModelError: not a checkpoint of ours.
    """
    from ..networks import build_network

    tensors, metadata = _load(path)
    if not isinstance(metadata.get("network"), str):
        raise ModelError(f"{path}: expected a dehaze-train checkpoint, got other safetensors")
    network = build_network(metadata["network"])
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: its weights do not fit {metadata['network']!r} of this version; train again"
        ) from error
    return network.eval(), metadata


def save_state(
    path: Path,
    parts: Mapping[str, nn.Module | None],
    optimizers: Sequence[torch.optim.Optimizer],
    progress: dict[str, Any],
) -> None:
    """Writes everything that resuming needs into one file, so that it is never half new.

    Args:
        parts: the networks to store, by name; None for those that this run does not have.
    """
    tensors: dict[str, Tensor] = {}
    for part, module in parts.items():
        if module is not None:
            tensors |= {f"{part}.{k}": v for k, v in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer{number}.{index}.{k}": v for k, v in state.items()}
    _save(path, tensors, progress)


def load_state(
    path: Path,
    parts: Mapping[str, nn.Module | None],
    optimizers: Sequence[torch.optim.Optimizer],
) -> dict[str, Any]:
    """Restores what `save_state` wrote; returns its `progress`.

    Raises:
        ModelError: the file is damaged, or of another version or another set of losses.
    """
    tensors, progress = _load(path)
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in tensors.items():
        group, _, name = key.partition(".")
        groups[group][name] = value
    try:
        for part, module in parts.items():
            if module is not None:
                module.load_state_dict(groups[part])
        for number, optimizer in enumerate(optimizers):
            _load_optimizer(optimizer, groups[f"optimizer{number}"])
    except (LookupError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: its state does not fit this run; give another --out") from error
    return progress


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    states: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        states[int(index)][name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            # In the parameter's own layout: AdamW's fused step reads both in memory order.
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    # Cloned: safetensors refuses tensors that share memory, and wants them dense.
    dense = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    with finished_output(path, overwrite=True) as unfinished:
        save_file(dense, unfinished, {k: json.dumps(v) for k, v in metadata.items()})


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no dict
            metadata = {k: json.loads(v) for k, v in (file.metadata() or {}).items()}
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such checkpoint; make one with dehaze-train") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"{path}: expected a dehaze-train checkpoint in safetensors") from error
    return tensors, metadata
