"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from dehaze.runtime.errors import UsageError

from .edge import Edge
from .rfd_student import RfdStudent

NETWORKS: dict[str, Callable[[], nn.Module]] = {"edge": Edge, "rfd-student": RfdStudent}


def build_network(name: str) -> nn.Module:
    """A network with fresh weights: (N, 3, H, W) RGB in [0, 1] to the same.

    Raises:
        UsageError: no such network.
    """
    if name not in NETWORKS:
        raise UsageError(f"no network named {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def parameter_count(network: nn.Module) -> int:
    """Number of trained weights."""
    return sum(parameter.numel() for parameter in network.parameters())
