"""The cost of a model's layers in INT8, as dehaze-export stores it beside the model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["LayerCost", "Sensitivity"]


@dataclass(frozen=True)
class LayerCost:
    """The cost of a layer in 8 bits, with the sum or ReLU after it, when all others are not."""

    layer: str
    drop_db: float
    """Mean PSNR lost against the clear pictures of the ranking; below 0 where it gains."""


@dataclass(frozen=True)
class Sensitivity:
    """The ranking of the layers, and what was chosen by it."""

    float32_db: float
    """Mean PSNR over the scoring pictures with no layer in 8 bits."""
    ranking: list[LayerCost]
    """Most costly first."""
    kept: list[str]
    """Layers that stay in higher precision."""
    drops_db: list[float]
    """The cost of INT8 in dB with 0, 1, 2, ... of the first layers of the ranking kept."""

    @property
    def drop_db(self) -> float:
        """The cost of the chosen model in dB."""
        return self.drops_db[-1]

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "drop_db": self.drop_db}, indent=1)
