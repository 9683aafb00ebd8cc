"""Makes model files from a checkpoint: exports, compares, converts and describes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch

from dehaze.runtime.errors import UsageError
from dehaze.runtime.model.contract import ModelContract
from dehaze.runtime.model.shipped import TWIN_SUFFIX
from dehaze.runtime.output_file import finished_output
from dehaze.train.networks import build_network, parameter_count
from dehaze.train.networks.network import Network
from dehaze.train.run.checkpoint import load_network

from .graph.base import BaseModels, Form, Target
from .graph.comparison import Comparison, compare, speed_ratio
from .precision.convert import Calibrated, Converted, Precision, at_precision
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
    """The data that INT8 is calibrated on, as `--data` of dehaze-train."""
    pictures: int = 24
    """Number of pictures to calibrate on, and of others to measure on."""
    maximum_drop_db: float | None = 0.2
    """The PSNR in dB that INT8 may cost; None leaves the cost unmeasured."""
    validated: bool = False
    """True to measure the PSNR on the held-out pictures, whatever the precision."""


@dataclass(frozen=True)
class Exported:
    """A model file that was written."""

    path: Path
    comparison: Comparison
    """The float32 graph against torch."""
    notes: Sequence[str]
    """Sentences on what the precision costs, as measured."""


@dataclass(frozen=True)
class _Origin:
    name: str
    source_sha256: str
    card: str


def export_checkpoint(checkpoint: Path, out: Path, options: ExportOptions) -> list[Exported]:
    """Writes `NAME[-PRECISION][-TARGET].onnx` into the folder `out`, one for each target.

    Raises:
        ModelError: not a checkpoint of ours.
        GateError: a model gives something else than what it came from.
        InputError: no data to calibrate INT8 on.
        OutputError: `out` cannot be written.
    """
    network, provenance = load_network(checkpoint)
    source = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    return _export(network, _Origin(provenance["network"], source, _card(provenance)), out, options)


def export_random_weights(name: str, out: Path, options: ExportOptions) -> list[Exported]:
    """Writes an untrained network, to measure its speed; the rest as `export_checkpoint`."""
    torch.manual_seed(0)
    origin = _Origin(name, "", "random weights: for timing only")
    options = replace(options, pictures=1, maximum_drop_db=None)
    return _export(build_network(name).eval(), origin, out, options)


def _export(network: Network, origin: _Origin, out: Path, options: ExportOptions) -> list[Exported]:
    if not network.exported:
        raise UsageError(f"{origin.name} doubles clear pictures for training; it is not exported")
    if options.form == "plugin" and any(target != "tensorrt" for target in options.targets):
        raise UsageError("the plugin's node runs in TensorRT alone; add --target tensorrt")
    calibrated = Calibrated(options.data, options.pictures)
    if options.precision == "int8" or options.validated:
        _ = calibrated.data  # before minutes of work: a folder may not be there
    bases = BaseModels(network, origin.name)
    return [_write(bases, origin, out, options, target, calibrated) for target in options.targets]


def _write(
    bases: BaseModels,
    origin: _Origin,
    out: Path,
    options: ExportOptions,
    target: Target,
    calibrated: Calibrated,
) -> Exported:
    form = options.form or default_form(target)
    path = out / f"{file_stem(origin.name, options.precision, target, form)}.onnx"
    with finished_output(path, overwrite=True) as unfinished:  # before minutes of work
        converted, exported = _converted(bases, origin, path, options, target, calibrated)
        unfinished.write_bytes(converted.model.SerializeToString())
    if converted.sensitivity is not None:
        write_sensitivity(converted.sensitivity, path.with_suffix(".sensitivity.json"))
    return exported


def _converted(
    bases: BaseModels,
    origin: _Origin,
    path: Path,
    options: ExportOptions,
    target: Target,
    calibrated: Calibrated,
) -> tuple[Converted, Exported]:
    """The whole model for a target, with its contract."""
    form = options.form or default_form(target)
    network, base = bases.network, bases.model(target, form)
    comparison = compare(base, network)
    plugin = form == "plugin"
    converted = at_precision(
        base, options.precision, target, calibrated, options.maximum_drop_db, plugin=plugin
    )
    notes = [converted.note] if converted.note else []
    if options.validated:
        scoring = calibrated.data.scoring
        notes.append(
            f"{mean_psnr(converted.runnable, scoring):.2f} dB on {len(scoring)} held-out pictures"
        )
    model = converted.model
    if target == "tensorrt":
        model = for_tensorrt(model, plugin=plugin)
    contract = ModelContract(
        name=origin.name,
        precision=options.precision,
        target=target,
        minimum_size=network.minimum_size,
        parameters=parameter_count(network),
        source_sha256=origin.source_sha256,
        grid_stride=network.grid_stride,
        card="; ".join((origin.card, *notes)),
        calibration_sha256=converted.calibration_sha256,
    )
    model.producer_name = "dehaze-export"
    onnx.helper.set_model_props(model, contract.to_metadata())
    if options.precision == "int8" and target == "onnxruntime":
        notes.append(f"{speed_ratio(model, base):.2f} times as fast as float32 on this machine")
    return replace(converted, model=model), Exported(path, comparison, notes)


def default_form(target: Target) -> Form:
    """The form of deformable convolution unless the user names one."""
    return "plugin" if target == "tensorrt" else "standard"


def file_stem(name: str, precision: Precision, target: Target, form: Form) -> str:
    """The name of a model's file: what differs from the default is in it."""
    parts = [name]
    parts += [precision] if precision != "fp32" else []
    parts += [target.removeprefix("onnxruntime-")] if target != "onnxruntime" else []
    parts += ["standard"] if target == "tensorrt" and form == "standard" else []
    return "-".join(parts) + (TWIN_SUFFIX if form == "gridsample" else "")


def _machine(provenance: dict[str, Any]) -> str:
    device = provenance["device"]
    return f"{provenance['threads']} CPU threads" if device == "cpu" else f"a {device}"


def _card(provenance: dict[str, Any]) -> str:
    """One line of provenance from what dehaze-train wrote into the checkpoint."""
    if not provenance.keys() >= {"step", "seconds", "threads", "device"}:
        return "trained elsewhere: the checkpoint does not say how"
    scores = [f"{k[:-3]} {v:.2f} dB" for k, v in provenance.items() if k.endswith("_db")]
    origin = provenance.get("origins", {}).get("init")
    return (
        f"{provenance['step']} steps in {provenance['seconds'] / 60:.0f} minutes on "
        f"{_machine(provenance)}"
        + (f", from {origin}" if origin else "")
        + f"; held-out scenes at the training scale: {', '.join(scores)}; data for research"
    )
