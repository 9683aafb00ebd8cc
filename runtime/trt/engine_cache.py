"""Engines: a model built by TensorRT for one machine, and a cache of them beside the model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import EngineMismatchError, ModelError, UsageError
from ..model.contract import ModelContract
from ..model.metadata import metadata_from_onnx
from ..model.shipped import model_bytes
from ..output_file import finished_output
from .engine_file import (
    ENGINE_SUFFIX,
    UNKNOWN_ORIGIN,
    EngineHeader,
    engine_bytes,
    note_built_here,
    parsed_engine,
    was_built_here,
)
from .host import TensorRTHost, building_host, tensorrt_host
from .options import LIBRARIES, EngineOptions
from .plugin_library import LIBRARY, form_without_plugin, needs_plugin

__all__ = [
    "CachedEngine",
    "build_command",
    "buildable_form",
    "builder_of",
    "cached_engine",
    "engine_from_onnx",
    "load_engine",
]


@dataclass(frozen=True)
class CachedEngine:
    """An engine that fits this machine, the model and the options."""

    path: Path
    built_because: str
    """The reason for building it just now; empty when it was there already."""


def engine_from_onnx(model: Path, out: Path | None, options: EngineOptions) -> Path:
    """Builds an engine for this machine; takes minutes. An older file of that name is replaced.

    With TensorRT-RTX it takes seconds, and the engine is for every GPU since Ampere.

    Args:
        model: an ONNX file of dehaze-export; see `buildable_form`.
        out: a name ending in `.engine`, or a folder; None for the model's folder.

    Returns:
        The engine's path.

    Raises:
        ModelError: no GPU or no TensorRT here; not a model of ours; TensorRT cannot build it.
        UsageError: shapes or options that the model or TensorRT does not take.
        OutputError: the engine cannot be written.
    """
    model = buildable_form(model)
    return _build(model, out, options, _wanted_header(model, options))


def buildable_form(model: Path) -> Path:
    """The model itself, or for TensorRT-RTX the form without our plugin that lies beside it.

    TensorRT-RTX knows no plugins, and its parser ends the process when it meets the node of one
    that is loaded (seen in 1.7.1): so it never meets one.

    Raises:
        ModelError: no GPU and no TensorRT-RTX; there is no such form.
    """
    is_rtx = builder_of(model).title == LIBRARIES["rtx"].title
    return form_without_plugin(model) if is_rtx and needs_plugin(model) else model


def cached_engine(
    model: Path,
    options: EngineOptions,
    folder: Path | None = None,
    *,
    rebuild: bool = True,
    trust: bool = False,
    before_build: Callable[[str], None] | None = None,
) -> CachedEngine:
    """The engine of a model for this machine, built where there is none that fits.

    Args:
        model: an ONNX file of dehaze-export.
        folder: where engines are kept; None for the model's folder.
        rebuild: False raises where an engine would have to be built, which takes minutes.
        trust: take an engine that was not built here, too.
        before_build: called with the reason when one has to be built.

    Raises:
        EngineMismatchError: with `rebuild` False, there is no engine that fits.
        ModelError, UsageError, OutputError: as for `engine_from_onnx`.
    """
    wanted = _wanted_header(model, options)
    path = (folder or model.parent) / _engine_name(model, wanted)
    why = _misfit(path, wanted, trust=trust)
    if why and not rebuild:
        raise EngineMismatchError(f"{path}: {why}; {build_command(model)}")
    if why:
        if before_build is not None:
            before_build(why)
        _build(model, path, options, wanted)
    return CachedEngine(path, built_because=why)


def load_engine(
    path: Path, *, model: Path | None = None, plugin: Path | None = None, trust: bool = False
) -> tuple[EngineHeader, bytes]:
    """Header and plan of an engine that this machine can run.

    Args:
        model: the ONNX file that it must come from; None for any.
        plugin: the library whose plugins will be loaded with it. A version-compatible engine
            carries its own.
        trust: load an engine that was not built here, too: it can do what its user can.

    Raises:
        EngineMismatchError: built for another GPU, TensorRT version, model or plugin library.
        ModelError: not an engine, a damaged one, or not built here; no GPU or no TensorRT here.
    """
    content = model_bytes(path)
    header, plan = parsed_engine(content, path)
    wanted = replace(header, host=tensorrt_host())
    if model is not None:
        wanted = replace(wanted, model_sha256=_sha256(model_bytes(model)))
    if plugin is not None or not header.version_compatible:
        wanted = replace(wanted, plugin_sha256=_plugin_sha256(plugin))
    if why := header.mismatch(wanted) or _misfit_of_lean(header):
        raise EngineMismatchError(f"{path}: {why}; {build_command(model)}")
    if not (trust or was_built_here(content)):
        raise ModelError(
            f"{path}: {UNKNOWN_ORIGIN}; an engine can do what you can: {build_command(model)}, or "
            f"add --trust-engine if you trust its source"
        )
    return header, plan


def _misfit_of_lean(header: EngineHeader) -> str:
    """Why the lean runtime cannot take an engine that TensorRT could, or empty."""
    from .library import NAME  # imports TensorRT

    if NAME != "lean" or header.version_compatible:
        return ""
    return (
        "expected a version-compatible engine for the lean runtime, got one for one version "
        "(--version-compatible makes the other kind)"
    )


def _engine_name(model: Path, header: EngineHeader) -> str:
    """`edge-fp16-1x720x1280-orin-sm87-trt10.3.0.engine`.

    A name leaves out the GPU or the version where the engine is compatible with others, so that
    it is found again there.
    """
    precision = header.contract(str(model)).precision
    stem = model.stem if precision in model.stem.split("-") else f"{model.stem}-{precision}"
    host = header.host
    gpu = f"{_slug(host.gpu)}-{_sm(host)}"
    if header.hardware_compatibility == "same_compute_capability":
        gpu = f"any-{_sm(host)}"
    elif header.hardware_compatibility == "ampere_plus":
        gpu = "ampere-plus"
    kind = "rtx" if host.title == LIBRARIES["rtx"].title else "trt"
    version = f"{kind}{host.tensorrt_version}"
    if header.exclude_lean_runtime:
        version += "-no-lean"
    elif header.version_compatible:
        version = "any-trt"
    return f"{stem}-{header.shapes}-{gpu}-{version}{ENGINE_SUFFIX}"


def _build(model: Path, out: Path | None, options: EngineOptions, header: EngineHeader) -> Path:
    from .build import plan_from_onnx
    from .library import require_builder

    require_builder(model, options)
    path = out or model.parent
    if path.suffix != ENGINE_SUFFIX:
        path = path / _engine_name(model, header)
    # Opened before the build: minutes later is too late to learn that a folder is read-only.
    with finished_output(path, overwrite=True) as unfinished:
        plan = plan_from_onnx(model, options, hint=_hint(model, options, header))
        content = engine_bytes(replace(header, layers=plan.layers), plan.content)
        unfinished.write_bytes(content)
        note_built_here(content)
    return path


def _hint(model: Path, options: EngineOptions, header: EngineHeader) -> str:
    """The remedy when TensorRT cannot take a node of the model."""
    target = header.contract(str(model)).target
    if target != "tensorrt":
        return f"; the model was written for {target}: export it for tensorrt"
    return "" if options.plugin else "; a model with plugin nodes needs its plugin library"


def _misfit(path: Path, wanted: EngineHeader, *, trust: bool) -> str:
    """The reason why the engine at `path` is not the one wanted, or empty."""
    if not path.exists():
        return "expected an engine, got none"
    try:
        content = model_bytes(path)
        header, _ = parsed_engine(content, path)
    except (ModelError, EngineMismatchError):
        return "expected an engine, got a file that is damaged or of another format"
    return header.mismatch(wanted) or ("" if trust or was_built_here(content) else UNKNOWN_ORIGIN)


def _wanted_header(model: Path, options: EngineOptions) -> EngineHeader:
    """The header of the engine that these options ask for, built here."""
    content = model_bytes(model)
    metadata = metadata_from_onnx(content, str(model))
    contract = ModelContract.from_metadata(metadata, str(model))
    smallest = min(options.shapes.minimum[1:3])
    if smallest < contract.minimum_size:
        raise UsageError(
            f"{model} takes frames of {contract.minimum_size} pixels a side or more, got shapes "
            f"{options.shapes}; raise the minimum"
        )
    host, compatibility = builder_of(model), options.hardware_compatibility
    if host.title == LIBRARIES["rtx"].title:
        compatibility = "ampere_plus"
    return EngineHeader(
        host=host,
        shapes=options.shapes,
        model_sha256=_sha256(content),
        plugin_sha256=_plugin_sha256(options.plugin),
        version_compatible=options.version_compatible,
        exclude_lean_runtime=options.exclude_lean_runtime,
        hardware_compatibility=compatibility,
        metadata=metadata,
    )


def builder_of(model: Path) -> TensorRTHost:
    """The machine and TensorRT that an engine of this model, built here, is for.

    Raises:
        ModelError: nothing here can build it; what can.
    """
    try:
        return building_host()
    except ModelError as error:
        raise ModelError(
            f"{error}; an engine is built on the device that it runs on, by its TensorRT (a Jetson "
            f"has it from JetPack 6.1 on): {build_command(model)} there; or for desktop GPUs "
            f"anywhere, by TensorRT-RTX (`pip install 'dehaze-edge[rtx]'`)"
        ) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plugin_sha256(plugin: Path | None) -> str:
    return _sha256(model_bytes(plugin)) if plugin is not None else ""


def build_command(model: Path | None, more: str = "") -> str:
    """The command to type on the device, with `more` options."""
    if model is not None and needs_plugin(model):
        more += f" --plugin build/plugin/{LIBRARY}"
    name = model.name if model else "MODEL.onnx"
    return f"build one with `dehaze-export {name} --engine{more}`"


def _slug(name: str) -> str:
    """`nvidia-geforce-rtx-3060` of `NVIDIA GeForce RTX 3060`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _sm(host: TensorRTHost) -> str:
    return "sm{}{}".format(*host.compute_capability)
