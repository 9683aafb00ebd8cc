"""Runs our build on the real bindings, as far as libraries without content take it.

Their builder is a null pointer, as it is where CUDA cannot start. Prints the error as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorrt_bindings

from dehaze.runtime import ModelError
from dehaze.runtime.trt.options import EngineOptions

sys.modules["tensorrt"] = tensorrt_bindings

from dehaze.runtime.trt.build import plan_from_onnx  # noqa: E402  # the line above it
from dehaze.runtime.trt.log import LOG  # noqa: E402

try:
    plan_from_onnx(Path("edge.onnx"), EngineOptions())
except ModelError as error:
    taken = tensorrt_bindings.init_libnvinfer_plugins(LOG, "")  # raises where LOG is not taken
    LOG.log(tensorrt_bindings.ILogger.Severity.ERROR, "first\nwords")
    print(json.dumps({"error": str(error), "plugins": taken, "reason": LOG.reason()}))
