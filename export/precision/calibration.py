"""The pictures that INT8 is calibrated and measured on, and the ranges that they give."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from dehaze.runtime.onnxruntime_session import import_onnxruntime

from ..graph.passes import LAYERS


@dataclass(frozen=True)
class Picture:
    """A hazy picture at full size, with its clear one."""

    hazy: NDArray[np.uint8]
    """(1, H, W, 3) RGB."""
    clear: NDArray[np.uint8]
    """(1, H, W, 3) RGB."""


@dataclass(frozen=True)
class CalibrationData:
    """Two sets of held-out pictures that share none, and of NYU no room."""

    calibration: Sequence[Picture]
    """The ranges of activations come from these."""
    scoring: Sequence[Picture]
    """The PSNR that a precision costs is measured on these."""
    names: Sequence[str]
    """The data sets."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the pixels that calibrate."""
        digest = hashlib.sha256()
        for picture in self.calibration:
            digest.update(str(picture.hazy.shape).encode())
            digest.update(picture.hazy.tobytes())
        return digest.hexdigest()


def activation_ranges(model: onnx.ModelProto, pictures: Sequence[Picture]) -> Any:
    """Smallest and largest value of each activation over the pictures.

    Returns:
        onnxruntime's `TensorsData`, tensor name to range.
    """
    import_onnxruntime().set_default_logger_severity(3)  # it warns of the default of `strength`
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self._feeds = iter([{"image": picture.hazy} for picture in pictures])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.onnx"
        onnx.save(model, plain)
        calibrator = create_calibrator(
            plain,
            op_types_to_calibrate=[*LAYERS, "Add", "Mul", "Relu", "GlobalAveragePool"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(Reader())
        return calibrator.compute_data()
