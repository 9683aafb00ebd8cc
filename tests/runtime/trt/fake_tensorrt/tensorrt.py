"""A fake of TensorRT 10.3 for tests where there is no GPU: it builds nothing.

Its plan is JSON that says what the builder was told. Its parser reads real ONNX files and knows
every operator but HazeDeformConv2d, for which a plugin library must be loaded. A test asks the
real bindings whether they have every name of the classes here.
"""

from __future__ import annotations

import enum
import json
from typing import Any

import onnx
from fake_runtime import (  # noqa: F401  # the rest of the fake
    DataType,
    ICudaEngine,
    IExecutionContext,
    ILogger,
    IPluginRegistry,
    Runtime,
    TensorIOMode,
    load_errors,
    run_errors,
)

__version__ = "10.3.0"
device = "orin"
"""The device of this fake's timing caches."""
build_errors: list[str] = []
"""Messages with which every build fails, when not empty."""
starts = True
"""True if a builder can be made at all."""


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class BuilderFlag(enum.Enum):
    VERSION_COMPATIBLE = 13
    EXCLUDE_LEAN_RUNTIME = 14


class ProfilingVerbosity(enum.Enum):
    LAYER_NAMES_ONLY = 0
    DETAILED = 2


class HardwareCompatibilityLevel:  # not an Enum: a test adds the member that 10.3 lacks
    NONE = "NONE"
    AMPERE_PLUS = "AMPERE_PLUS"


class ITensor:
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self._name, self._shape = name, shape

    @property
    def name(self) -> str:
        return self._name

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape


class INetworkDefinition:
    def __init__(self, flags: int, builder: Builder) -> None:
        self._flags, self._builder = flags, builder
        self._inputs: list[ITensor] = []
        self._tensors: dict[str, str] = {}

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]


class ParserError:
    def __init__(self, node: onnx.NodeProto) -> None:
        self._node = node

    def desc(self) -> str:
        return "Plugin not found,\n  are the plugin name, version, and namespace correct?"

    def node_name(self) -> str:
        return str(self._node.name)

    def node_operator(self) -> str:
        return str(self._node.op_type)


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._network, self._errors = network, []

    def parse_from_file(self, model: str) -> bool:
        graph = onnx.load(model).graph
        for tensor in (*graph.input, *graph.output):
            kind = tensor.type.tensor_type.elem_type
            self._network._tensors[tensor.name] = {2: "UINT8", 1: "FLOAT"}[kind]
        for tensor in graph.input:
            sizes = tensor.type.tensor_type.shape.dim
            shape = tuple(-1 if size.dim_param else size.dim_value for size in sizes)
            self._network._inputs.append(ITensor(tensor.name, shape))
        nodes = [node for node in graph.node if node.op_type == "HazeDeformConv2d"]
        if not self._network._builder._libraries:
            self._errors = [ParserError(node) for node in nodes]
        return not self._errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def get_used_vc_plugin_libraries(self) -> list[str]:
        return ["libnvinfer_vc_plugin.so.10"]


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, list[Any]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self._shapes[input] = [min, opt, max]


class ITimingCache:
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def serialize(self) -> bytes:
        return json.dumps(self._content).encode()


class IBuilderConfig:
    def __init__(self) -> None:
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self.plugins_to_serialize: list[str] = []
        self._flags: list[str] = []
        self._workspace = 0
        self._profile: dict[str, list[Any]] = {}
        self._cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        assert pool is MemoryPoolType.WORKSPACE
        self._workspace = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        self._flags.append(flag.name)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profile = profile._shapes
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        if not serialized_timing_cache:
            return ITimingCache({"device": device, "builds": 0})
        try:
            return ITimingCache(json.loads(serialized_timing_cache))
        except ValueError:
            return None

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if cache._content["device"] != device and not ignore_mismatch:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._cache


class Builder:
    def __init__(self, logger: ILogger) -> None:
        if not starts:
            logger.log(ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger
        self._libraries: list[str] = []

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(flags, self)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def get_plugin_registry(self) -> IPluginRegistry:
        return IPluginRegistry(self)

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        self._logger.log(ILogger.Severity.WARNING, "only a warning")
        for message in build_errors:
            self._logger.log(ILogger.Severity.INTERNAL_ERROR, message)
        if build_errors:
            return None
        if config._cache is not None:
            config._cache._content["builds"] += 1
        strongly_typed = bool(network._flags >> NetworkDefinitionCreationFlag.STRONGLY_TYPED & 1)
        told = {
            "strongly_typed": strongly_typed,
            "workspace": config._workspace,
            "profile": config._profile,
            "tensors": network._tensors,
            "flags": config._flags,
            "verbosity": config.profiling_verbosity.name,
            "hardware": config.hardware_compatibility_level,
            "plugins_in_plan": config.plugins_to_serialize,
            "plugins_loaded": self._libraries,
        }
        return json.dumps(told).encode()


def init_libnvinfer_plugins(logger: ILogger, namespace: str) -> bool:
    return isinstance(logger, ILogger) and namespace == ""
