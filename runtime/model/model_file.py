"""A model file that was read once, for all that needs its bytes or its contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .contract import ModelContract
from .metadata import metadata_from_onnx
from .shipped import model_bytes

__all__ = ["ModelFile", "read_model"]


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file of ours."""

    path: Path
    content: bytes = field(repr=False)
    contract: ModelContract


def read_model(path: Path) -> ModelFile:
    """Reads a file; raises ModelError where it cannot be read or is not a model of ours."""
    content = model_bytes(path)
    contract = ModelContract.from_metadata(metadata_from_onnx(content, str(path)), str(path))
    return ModelFile(path, content, contract)
