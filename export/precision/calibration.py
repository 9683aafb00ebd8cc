"""Chooses the hazy pictures that INT8 is calibrated and measured on; training never saw them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError
from dehaze.runtime.onnxruntime_session import import_onnxruntime
from dehaze.train.data.folders import open_data
from dehaze.train.validation import Example, examples_from, spread

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

    @property
    def sha256(self) -> str:
        """SHA-256 of the pixels that calibrate."""
        digest = hashlib.sha256()
        for picture in self.calibration:
            digest.update(str(picture.hazy.shape).encode())
            digest.update(picture.hazy.tobytes())
        return digest.hexdigest()


def load_calibration_data(folders: Sequence[str], count: int) -> CalibrationData:
    """Held-out pictures of any data that dehaze-train takes, hazed as for its validation.

    Args:
        folders: as `--data` of dehaze-train.
        count: pictures of each set.

    Raises:
        InputError: no such folder, or too little in it.
    """
    # All of them: taken in turns, both levels of a room then go to the same set.
    kinds = examples_from(open_data(folders, 1, training=False).held_out, limit=1000)
    scored = [
        example
        for kind, examples in kinds.items()
        if kind != "clear"  # clear pictures only calibrate
        for example in _taken(examples, 0, count)
    ]
    calibrating = [example for kind in kinds.values() for example in _taken(kind, 1, count)]
    if not scored or not calibrating:
        raise InputError(
            f"{', '.join(folders)}: expected hazy pictures, or clear ones with depth, to calibrate "
            f"on, got too few; name other data with --data"
        )
    return CalibrationData(
        [_picture(example) for example in spread(calibrating, count)],
        [_picture(example) for example in spread(scored, count)],
    )


def _taken(examples: Sequence[Example], remainder: int, count: int) -> Sequence[Example]:
    """Takes every other picture, so that what calibrates is not what scores."""
    return spread(examples[remainder::2], count)


def _picture(example: Example) -> Picture:
    return Picture(_pixels(example.hazy), _pixels(example.clear))


def _pixels(planes: torch.Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (255 * planes.float()).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels)[None]


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
