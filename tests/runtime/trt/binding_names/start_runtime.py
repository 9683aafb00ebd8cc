"""Opens an engine on the real bindings, as far as libraries without content take it.

Their runtime is a null pointer, as it is where CUDA cannot start. Prints the error as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bindings import bindings

from dehaze.runtime import ModelError

is_lean = bindings.__name__.startswith("tensorrt_lean")
sys.modules["tensorrt"] = None if is_lean else bindings  # type: ignore[assignment]
sys.modules["tensorrt_lean"] = bindings

from dehaze.runtime.trt import options  # noqa: E402

options._wanted = ("tensorrt", "lean")
from dehaze.runtime.trt.library import NAME  # noqa: E402  # the lines above it
from dehaze.runtime.trt.loaded_engine import TensorRTEngine  # noqa: E402

try:
    TensorRTEngine(b"", Path("edge.engine"), None, host_code=False, notice=print)
except ModelError as error:
    print(json.dumps({"error": str(error), "lean": NAME == "lean"}))
