"""NVIDIA's bindings as PYTHONPATH has them: of TensorRT, or of its lean runtime."""

from __future__ import annotations

try:
    import tensorrt_bindings as bindings
except ModuleNotFoundError:
    import tensorrt_lean_bindings as bindings

__all__ = ["bindings"]
