"""What there is to train on: pictures on the CPU, one scene at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


class Item(NamedTuple):
    """One scene or pair at the training scale, on the CPU."""

    clear: Tensor
    """(3, h, w) uint8 RGB."""
    depth: Tensor | None
    """(1, h, w) float16, from which haze is made."""
    hazy: Tensor | None
    """(3, h, w) uint8 RGB, given instead of depth."""
    scattering: tuple[float, float] = (0.0, 0.0)
    """Range of the scattering coefficient per unit of `depth`."""
    airlight: tuple[float, float] | None = None
    """Range of the airlight, if it is not the recipe's."""


class Source(Protocol):
    """Pictures to train on."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Item: ...

    def split(self, held_out: int) -> tuple[Source, Source]:
        """(all but the last `held_out` clear scenes, those)."""
        ...


@dataclass(frozen=True)
class Share:
    """A source and its share of a batch."""

    source: Source
    share: float
