"""CSI cameras and GStreamer pipelines, through an OpenCV that is built with GStreamer.

The OpenCV of a Jetson's JetPack is; the wheel from PyPI is not. Never run on a Jetson yet.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
from numpy.typing import NDArray

from ..errors import InputError
from ..media.limits import MAXIMUM_FRAME_PIXELS, frame_pixels_at_most, frame_problem
from ..media.pixels.colour import UNSPECIFIED, colours_of
from ..media.video_look import VideoLook
from .address import FrameMode
from .source import LiveFrame, LiveSource

__all__ = ["GStreamerSource", "csi_pipeline"]

_DEFAULT_CSI_MODE = FrameMode(1280, 720, Fraction(30))
_SIDE = math.isqrt(MAXIMUM_FRAME_PIXELS)
# One buffer, the newest, at once: anything else is latency. Larger frames end the pipeline before
# they are converted.
_APPSINK = (
    f"videoconvert ! video/x-raw, format=BGR, width=[1,{_SIDE}], height=[1,{_SIDE}] ! "
    f"appsink drop=true max-buffers=1 sync=false"
)


def csi_pipeline(sensor: int, mode: FrameMode | None) -> str:
    """The pipeline of a Jetson's camera connector, without its end."""
    mode = mode or _DEFAULT_CSI_MODE
    rate = f"{mode.fps.numerator}/{mode.fps.denominator}"
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM), width={mode.width}, "
        f"height={mode.height}, framerate={rate} ! nvvidconv ! video/x-raw, format=BGRx"
    )


class GStreamerSource(LiveSource):
    """A pipeline opened by OpenCV.

    Args:
        pipeline: a pipeline for gst-launch-1.0; without an appsink, one is appended.

    Raises:
        InputError: OpenCV has no GStreamer, or the pipeline does not run.
    """

    def __init__(self, name: str, pipeline: str, stop: threading.Event) -> None:
        super().__init__(name, stop)
        _check_gstreamer(name)
        if "appsink" not in pipeline:
            pipeline = f"{pipeline} ! {_APPSINK}"
        self._capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise InputError(
                f"{name}: the pipeline does not run; try its first element alone: gst-launch-1.0 "
                f"ELEMENT ! fakesink"
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        if 1 <= rate <= 240:
            self.frame_rate = Fraction(rate).limit_denominator(1001)
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self._pixels_at_most = frame_pixels_at_most()
        self._check_size(width, height)
        unsaid = (UNSPECIFIED,) * 3
        self.look = VideoLook(colours=colours_of(*unsaid, height)[0])

    def _frames(self) -> Iterator[LiveFrame]:
        """Yields frames, timed by their arrival; one of another size is scaled to the first's."""
        size: tuple[int, int] | None = None
        while not self._stop.is_set():
            if not self._capture.grab():
                break
            started = time.perf_counter()
            good, bgr = self._capture.retrieve()
            if not good:
                break
            self._check_size(bgr.shape[1], bgr.shape[0])
            size = size or (bgr.shape[1], bgr.shape[0])
            if (bgr.shape[1], bgr.shape[0]) != size:
                bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
            pixels: NDArray[Any] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            self.capture_times.add(time.perf_counter() - started)
            yield self._timed(pixels, None)
        if not self._stop.is_set():
            self.connected = False
            raise InputError(f"{self.name}: the camera vanished (the pipeline ended)")

    def _check_size(self, width: int, height: int) -> None:
        if problem := frame_problem(width, height, self._pixels_at_most):
            raise InputError(f"{self.name}: {problem}")

    def _close(self) -> None:
        self._capture.release()


def _check_gstreamer(name: str) -> None:
    # getBackends lists it in every wheel, for a plugin that might be there.
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        return
    raise InputError(
        f"{name}: expected an OpenCV built with GStreamer, got OpenCV {cv2.__version__} without it "
        f"({cv2.__file__}); on a Jetson use JetPack's own OpenCV (uninstall "
        f"opencv-python-headless), or pipe: gst-launch-1.0 -q SOURCE ! videoconvert ! "
        f"video/x-raw,format=RGB ! fdsink | dehaze-run - OUTPUT --raw WIDTHxHEIGHT@FPS"
    )
