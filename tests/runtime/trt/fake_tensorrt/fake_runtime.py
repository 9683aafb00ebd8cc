"""The part of the fake TensorRT that runs engines, on the fake GPU: see `tensorrt.py`.

Its network takes the haze for a photographic negative: at strength 1, clear = 255 - image.
"""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import numpy as np

load_errors: list[str] = []
"""Messages with which every engine fails to load, when not empty."""
run_errors: list[str] = []
"""Messages with which every frame fails to run, when not empty."""


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class DataType(enum.Enum):
    UINT8 = 0
    FLOAT = 1


class TensorIOMode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


class IPluginRegistry:
    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def load_library(self, plugin_path: str) -> object:
        if Path(plugin_path).read_bytes()[:4] != b"\x7fELF":
            self._owner._logger.log(ILogger.Severity.ERROR, "invalid ELF header")
            return None
        self._owner._libraries.append(plugin_path)
        return object()


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._shape: tuple[int, ...] = ()
        self._ran_plainly = False
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = self._engine._profile[name]
        if not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            self._engine._logger.log(ILogger.Severity.ERROR, "shape outside of the profile")
            return False
        self._shape, self._ran_plainly = shape, False
        return True

    def infer_shapes(self) -> list[str]:
        return [] if self._shape else ["image"]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        frames, height, width, _ = self._shape
        cells = (frames, -(-height // 8), -(-width // 8), 4)
        return {"strength": (), "grid": cells}.get(name, self._shape)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        import fake_gpu

        for message in run_errors:
            self._engine._logger.log(ILogger.Severity.ERROR, message)
        if run_errors:
            return False
        stream = fake_gpu.objects[stream_handle]
        assert stream.captured is None or self._ran_plainly, "captured before a plain run"
        self._ran_plainly = True
        addresses, shape = dict(self._addresses), self._shape
        shapes = {name: self.get_tensor_shape(name) for name in addresses}
        assert set(addresses) == set(self._engine._tensors)

        def compute() -> None:
            hazy = fake_gpu.values(addresses["image"], shape, np.uint8).astype(np.float32)
            strength = 1.0
            if "strength" in addresses:
                strength = float(fake_gpu.values(addresses["strength"], (), np.float32))
            clear = fake_gpu.values(addresses["clear"], shape, np.uint8)
            clear[...] = np.rint(hazy + strength * (255 - 2 * hazy))
            if "grid" in addresses:
                grid = fake_gpu.values(addresses["grid"], shapes["grid"], np.float32)
                grid[...] = (-1, 1, 1, 1)

        stream.enqueue(fake_gpu.Operation("compute", compute))
        return True


class ICudaEngine:
    def __init__(self, told: dict[str, Any], logger: ILogger) -> None:
        self._profile, self._logger = told["profile"], logger
        self._tensors: dict[str, str] = told["tensors"]

    @property
    def num_io_tensors(self) -> int:
        return len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        is_input = name in ("image", "strength")
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType[self._tensors[name]]

    def create_execution_context(self) -> IExecutionContext | None:
        return IExecutionContext(self)


class Runtime:
    engine_host_code_allowed = False

    def __init__(self, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._logger = logger
        self._libraries: list[str] = []

    def get_plugin_registry(self) -> IPluginRegistry:
        return IPluginRegistry(self)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        told = json.loads(serialized_engine)
        errors = list(load_errors)
        if "VERSION_COMPATIBLE" in told["flags"]:
            if not self.engine_host_code_allowed:
                errors.append("engine host code is not allowed")
        elif told["plugins_loaded"] and not self._libraries:
            errors.append("plugin not found")
        for message in errors:
            self._logger.log(ILogger.Severity.ERROR, message)
        return None if errors else ICudaEngine(told, self._logger)
