"""Makes the calibration that ships with the weights; the two model files must be up to date.

    python -m dehaze.export.calibrate_shipped --data data/nyu

It writes runtime/weights/edge.calibration.json: the ranges of all activations in both forms of
deformable convolution, and for each target the layers that stay in higher precision.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import get_args

import numpy as np

from dehaze.runtime.command import run_command
from dehaze.runtime.model.shipped import DEFAULT_MODEL, contract_of, model_path

from .graph.base import BaseModels, Form, Target
from .graph.passes import fold_norms
from .graph.shipped_models import ShippedModels
from .model_file import ExportOptions
from .precision.calibrated import OnPictures
from .precision.calibration import activation_ranges
from .precision.convert import at_precision
from .precision.saved_calibration import SavedCalibration, calibration_file, range_key

__all__ = ["made_calibration", "main"]

FORMS: tuple[Form, ...] = ("standard", "gridsample")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dehaze.export.calibrate_shipped")
    parser.add_argument("--data", action="append", required=True, metavar="FOLDER")
    options = parser.parse_args(arguments)
    return run_command("calibrate_shipped", lambda: _run(options.data), "nothing was written")


def _run(folders: Sequence[str]) -> None:
    data = [word for folder in folders for word in ("--data", folder)]
    command = shlex.join(["python", "-m", "dehaze.export.calibrate_shipped", *data])
    pictures = OnPictures(folders, ExportOptions.pictures, ExportOptions.maximum_drop_db, command)
    contract = contract_of(model_path(DEFAULT_MODEL))
    made = made_calibration(ShippedModels(DEFAULT_MODEL), contract.source_sha256, pictures)
    path = calibration_file(DEFAULT_MODEL)
    made.write(path)
    for target, loss in made.losses.items():
        kept = f"{len(loss.kept)} layers in higher precision"
        print(f"{path.name}: {target} loses {loss.drop_db:.3f} dB, {kept}; {made.provenance}")


def made_calibration(
    bases: BaseModels, source_sha256: str, pictures: OnPictures
) -> SavedCalibration:
    """What exports of a network on these pictures would find out, for all targets and forms.

    Args:
        source_sha256: hash of the network's checkpoint.

    Raises:
        GateError: a target for which not even one layer can be in 8 bits.
    """
    ranges: dict[str, dict[str, list[float]]] = {}
    for form in FORMS:
        folded = bases.model("onnxruntime", form)
        fold_norms(folded)
        found = activation_ranges(folded, pictures.data.calibration)
        ranges[range_key(folded)] = {
            name: [np.asarray(limit).item() for limit in found[name].range_value] for name in found
        }
    losses = {}
    for target in get_args(Target):
        base = bases.model(target, "standard")
        converted = at_precision(base, "int8", target, pictures, plugin=False)
        assert converted.choice and converted.choice.loss  # measured, or a GateError
        losses[target] = converted.choice.loss
    return SavedCalibration(source_sha256, pictures.sha256, pictures.provenance, losses, ranges)


if __name__ == "__main__":
    sys.exit(main())
