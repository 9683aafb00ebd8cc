"""NVIDIA's bindings as PYTHONPATH has them: of TensorRT, its lean runtime, or TensorRT-RTX."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

_NAMES = ("tensorrt_bindings", "tensorrt_lean_bindings", "tensorrt_rtx_bindings")
bindings = import_module(next(name for name in _NAMES if find_spec(name)))

__all__ = ["bindings"]
