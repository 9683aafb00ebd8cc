"""Engines and models for TensorRT that lie beside a model, and whether they run here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DehazeError, ModelError, one_line
from ..model.contract import ModelContract
from ..model.shipped import contract_of, model_bytes
from .engine_file import (
    ENGINE_SUFFIX,
    UNKNOWN_ORIGIN,
    EngineHeader,
    parsed_engine,
    was_built_here,
)
from .host import tensorrt_host
from .plugin_library import find_plugin, needs_plugin

__all__ = ["FoundEngine", "engine_built_from", "engines_in", "tensorrt_form_of"]


@dataclass(frozen=True)
class FoundEngine:
    """An engine file in a folder."""

    path: Path
    header: EngineHeader | None
    """The engine's header; None where the file cannot be read."""
    misfit: str
    """The reason why it does not run on this machine; empty where it does."""


def engines_in(folder: Path, *, trust: bool = False) -> list[FoundEngine]:
    """The engine files of a folder, by name. Their plugin libraries are not looked for.

    Args:
        trust: whether engines that were not built here run, too.
    """
    found = []
    for path in sorted(folder.glob(f"*{ENGINE_SUFFIX}")):
        try:
            content = model_bytes(path)
            header, _ = parsed_engine(content, path)
        except DehazeError as error:
            found.append(FoundEngine(path, None, one_line(error)))
            continue
        try:
            misfit = header.mismatch(replace(header, host=tensorrt_host()))
        except ModelError as error:  # no GPU, no TensorRT
            misfit = one_line(error)
        if not (misfit or trust or was_built_here(content)):
            misfit = f"{UNKNOWN_ORIGIN}; --trust-engine runs it"
        found.append(FoundEngine(path, header, misfit))
    return found


def engine_built_from(model: Path, folder: Path, *, trust: bool = False) -> Path | None:
    """An engine of a folder that was built from this very file and runs here."""
    built = [found.path for found in _running(folder, trust) if _is_from(found, [model])]
    return built[0] if built else None


def tensorrt_form_of(model: Path, *, trust: bool = False) -> Path | None:
    """Finds what TensorRT can open in place of a model for ONNX Runtime, in the same folder.

    The same checkpoint in the same precision, or float16 for float32: an engine that runs here,
    else an ONNX file for TensorRT, from which one can be built. An engine that was built from an
    older ONNX file than the one beside it is left out.
    """
    contract = contract_of(model)
    forms = [path for path in sorted(model.parent.glob("*.onnx")) if _is_form(path, contract)]
    takes_plugin = tensorrt_host().title == "TensorRT" and find_plugin() is not None
    models = sorted(forms, key=lambda form: needs_plugin(form) != takes_plugin)
    for found in _running(model.parent, trust):
        if found.header is None or (models and not _is_from(found, models)):
            continue
        if _stands_in(found.header.contract(str(found.path)), contract):
            return found.path
    return models[0] if models else None


def _running(folder: Path, trust: bool) -> list[FoundEngine]:
    engines = engines_in(folder, trust=trust)
    return [found for found in engines if found.header is not None and not found.misfit]


def _is_from(engine: FoundEngine, models: list[Path]) -> bool:
    hashes = [hashlib.sha256(model_bytes(model)).hexdigest() for model in models]
    return engine.header is not None and engine.header.model_sha256 in hashes


def _is_form(path: Path, contract: ModelContract) -> bool:
    """Returns whether an ONNX file is a model for TensorRT that can replace another model."""
    try:
        other = contract_of(path)
    except ModelError:  # somebody else's
        return False
    return other.target == "tensorrt" and _stands_in(other, contract)


def _stands_in(other: ModelContract, contract: ModelContract) -> bool:
    same_weights = other.source_sha256 == contract.source_sha256 != ""
    precisions = {"fp32": ("fp32", "fp16")}.get(contract.precision, (contract.precision,))
    return same_weights and other.name == contract.name and other.precision in precisions
