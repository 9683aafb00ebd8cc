"""What a torch network gives an export to start from: its models, and what is known of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from dehaze.runtime.errors import UsageError
from dehaze.runtime.model.contract import ModelContract
from dehaze.train.networks import build_network, parameter_count
from dehaze.train.networks.network import Network
from dehaze.train.run.checkpoint import load_network

from .graph.network_models import NetworkModels
from .model_file import Origin

__all__ = ["checkpoint_origin", "random_origin"]


def checkpoint_origin(checkpoint: Path) -> Origin:
    """A trained network.

    Raises:
        ModelError: not a checkpoint of ours.
        UsageError: a network that only guides a training.
    """
    network, provenance = load_network(checkpoint)
    source = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    return _origin(network, provenance["network"], source, _card(provenance))


def random_origin(name: str) -> Origin:
    """An untrained network, to measure its speed; raises UsageError as `checkpoint_origin`."""
    torch.manual_seed(0)
    return _origin(build_network(name).eval(), name, "", "random weights: for timing only")


def _origin(network: Network, name: str, source_sha256: str, card: str) -> Origin:
    if not network.exported:
        raise UsageError(f"{name} doubles clear pictures for training; it is not exported")
    contract = ModelContract(
        name=name,
        precision="fp32",
        target="onnxruntime",
        minimum_size=network.minimum_size,
        parameters=parameter_count(network),
        source_sha256=source_sha256,
        grid_stride=network.grid_stride,
        card=card,
    )
    return Origin(NetworkModels(network, name), contract)


def _machine(provenance: dict[str, Any]) -> str:
    device = provenance["device"]
    return f"{provenance['threads']} CPU threads" if device == "cpu" else f"a {device}"


def _card(provenance: dict[str, Any]) -> str:
    """One line of provenance from what dehaze-train wrote into the checkpoint."""
    scores = [f"{k[:-3]} {v:.2f} dB" for k, v in provenance.items() if k.endswith("_db")]
    if "parts" in provenance:
        made = f"the mean of {len(provenance['parts'])} checkpoints"
    elif provenance.keys() >= {"step", "seconds", "threads", "device"}:
        minutes = provenance["seconds"] / 60
        made = f"{provenance['step']} steps in {minutes:.0f} minutes on {_machine(provenance)}"
        origin = provenance.get("origins", {}).get("init")
        made += f", from {origin}" if origin else ""
    else:
        return "trained elsewhere: the checkpoint does not say how"
    return f"{made}; held-out scenes at the training scale: {', '.join(scores)}; data for research"
