"""An ONNX model from elsewhere, with a line that says how its pixels are laid out.

other.onnx@input=0..1                                 RGB from 0 to 1 in and out
other.onnx@mean=0.5,std=0.5,output=-1..1,multiple=16  normalised, sides multiples of 16
other.onnx@mean=0.64/0.6/0.58,std=0.14/0.15/0.152     a mean for each channel
other.onnx@order=bgr,layout=nhwc,input=0..255,output=0..255
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError, ModelError, UsageError, one_line
from dehaze.runtime.onnxruntime_session import import_onnxruntime

__all__ = ["ADAPTER_EXAMPLE", "Adapter", "ForeignOnnx", "opened_onnx", "parse_adapter"]

ADAPTER_EXAMPLE = "other.onnx@input=0..1,multiple=16"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Adapter:
    """The pixel format of a foreign model. The fields are the keys on the command line."""

    input: tuple[float, float] = (0, 1)
    """The values that 0 and 255 of a picture become, before mean and std."""
    mean: tuple[float, ...] = (0,)
    """Mean to subtract from the input, one for all channels or three in the model's order."""
    std: tuple[float, ...] = (1,)
    """Standard deviation by which the input is divided after that."""
    output: tuple[float, float] = (0, 1)
    """The output values that become 0 and 255; values outside are clipped."""
    order: str = "rgb"
    """The order of the channels, in and out: rgb or bgr."""
    layout: str = "nchw"
    """The layout of the arrays, in and out: nchw or nhwc."""
    multiple: int = 1
    """Factor of both sides; the picture is extended by reflection, and cut afterwards."""

    def array_from_frame(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB to (1, 3, H', W') or (1, H', W', 3) float32."""
        height, width = frame.shape[:2]
        bottom, right = -height % self.multiple, -width % self.multiple
        if bottom >= height or right >= width:  # a reflection without the edge has no more
            raise InputError(
                f"expected a picture of more than half of {self.multiple} pixels a side, "
                f"got {width}x{height}"
            )
        padded = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)
        if self.order == "bgr":
            padded = padded[..., ::-1]
        low, high = self.input
        values = low + padded.astype(np.float32) * np.float32((high - low) / 255)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values = (values - mean) / std
        if self.layout == "nchw":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None], np.float32)

    def frame_from_array(self, values: Any, height: int, width: int) -> NDArray[np.uint8]:
        """The model's output, padded as its input or not, to (H, W, 3) uint8 RGB; NaN is black."""
        if self.layout == "nchw" and np.ndim(values) == 4:
            values = np.transpose(values, (0, 2, 3, 1))
        shape = np.shape(values)
        padded = height + -height % self.multiple, width + -width % self.multiple
        if shape not in ((1, height, width, 3), (1, *padded, 3)):
            raise ModelError(
                f"expected a picture of {width}x{height} as {self.layout}, got {shape} after "
                f"sorting as nhwc; see layout= and multiple= of {ADAPTER_EXAMPLE}"
            )
        colours = values[0, :height, :width].astype(np.float32)
        if self.order == "bgr":
            colours = colours[..., ::-1]
        low, high = self.output
        levels = np.rint((colours - low) * (255 / (high - low)))
        return np.clip(np.nan_to_num(levels), 0, 255).astype(np.uint8)


def parse_adapter(text: str) -> Adapter:
    """`mean=0.5,std=0.5,output=-1..1` to an Adapter; what is not named keeps its default.

    Raises:
        UsageError: no such key, or a value that it cannot have.
    """
    values: dict[str, Any] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        read = _READERS.get(key)
        if read is None or key in values:
            raise UsageError(
                f"adapter {text!r}: expected each of {', '.join(_READERS)} at most once, as in "
                f"{ADAPTER_EXAMPLE}, got {part!r}"
            )
        try:
            values[key] = read(value)
        except ValueError as error:
            raise UsageError(f"adapter {text!r}: expected {error}, got {part!r}") from error
    return Adapter(**values)


def _range(text: str) -> tuple[float, float]:
    low, separator, high = text.partition("..")
    if not separator or not _is_number(low) or not _is_number(high) or float(low) >= float(high):
        raise ValueError("a range such as 0..1, -1..1 or 0..255")
    return float(low), float(high)


def _channels(text: str) -> tuple[float, ...]:
    parts = text.split("/")
    if len(parts) not in (1, 3) or not all(map(_is_number, parts)):
        raise ValueError("one number, or three as in 0.64/0.6/0.58")
    return tuple(float(part) for part in parts)


def _divisors(text: str) -> tuple[float, ...]:
    values = _channels(text)
    if min(values) <= 0:
        raise ValueError("numbers above 0")
    return values


def _choice(*choices: str) -> Any:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(" or ".join(choices))
        return text.lower()

    return read


def _multiple(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("a whole number above 0")
    return int(text)


def _is_number(text: str) -> bool:
    number = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text.strip().lower())
    return number is not None and abs(float(text)) < 1e6  # 1e400 is infinite


_READERS: dict[str, Any] = {
    "input": _range,
    "mean": _channels,
    "std": _divisors,
    "output": _range,
    "order": _choice("rgb", "bgr"),
    "layout": _choice("nchw", "nhwc"),
    "multiple": _multiple,
}


def opened_onnx(path: Path, expected: str, threads: int | None) -> Any:
    """ONNX Runtime's session of somebody's file on the CPU.

    Args:
        expected: what the file should be, for the message.
        threads: None for one per core.

    Raises:
        ModelError: no such file, or ONNX Runtime cannot load it.
    """
    if not path.is_file():
        raise ModelError(f"{path}: expected {expected}, found no such file")
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As our own session: methods that are measured in turns must not spin on each other's core.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.intra_op_num_threads = threads or 0
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common class but this
        raise ModelError(
            f"{path}: ONNX Runtime cannot load it ({one_line(error)[:160]})"
        ) from error


class ForeignOnnx:
    """A model from elsewhere in ONNX Runtime, on the CPU.

    Raises:
        ModelError: no such file, ONNX Runtime cannot load it, or it is not one picture to one.
    """

    def __init__(self, path: Path, adapter: Adapter, threads: int | None = None) -> None:
        self._path, self._adapter = path, adapter
        self._engine = opened_onnx(path, "an ONNX model", threads)
        inputs = self._engine.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            got = ", ".join(f"{item.name} {item.type}" for item in inputs)
            raise ModelError(f"{path}: expected one input of float or float16, got {got}")
        self._input = inputs[0].name
        self._type = _TYPES[inputs[0].type]

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB to the same; of several outputs the first counts."""
        values = self._adapter.array_from_frame(frame).astype(self._type, copy=False)
        try:
            result = self._engine.run(None, {self._input: values})[0]
        except Exception as error:  # as above
            expected = self._engine.get_inputs()[0].shape
            raise ModelError(
                f"{self._path}: ONNX Runtime failed on {values.shape}, the model says {expected} "
                f"({one_line(error)[-160:]}); see {ADAPTER_EXAMPLE}"
            ) from error
        return self._adapter.frame_from_array(result, *frame.shape[:2])

    def __enter__(self) -> ForeignOnnx:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine = None
