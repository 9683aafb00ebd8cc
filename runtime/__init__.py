"""dehaze-edge's runtime: takes the haze out of pictures and videos, without torch.

>>> from dehaze.runtime import open_dehazer
>>> with open_dehazer("edge", threads=2) as dehazer:
...     clear = dehazer(frame)  # (H, W, 3) uint8 RGB in and out
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Every package of dehaze-edge comes past here before anything of it, or of torch's exporter and
# its helpers, imports ONNX Runtime; which collects usage into ~/.cache and looks up the name of a
# collector (seen in 1.31) unless this is set. Whoever wants it sets ORT_DISABLE_TELEMETRY=0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from .dehazer import Dehazer, open_dehazer
    from .errors import (
        BatchError,
        DehazeError,
        EngineMismatchError,
        GateError,
        InputError,
        ModelError,
        OutputError,
        UsageError,
    )
    from .model.contract import ModelContract, SizeRequirements
    from .model.shipped import list_models
    from .session import FunctionSession, Session

# Resolved on first use: `dehaze-run --help` must not wait for numpy.
_HOME = {
    "BatchError": "errors",
    "DehazeError": "errors",
    "Dehazer": "dehazer",
    "EngineMismatchError": "errors",
    "FunctionSession": "session",
    "GateError": "errors",
    "InputError": "errors",
    "ModelContract": "model.contract",
    "ModelError": "errors",
    "OutputError": "errors",
    "Session": "session",
    "SizeRequirements": "model.contract",
    "UsageError": "errors",
    "list_models": "model.shipped",
    "open_dehazer": "dehazer",
}

__all__ = [
    "BatchError",
    "DehazeError",
    "Dehazer",
    "EngineMismatchError",
    "FunctionSession",
    "GateError",
    "InputError",
    "ModelContract",
    "ModelError",
    "OutputError",
    "Session",
    "SizeRequirements",
    "UsageError",
    "list_models",
    "open_dehazer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
