"""The calibration that ships with the weights, so that INT8 needs no pictures to begin with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from dehaze.runtime.decoding import WrongValueError, decode
from dehaze.runtime.errors import ModelError, UsageError, one_line
from dehaze.runtime.model.contract import ModelContract
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.onnxruntime_session import import_onnxruntime
from dehaze.runtime.output_file import finished_output

from ..graph.base import Target
from .calibrated import Choice, Loss, Quantise

__all__ = ["SavedCalibration", "calibration_file", "range_key", "saved_calibration"]


@dataclass(frozen=True)
class SavedCalibration:
    """A calibration as it is stored, see `Calibration`; the exports equal those on the pictures."""

    source_sha256: str
    """Hash of the checkpoint that it belongs to."""
    sha256: str
    provenance: str
    losses: dict[str, Loss]
    """By target."""
    saved_ranges: dict[str, dict[str, list[float]]]
    """By `range_key`, then by tensor: the forms of deformable convolution name their tensors
    differently."""

    def ranges(self, model: ModelProto) -> Any:
        import_onnxruntime()
        import numpy as np
        from onnxruntime.quantization import CalibrationMethod
        from onnxruntime.quantization.calibrate import TensorsData

        saved = self.saved_ranges[range_key(model)]
        pairs = {name: tuple(map(np.float32, limits)) for name, limits in saved.items()}
        return TensorsData(CalibrationMethod.MinMax, pairs)

    def choose(self, target: Target, quantise: Quantise, layers: Sequence[str]) -> Choice:
        loss = self.losses[target]
        chosen = [layer for layer in layers if layer not in loss.kept]
        return Choice(chosen, quantise(chosen), loss)

    def write(self, path: Path) -> None:
        """Writes the file; raises OutputError where it cannot be written."""
        with finished_output(path, overwrite=True) as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n")


def range_key(model: ModelProto) -> str:
    """The form of a model, `standard` or `gridsample`."""
    kinds = {node.op_type for node in model.graph.node}
    return "gridsample" if "GridSample" in kinds else "standard"


def calibration_file(name: str) -> Path:
    """The file of the shipped network `name`."""
    return MODELS_FOLDER / f"{name}.calibration.json"


def saved_calibration(contract: ModelContract) -> SavedCalibration:
    """The calibration that ships with the weights of this contract.

    Raises:
        ModelError: the file is damaged.
        UsageError: none ships with these weights.
    """
    path = calibration_file(contract.name)
    found = _read(path) if path.is_file() else None
    if found is None or found.source_sha256 != contract.source_sha256:
        theirs = f"those of weights {found.source_sha256[:8]}" if found else "none"
        ours = contract.source_sha256[:8] or "that are random"
        raise UsageError(
            f"--int8 of {contract.name} needs ranges for weights {ours}, and {theirs} ship: give "
            f"--data FOLDER with pictures that were not trained on, such as NYU Depth v2 from "
            f"https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
        )
    return found


def _read(path: Path) -> SavedCalibration:
    try:
        found: SavedCalibration = decode(json.loads(path.read_text()), SavedCalibration)
    except (OSError, ValueError, WrongValueError) as error:
        raise ModelError(
            f"{path}: expected ranges for INT8, but it is damaged ({one_line(error)}); install "
            f"dehaze-edge again, or give --data"
        ) from error
    return found
