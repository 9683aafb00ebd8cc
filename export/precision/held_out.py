"""Chooses the hazy pictures that INT8 is calibrated and measured on; training never saw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError
from dehaze.train.data.folders import open_data
from dehaze.train.validation import Example, examples_from, spread

from .calibration import CalibrationData, Picture


def load_calibration_data(folders: Sequence[str], count: int) -> CalibrationData:
    """Held-out pictures of any data that dehaze-train takes, hazed as for its validation.

    Args:
        folders: as `--data` of dehaze-train.
        count: pictures of each set.

    Raises:
        InputError: no such folder, or too little in it.
    """
    # All of them: taken in turns, both levels of a room then go to the same set.
    held_out = open_data(folders, 1, training=False).held_out
    kinds = examples_from(held_out, limit=1000)
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
        list(dict.fromkeys(collection.name for collection in held_out)),
    )


def _taken(examples: Sequence[Example], remainder: int, count: int) -> Sequence[Example]:
    """Takes every other picture, so that what calibrates is not what scores."""
    return spread(examples[remainder::2], count)


def _picture(example: Example) -> Picture:
    return Picture(_pixels(example.hazy), _pixels(example.clear))


def _pixels(planes: torch.Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = (255 * planes.float()).round().byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(pixels)[None]
