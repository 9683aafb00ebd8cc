"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from dehaze.runtime.errors import UsageError

from .aecr_net import AecrNet
from .edge import Edge
from .ffa_net import FfaNet
from .network import Network
from .sr_teacher import SrTeacher

NETWORKS: dict[str, Callable[[], Network]] = {
    "edge": Edge,
    "edge-teacher": partial(Edge, width=48),
    "rfd-student": partial(FfaNet, width=16, blocks=6),
    "ffa-net": partial(FfaNet, width=64, blocks=19),
    "aecr-net": AecrNet,
    "sr-teacher": SrTeacher,
}


def build_network(name: str) -> Network:
    """A network with fresh weights: (N, 3, H, W) RGB in [0, 1] to the same.

    Only `sr-teacher` gives twice the size.

    Raises:
        UsageError: no such network.
    """
    if name not in NETWORKS:
        raise UsageError(f"no network named {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def parameter_count(network: nn.Module) -> int:
    """Number of trained weights."""
    return sum(parameter.numel() for parameter in network.parameters())
