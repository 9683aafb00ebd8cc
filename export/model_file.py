"""Makes model files from a network's float32 models: converts, measures and describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import onnx

from dehaze.runtime.errors import UsageError
from dehaze.runtime.model.contract import ModelContract
from dehaze.runtime.model.shipped import TWIN_SUFFIX
from dehaze.runtime.output_file import finished_output

from .graph.base import BaseModels, Form, Target, default_form
from .graph.comparison import speed_ratio
from .precision.calibrated import Calibration, OnPictures
from .precision.convert import Converted, Precision, at_precision
from .precision.saved_calibration import saved_calibration
from .precision.sensitivity import mean_psnr, write_sensitivity
from .trt.form import for_tensorrt


@dataclass(frozen=True)
class ExportOptions:
    """The options for the model files that are made of a network."""

    precision: Precision = "fp32"
    targets: Sequence[Target] = ("onnxruntime",)
    form: Form | None = None
    """The form of deformable convolution; None takes the plugin for TensorRT, else standard."""
    data: Sequence[str] = ()
    """The data that INT8 is calibrated on, as `--data` of dehaze-train; empty for the ranges that
    came along with the shipped weights."""
    pictures: int = 24
    """Number of pictures to calibrate on, and of others to measure on."""
    maximum_drop_db: float = 0.2
    """The PSNR in dB that INT8 may cost; that of random weights is not measured."""
    validated: bool = False
    """True to measure the PSNR on the held-out pictures, whatever the precision."""
    command: str = ""
    """The command line, for the calibration's provenance."""


class Origin(NamedTuple):
    """What an export starts from."""

    bases: BaseModels
    contract: ModelContract
    """That of the model in float32 for ONNX Runtime."""


@dataclass(frozen=True)
class Exported:
    """A model file that was written."""

    path: Path
    notes: Sequence[str]
    """Where it comes from, and what the precision costs, as measured."""


def export_models(origin: Origin, out: Path, options: ExportOptions) -> list[Exported]:
    """Writes `NAME[-PRECISION][-TARGET].onnx` into the folder `out`, one for each target.

    Raises:
        GateError: a model gives something else than what it came from.
        InputError: no data to calibrate INT8 on.
        OutputError: `out` cannot be written.
        UsageError: INT8 without data of weights that do not ship.
    """
    if options.form == "plugin" and any(target != "tensorrt" for target in options.targets):
        raise UsageError("the plugin's node runs in TensorRT alone; add --target tensorrt")
    calibration = _calibration(origin, options)
    return [_write(origin, out, options, target, calibration) for target in options.targets]


def _calibration(origin: Origin, options: ExportOptions) -> Calibration | None:
    """The calibration that INT8 or a validation needs, before minutes of work."""
    if options.data and (options.precision == "int8" or options.validated):
        trained = bool(origin.contract.source_sha256)
        return OnPictures(
            options.data,
            options.pictures if trained else 1,
            options.maximum_drop_db if trained else None,
            options.command,
        )
    return saved_calibration(origin.contract) if options.precision == "int8" else None


def _write(
    origin: Origin,
    out: Path,
    options: ExportOptions,
    target: Target,
    calibration: Calibration | None,
) -> Exported:
    form = options.form or default_form(target)
    path = out / f"{file_stem(origin.contract.name, options.precision, target, form)}.onnx"
    with finished_output(path, overwrite=True) as unfinished:  # before minutes of work
        converted, notes = _converted(origin, options, target, calibration)
        unfinished.write_bytes(converted.model.SerializeToString())
    if converted.choice and converted.choice.sensitivity:
        write_sensitivity(converted.choice.sensitivity, path.with_suffix(".sensitivity.json"))
    return Exported(path, notes)


def _converted(
    origin: Origin, options: ExportOptions, target: Target, calibration: Calibration | None
) -> tuple[Converted, list[str]]:
    """The whole model for a target with its contract, and what is to be said of it."""
    form = options.form or default_form(target)
    base = origin.bases.model(target, form)
    source = origin.bases.origin_of(base)
    plugin = form == "plugin"
    converted = at_precision(base, options.precision, target, calibration, plugin=plugin)
    notes = [converted.note] if converted.note else []
    if options.validated and isinstance(calibration, OnPictures):
        scoring = calibration.data.scoring
        notes.append(
            f"{mean_psnr(converted.runnable, scoring):.2f} dB on {len(scoring)} held-out pictures"
        )
    model = converted.model
    if target == "tensorrt":
        model = for_tensorrt(model, plugin=plugin)
    quantised = options.precision == "int8" and calibration is not None
    contract = replace(
        origin.contract,
        precision=options.precision,
        target=target,
        card="; ".join((origin.contract.card, *notes)),
        calibration_sha256=calibration.sha256 if quantised and calibration else "",
        calibration=calibration.provenance if quantised and calibration else "",
    )
    model.producer_name = "dehaze-export"
    onnx.helper.set_model_props(model, contract.to_metadata())
    if options.precision == "int8" and target == "onnxruntime":
        notes.append(f"{speed_ratio(model, base):.2f} times as fast as float32 on this machine")
    return replace(converted, model=model), [source, *notes]


def file_stem(name: str, precision: Precision, target: Target, form: Form) -> str:
    """The name of a model's file: what differs from the default is in it."""
    parts = [name]
    parts += [precision] if precision != "fp32" else []
    parts += [target.removeprefix("onnxruntime-")] if target != "onnxruntime" else []
    parts += ["standard"] if target == "tensorrt" and form == "standard" else []
    return "-".join(parts) + (TWIN_SUFFIX if form == "gridsample" else "")
