"""The figures of a live run: what the preview shows and what `--json` prints at the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ..timing import StageTimes
from .source import KEPT_TIMES, LiveFrame, LiveSource

__all__ = ["LiveFigures"]

_FPS_SECONDS = 3.0


class LiveFigures:
    """Counts and times frames; read by the preview's threads meanwhile.

    Args:
        about: what else to show, e.g. {"model": "edge", "backend": "onnxruntime"}.
        dropped: gives the number of frames dropped so far.
    """

    def __init__(
        self,
        source: LiveSource,
        encode_times: StageTimes,
        about: Mapping[str, Any],
        dropped: Callable[[], int],
    ) -> None:
        self.frames = 0
        self.inference_times = StageTimes(KEPT_TIMES)
        self._latency_times = StageTimes(KEPT_TIMES)
        self._encode_times = encode_times
        self._source = source
        self._about = dict(about)
        self._dropped = dropped
        self._started = time.monotonic()
        self._finished: deque[float] = deque(maxlen=240)
        self._size = (0, 0)
        self._haze: float | None = None
        self._haze_sum = 0.0

    def add(self, frame: LiveFrame, haze: float | None) -> None:
        """Counts a frame that has just been written."""
        now = time.monotonic()
        self.frames += 1
        self._finished.append(now)
        self._latency_times.add(now - frame.arrived)
        self._size = (frame.pixels.shape[1], frame.pixels.shape[0])
        self._haze = haze
        self._haze_sum += haze or 0.0

    def _recent_fps(self) -> float:
        now = time.monotonic()
        recent = [moment for moment in list(self._finished) if now - moment < _FPS_SECONDS]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])

    def now(self) -> dict[str, Any]:
        """The figures for /figures.json: `fps` of the last seconds, times of up to 3000 frames."""
        return {
            **self.summary(),
            **self._about,
            "input": self._source.name,
            "fps": round(self._recent_fps(), 1),
            "connected": self._source.connected,
            "haze": None if self._haze is None else round(self._haze, 3),
        }

    def summary(self) -> dict[str, Any]:
        """The figures for the closing JSON: `fps` and the mean `haze` of the whole run."""
        seconds = time.monotonic() - self._started
        return {
            "frames": self.frames,
            "dropped": self._dropped(),
            "reconnects": self._source.reconnects,
            "seconds": round(seconds, 3),
            "width": self._size[0],
            "height": self._size[1],
            "capture_ms": self._source.capture_times.percentiles(),
            "inference_ms": self.inference_times.percentiles(),
            "encode_ms": self._encode_times.percentiles(),
            "latency_ms": self._latency_times.percentiles(),
            "fps": round(self.frames / max(seconds, 1e-9), 2),
            "haze": None if self._haze is None else round(self._haze_sum / self.frames, 4),
        }
