"""What calibrating a network for INT8 gives: ranges of activations, and layers to leave alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from onnx import ModelProto

from dehaze.runtime.model.sensitivity import Sensitivity

from ..graph.base import Target
from .calibration import activation_ranges
from .sensitivity import choose_layers, mean_psnr

if TYPE_CHECKING:
    from .calibration import CalibrationData

__all__ = ["Calibration", "Choice", "Loss", "OnPictures", "Quantise"]

Quantise = Callable[[Collection[str]], ModelProto]
"""Makes the model with these layers in 8 bits."""


@dataclass(frozen=True)
class Loss:
    """The cost of INT8 on the pictures that were held out for measuring it."""

    float32_db: float
    """Mean PSNR with no layer in 8 bits."""
    drop_db: float
    """The mean PSNR that INT8 loses; below 0 where it gains."""
    pictures: int
    kept: list[str]
    """The layers that stay in higher precision."""


class Choice(NamedTuple):
    """The layers that compute in 8 bits, and why."""

    layers: Sequence[str]
    model: ModelProto
    """The model with these layers in 8 bits."""
    loss: Loss | None = None
    """None where it was not measured."""
    sensitivity: Sensitivity | None = None
    """The ranking; None where it was not made now."""


class Calibration(Protocol):
    """A calibration of one network, for all its targets."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the pixels that calibrated."""
        ...

    @property
    def provenance(self) -> str:
        """The data, the command and the day, in one line."""
        ...

    def ranges(self, model: ModelProto) -> Any:
        """onnxruntime's `TensorsData`, tensor name to range, for a model with folded norms."""
        ...

    def choose(self, target: Target, quantise: Quantise, layers: Sequence[str]) -> Choice:
        """Chooses some of the quantisable `layers` of the model for a target.

        Raises:
            GateError: not even one layer can be in 8 bits.
        """
        ...


@dataclass
class OnPictures:
    """A calibration on held-out pictures, made once, when first needed, for all targets."""

    folders: Sequence[str]
    count: int
    maximum_drop_db: float | None
    """What INT8 may cost in PSNR; None for untrained weights, whose result is nothing to measure:
    all layers are quantised then."""
    command: str = ""
    _ranges: Any = None

    def __post_init__(self) -> None:
        _ = self.data  # before minutes of work: a folder may not be there

    @cached_property
    def data(self) -> CalibrationData:
        from .held_out import load_calibration_data

        return load_calibration_data(self.folders, self.count)

    @property
    def sha256(self) -> str:
        return self.data.sha256

    @property
    def provenance(self) -> str:
        day = datetime.now(timezone.utc).date().isoformat()
        about = f"{len(self.data.calibration)} held-out pictures of {', '.join(self.data.names)}"
        return "; ".join(filter(None, (about, self.command, day)))

    def ranges(self, model: ModelProto) -> Any:
        if self._ranges is None:  # other targets' models have the same
            self._ranges = activation_ranges(model, self.data.calibration)
        return self._ranges

    def choose(self, target: Target, quantise: Quantise, layers: Sequence[str]) -> Choice:
        if self.maximum_drop_db is None:
            return Choice(layers, quantise(layers))
        # TensorRT does not rewrite the graph as ONNX Runtime does.
        score = partial(mean_psnr, as_written=target == "tensorrt")
        scoring = self.data.scoring
        model, found = choose_layers(quantise, layers, score, scoring, self.maximum_drop_db)
        loss = Loss(found.float32_db, found.drop_db, len(scoring), found.kept)
        return Choice([layer for layer in layers if layer not in found.kept], model, loss, found)
