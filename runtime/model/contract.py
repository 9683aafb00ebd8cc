"""Reads the contract of a dehaze-edge model from the `metadata_props` of its ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError, ModelError

__all__ = ["FORMAT_VERSION", "ModelContract", "SizeRequirements"]

FORMAT_VERSION = "1"
"""Raised when an older runtime could no longer run a newer model file."""

_PREFIX = "dehaze."


@dataclass(frozen=True)
class SizeRequirements:
    """The frame sizes that a model takes."""

    minimum: int = 1
    """Smallest height and width in pixels."""

    def check(self, height: int, width: int) -> None:
        """Raises InputError when a frame of this size does not fit."""
        if min(height, width) < self.minimum:
            raise InputError(
                f"the model expects at least {self.minimum}x{self.minimum} pixels, "
                f"got {width}x{height}; use a larger picture"
            )


@dataclass(frozen=True)
class ModelContract:
    """A model's metadata. Its pixels are always `(N, H, W, 3) uint8 RGB`, in and out.

    In the file every field is a `metadata_props` entry of the same name after `dehaze.`.
    """

    name: str
    """The network: `edge`, `rfd-student`, ..."""
    precision: str
    """`fp32`, `fp16` or `int8`."""
    target: str
    """The engine that the graph was written for: `onnxruntime`, its Arm build (`onnxruntime-arm`)
    or `tensorrt`."""
    minimum_size: int
    """Smallest height and width in pixels."""
    parameters: int
    """Number of weights of the network in training."""
    source_sha256: str
    """Hash of the checkpoint that the model was exported from; empty for random weights."""
    grid_stride: int = 0
    """Pixels per cell of the second output, `grid`; 0 where the model has none."""
    card: str = ""
    """The model card in one line: trained on what, for how long, what it scores."""
    calibration_sha256: str = ""
    """Hash of the pictures that INT8 was calibrated on; empty for other precisions."""
    calibration: str = ""
    """The pictures that INT8 was calibrated on, the command and the day, in one line."""

    @property
    def size_requirements(self) -> SizeRequirements:
        return SizeRequirements(minimum=self.minimum_size)

    @property
    def has_grid(self) -> bool:
        """True if the model gives its estimate, so that strength and 16-bit pictures work."""
        return self.grid_stride > 0

    def to_metadata(self) -> dict[str, str]:
        """The entries to store in `metadata_props`."""
        fields = {_PREFIX + name: str(value) for name, value in vars(self).items()}
        return {_PREFIX + "format": FORMAT_VERSION, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> ModelContract:
        """Reads a contract; raises ModelError where `source` is not a dehaze-edge model."""
        version = metadata.get(_PREFIX + "format")
        if version is None:
            raise ModelError(
                f"{source}: expected a dehaze-edge model, got an ONNX file without "
                f"'{_PREFIX}format' in its metadata; make one with dehaze-export"
            )
        if version != FORMAT_VERSION:
            raise ModelError(
                f"{source}: expected model format {FORMAT_VERSION}, got {version}; "
                f"export the model again or install the matching dehaze-edge"
            )
        try:
            return cls(
                name=metadata[_PREFIX + "name"],
                precision=metadata[_PREFIX + "precision"],
                target=metadata[_PREFIX + "target"],
                minimum_size=int(metadata[_PREFIX + "minimum_size"]),
                parameters=int(metadata[_PREFIX + "parameters"]),
                source_sha256=metadata[_PREFIX + "source_sha256"],
                grid_stride=int(metadata[_PREFIX + "grid_stride"]),
                card=metadata[_PREFIX + "card"],
                calibration_sha256=metadata.get(_PREFIX + "calibration_sha256", ""),
                calibration=metadata.get(_PREFIX + "calibration", ""),
            )
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"{source}: its dehaze-edge metadata is damaged ({_field(error)}); "
                f"export the model again"
            ) from error


def _field(error: KeyError | ValueError) -> str:
    """Names what was missing or malformed."""
    return f"{error.args[0]!s} is missing" if isinstance(error, KeyError) else str(error)
