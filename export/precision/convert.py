"""The same model in FP16 or INT8, measured against the float32 one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

from onnx import ModelProto

from dehaze.runtime.errors import GateError
from dehaze.runtime.model.sensitivity import Sensitivity

from ..graph.base import Target
from ..graph.comparison import psnr_between
from ..graph.passes import copied, fold_norms
from .calibration import CalibrationData, activation_ranges, load_calibration_data
from .half import half_precision
from .quantisation import Scheme, quantisable_layers, quantised
from .sensitivity import choose_layers, mean_psnr

Precision = Literal["fp32", "fp16", "int8"]

MINIMUM_HALF_DB = 55.0
"""PSNR between the results in FP16 and in float32, at least; both are rounded to bytes.

A fifth of the bytes may be one level off. The student for real haze is at 57 dB on the smooth ramp
that is compared here, and at 62 to 93 dB on photographs; a layer that leaves the range of half
precision falls far below."""
SCHEMES: dict[Target, Scheme] = {
    "onnxruntime": "u8s8",
    "onnxruntime-arm": "s8s8",
    "tensorrt": "tensorrt",
}


@dataclass(frozen=True)
class Converted:
    """A model in another precision."""

    model: ModelProto
    runnable: ModelProto
    """The same with DeformConv in float32, where `model` will have the plugin's node, which takes
    data in float16: what ONNX Runtime can run and is measured."""
    note: str = ""
    """The cost of the precision, in a few words."""
    calibration_sha256: str = ""
    sensitivity: Sensitivity | None = None


@dataclass
class Calibrated:
    """The calibration of a network, made once, when first needed, for all targets."""

    folders: Sequence[str]
    count: int
    _ranges: Any = None

    @cached_property
    def data(self) -> CalibrationData:
        return load_calibration_data(self.folders, self.count)

    def ranges(self, model: ModelProto) -> Any:
        """The ranges of the network's activations; other targets' models have the same."""
        if self._ranges is None:
            self._ranges = activation_ranges(model, self.data.calibration)
        return self._ranges


def at_precision(
    base: ModelProto,
    precision: Precision,
    target: Target,
    calibrated: Calibrated,
    maximum_drop_db: float | None,
    *,
    plugin: bool,
) -> Converted:
    """Converts `base`, which stays as it is.

    Args:
        maximum_drop_db: what INT8 may cost in PSNR; None for untrained weights, whose result is
            nothing to measure: all layers are quantised then.
        plugin: see `half_precision`. What is measured is the same model with DeformConv.

    Raises:
        GateError: the precision costs more than it may.
        InputError: no data to calibrate on.
    """
    if precision == "fp16":
        return _half(base, plugin)
    if precision == "int8":
        return _eight_bit(base, target, calibrated, maximum_drop_db, plugin)
    return Converted(base, base)


def _half(base: ModelProto, plugin: bool) -> Converted:
    folded = copied(base)
    fold_norms(folded)  # 3 dB closer than with norms in half precision
    model = half_precision(folded)
    psnr = psnr_between(model, base)
    if psnr < MINIMUM_HALF_DB:
        raise GateError(
            f"expected FP16 at least {MINIMUM_HALF_DB:g} dB from float32, got {psnr:.1f} dB; "
            f"a layer leaves the range of half precision: export without --fp16"
        )
    note = f"FP16 {psnr:.1f} dB from float32"
    return Converted(half_precision(folded, plugin=True) if plugin else model, model, note)


def _eight_bit(
    base: ModelProto,
    target: Target,
    calibrated: Calibrated,
    maximum_drop_db: float | None,
    plugin: bool,
) -> Converted:
    folded = copied(base)
    fold_norms(folded)
    data, ranges, scheme = calibrated.data, calibrated.ranges(folded), SCHEMES[target]
    tensorrt = target == "tensorrt"

    def quantise(layers: Collection[str], *, plugin: bool = False) -> ModelProto:
        model = quantised(folded, ranges, scheme, layers)
        # What is not in 8 bits should not fall back to 32 there.
        return half_precision(model, plugin=plugin) if tensorrt else model

    layers, sensitivity = quantisable_layers(folded, scheme), None
    if maximum_drop_db is None:
        chosen, runnable = layers, quantise(layers)
        note = f"INT8 in all of {len(layers)} layers, not measured"
    else:
        score = partial(mean_psnr, as_written=tensorrt)
        runnable, sensitivity = choose_layers(
            quantise, layers, score, data.scoring, maximum_drop_db
        )
        chosen = [layer for layer in layers if layer not in sensitivity.kept]
        note = (
            f"INT8 loses {sensitivity.drop_db:.3f} of {sensitivity.float32_db:.2f} dB on "
            f"{len(data.scoring)} held-out pictures, {len(sensitivity.kept)} of {len(layers)} "
            f"layers in higher precision"
        )
    model = quantise(chosen, plugin=True) if plugin else runnable
    return Converted(model, runnable, note, data.sha256, sensitivity)
