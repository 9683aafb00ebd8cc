"""The TensorRT builder: an ONNX file to a plan, on 10.3 to 11.4 and TensorRT-RTX alike.

Needs one of them to import.

Networks are strongly typed: 11.x knows no other, and 10.3 has them already. Precision therefore
lives in the ONNX file, as float16 types or as QuantizeLinear and DequantizeLinear.

Parameters and variables are annotated with TensorRT's classes: a test reads them and asks the
bindings of 10.3, 10.13, 10.16 and 11.4 for every name that is used here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import ModelError, OutputError, UsageError, one_line
from ..output_file import finished_output
from .library import TITLE, start_plugins, trt
from .log import LOG, precisions
from .options import EngineOptions, ShapeRange

__all__ = ["Plan", "plan_from_onnx"]

IMAGE = "image"
"""The input whose shape varies: (N, H, W, 3) uint8 RGB."""


class Plan(NamedTuple):
    """The result of the builder."""

    content: bytes
    """The bytes that TensorRT deserialises."""
    layers: dict[str, int]
    """The number of layers with weights by precision; empty where the builder does not say."""


def plan_from_onnx(model: Path, options: EngineOptions, *, hint: str = "") -> Plan:
    """Builds a plan. Call `building_host()` before: it counts the devices.

    Args:
        hint: what to do when TensorRT cannot take a node of the model.

    Raises:
        ModelError: TensorRT cannot parse or build the model; in its words.
        UsageError: shapes or options that the model or this TensorRT version does not take.
        OutputError: the timing cache cannot be written.
    """
    if options.timing_cache is not None:
        _require_folder(options.timing_cache)
    LOG.errors.clear()
    LOG.engine = ""
    builder = _new_builder()
    if options.plugin is not None:
        _load_plugins(builder, options.plugin)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, LOG)  # holds the weights: it must outlive the build
    if not parser.parse_from_file(str(model)):
        raise ModelError(f"{model}: {TITLE} {_parser_words(parser)}{hint}")
    config = _new_config(builder, options)
    if options.version_compatible:
        config.plugins_to_serialize = _libraries_in_plan(parser, options.plugin)
    profile = _new_profile(builder, network, options.shapes)
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(f"{model}: {TITLE} rejects shapes {options.shapes} ({LOG.reason()})")
    LOG.errors.clear()  # what an old timing cache led to is not the reason for what follows
    plan: trt.IHostMemory | None = builder.build_serialized_network(network, config)
    if plan is None:
        advice = "; --workspace allows more" if "OutOfMemory" in LOG.reason() else ""
        raise ModelError(f"{model}: {TITLE} cannot build an engine ({LOG.reason()}){advice}")
    if options.timing_cache is not None:
        _save_timing_cache(config, options.timing_cache)
    return Plan(bytes(plan), precisions(LOG.engine))


def _new_builder() -> trt.Builder:
    try:
        builder = trt.Builder(LOG)
    except TypeError as error:  # how pybind11 says that the library returned a null pointer
        raise ModelError(
            f"{TITLE} cannot start on this GPU ({LOG.reason()}); "
            f"update its driver, or install a TensorRT version that supports both"
        ) from error
    start_plugins(LOG)
    return builder


def _load_plugins(builder: trt.Builder, library: Path) -> None:
    """Into the builder's registry, so that two builds of a process do not meet."""
    registry = builder.get_plugin_registry()
    handle = registry.load_library(str(library.resolve()))
    if handle is None:
        raise ModelError(
            f"{library}: {TITLE} cannot load this plugin library "
            f"({LOG.reason()}); build it on this machine"
        )


def _parser_words(parser: trt.OnnxParser) -> str:
    """The parser's first error: `cannot take node "conv" (Conv): ...`."""
    if parser.num_errors == 0:
        return f"cannot parse it ({LOG.reason()})"
    error: trt.ParserError = parser.get_error(0)
    more = f"; {parser.num_errors - 1} more errors" if parser.num_errors > 1 else ""
    words = one_line(RuntimeError(error.desc()))[:300]
    if not error.node_name() and not error.node_operator():
        return f"cannot parse it: {words}{more}"
    return f'cannot take node "{error.node_name()}" ({error.node_operator()}): {words}{more}'


def _new_config(builder: trt.Builder, options: EngineOptions) -> trt.IBuilderConfig:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # layer names for the benchmarks
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.exclude_lean_runtime:
        config.set_flag(trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
    if options.hardware_compatibility == "ampere_plus":
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    elif options.hardware_compatibility == "same_compute_capability":
        level = getattr(trt.HardwareCompatibilityLevel, "SAME_COMPUTE_CAPABILITY", None)
        if level is None:  # as in 10.3
            raise UsageError(
                f"{TITLE} has no hardware compatibility "
                f"same_compute_capability; use ampere_plus or a later version"
            )
        config.hardware_compatibility_level = level
    if options.timing_cache is not None:
        _use_timing_cache(config, options.timing_cache)
    return config


def _libraries_in_plan(parser: trt.OnnxParser, plugin: Path | None) -> list[str]:
    """The libraries that a version-compatible engine carries for machines that lack them."""
    try:
        libraries = [str(library) for library in parser.get_used_vc_plugin_libraries()]
    except RuntimeError as error:
        raise ModelError(
            f"{TITLE} cannot list the plugins of a version-compatible engine ({one_line(error)})"
        ) from error
    if plugin is not None:
        libraries.append(str(plugin.resolve()))
    return libraries


def _new_profile(
    builder: trt.Builder, network: trt.INetworkDefinition, shapes: ShapeRange
) -> trt.IOptimizationProfile:
    """The range for `image`; inputs such as the number `strength` keep the shape that they have."""
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)  # -1 for what may vary; () for a number
        if tensor.name == IMAGE:
            _check_range(shape, shapes)
            profile.set_shape(IMAGE, shapes.minimum, shapes.optimum, shapes.maximum)
        elif -1 in shape:
            raise ModelError(
                f"expected one input of varying shape, {IMAGE!r}, got {tensor.name!r} of {shape}, "
                f"too; export the model again"
            )
    return profile


def _check_range(shape: tuple[int, ...], shapes: ShapeRange) -> None:
    """Raises UsageError where the shape of the model's own `image` leaves no room for `shapes`."""
    wanted = (shapes.minimum, shapes.optimum, shapes.maximum)
    fits = len(shape) == 4 and all(
        size in (-1, other[axis]) for other in wanted for axis, size in enumerate(shape)
    )
    if not fits:
        raise UsageError(f"the model takes frames of {shape} (-1: any), got shapes {shapes}")


def _require_folder(path: Path) -> None:
    """Raises OutputError where `path` could not be written, before minutes of work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({one_line(error)})") from error
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: its folder cannot be written")


def _use_timing_cache(config: trt.IBuilderConfig, path: Path) -> None:
    """Starts from the file where it is of this device and version, otherwise from nothing."""
    try:
        known = path.read_bytes()
    except OSError:
        known = b""
    for content in dict.fromkeys((known, b"")):
        cache: trt.ITimingCache | None = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return


def _save_timing_cache(config: trt.IBuilderConfig, path: Path) -> None:
    cache: trt.ITimingCache | None = config.get_timing_cache()
    if cache is not None:
        with finished_output(path, overwrite=True) as unfinished:
            unfinished.write_bytes(bytes(cache.serialize()))
