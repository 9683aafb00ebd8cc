"""The same model in FP16 or INT8, measured against the float32 one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from onnx import ModelProto

from dehaze.runtime.errors import GateError

from ..graph.base import Target
from ..graph.comparison import psnr_between
from ..graph.passes import copied, fold_norms
from .calibrated import Calibration, Choice
from .half import half_precision
from .quantisation import Scheme, quantisable_layers, quantised

Precision = Literal["fp32", "fp16", "int8"]

MINIMUM_HALF_DB = 60.0
"""PSNR between the results in FP16 and in float32, at least; both are rounded to bytes.

A fifteenth of the bytes may be one level off; a layer that leaves the range of half precision
falls far below."""
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
    choice: Choice | None = None
    """The layers in 8 bits; None for other precisions."""


def at_precision(
    base: ModelProto,
    precision: Precision,
    target: Target,
    calibration: Calibration | None,
    *,
    plugin: bool,
) -> Converted:
    """Converts `base`, which stays as it is.

    Args:
        calibration: what INT8 needs; None for other precisions.
        plugin: see `half_precision`. What is measured is the same model with DeformConv.

    Raises:
        GateError: the precision costs more than it may.
    """
    if precision == "fp16":
        return _half(base, plugin)
    if precision == "int8":
        assert calibration is not None
        return _eight_bit(base, target, calibration, plugin)
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
    base: ModelProto, target: Target, calibration: Calibration, plugin: bool
) -> Converted:
    folded = copied(base)
    fold_norms(folded)
    ranges, scheme = calibration.ranges(folded), SCHEMES[target]

    def quantise(layers: Collection[str], *, plugin: bool = False) -> ModelProto:
        model = quantised(folded, ranges, scheme, layers)
        # What is not in 8 bits should not fall back to 32 there.
        return half_precision(model, plugin=plugin) if target == "tensorrt" else model

    layers = quantisable_layers(folded, scheme)
    choice = calibration.choose(target, quantise, layers)
    if (loss := choice.loss) is None:
        note = f"INT8 in all of {len(layers)} layers, not measured"
    else:
        note = (
            f"INT8 loses {loss.drop_db:.3f} of {loss.float32_db:.2f} dB on {loss.pictures} "
            f"held-out pictures, {len(loss.kept)} of {len(layers)} layers in higher precision"
        )
    model = quantise(choice.layers, plugin=True) if plugin else choice.model
    return Converted(model, choice.model, note, choice)
