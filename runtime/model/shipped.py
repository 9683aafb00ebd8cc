"""The models that ship inside this package, and how a `--model` argument finds its file."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelError, one_line
from .contract import ModelContract
from .metadata import metadata_from_onnx

__all__ = [
    "DEFAULT_MODEL",
    "MODELS_FOLDER",
    "TWIN_SUFFIX",
    "contract_of",
    "list_models",
    "model_bytes",
    "model_path",
]

DEFAULT_MODEL = "edge"
TWIN_SUFFIX = "-gridsample"
"""Ending of the twin of a model, beside it, for ONNX Runtime without DeformConv."""
MODELS_FOLDER = Path(__file__).parents[1] / "weights"


def list_models() -> list[str]:
    """Names of the shipped models, in alphabetical order."""
    names = (path.stem for path in MODELS_FOLDER.glob("*.onnx"))
    return sorted(name for name in names if not name.endswith(TWIN_SUFFIX))


def model_path(model: str | Path) -> Path:
    """The file behind a shipped name or a path.

    Raises:
        ModelError: neither a shipped model nor a file.
    """
    if str(model) in list_models():
        return MODELS_FOLDER / f"{model}.onnx"
    path = Path(model)
    if path.is_file():
        return path
    shipped = ", ".join(list_models()) or "none"
    raise ModelError(
        f"model {str(model)!r} is neither a file nor a shipped model ({shipped}); "
        f"see dehaze-run --list-models"
    )


def model_bytes(path: Path) -> bytes:
    """A file's content; raises ModelError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({one_line(error)})") from error


def contract_of(model: Path) -> ModelContract:
    """The contract of an ONNX file alone; raises ModelError where it is not a model of ours."""
    content = model_bytes(model)
    return ModelContract.from_metadata(metadata_from_onnx(content, str(model)), str(model))
