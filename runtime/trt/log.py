"""Keeps TensorRT's error messages for our own. Needs TensorRT to import."""

from __future__ import annotations

from ..errors import one_line
from .library import trt

__all__ = ["LOG", "TensorRTLog"]


class TensorRTLog(trt.ILogger):  # type: ignore[misc]  # tensorrt ships no type information
    """Keeps errors in words and drops the rest, which would land in the progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        """The messages, oldest first: the first is the cause, later ones are its echo."""

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT, from any of its threads."""
        if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
            self.errors.append(one_line(RuntimeError(msg)))

    def reason(self) -> str:
        """The first error, short enough for a message."""
        return self.errors[0][:300] if self.errors else "TensorRT gives no reason"


LOG = TensorRTLog()
"""The one log of the process, never freed: TensorRT ignores a second one while objects of the
first live, and its plugin library keeps a bare pointer to what it was given."""
