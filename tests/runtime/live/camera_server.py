"""A network camera for tests: pictures as MJPEG over HTTP, 25 a second, to who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["camera"]


Pictures = Sequence[NDArray[np.uint8] | bytes] | Callable[[], NDArray[np.uint8]]


@contextmanager
def camera(pictures: Pictures, port: int = 0) -> Iterator[str]:
    """Serves pictures over and over; yields the address. The end cuts everybody off.

    Args:
        pictures: (H, W, 3) uint8 RGB, or JPEGs; or what draws the one to send now.
    """
    jpeg_at = _jpegs(pictures)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started, index = time.monotonic(), 0
            try:
                while not ended.is_set():
                    data = jpeg_at(index)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}"
                    self.wfile.write(f"{head}\r\n\r\n".encode() + data + b"\r\n")
                    index += 1
                    time.sleep(max(0.0, started + index / 25 - time.monotonic()))
            except ConnectionError:
                pass

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def _jpegs(pictures: Pictures) -> Callable[[int], bytes]:
    """What gives the JPEG to send by its number on a connection."""
    if callable(pictures):
        return lambda _: _jpeg(pictures())
    made = [p if isinstance(p, bytes) else _jpeg(p) for p in pictures]
    return lambda index: made[index % len(made)]


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    return bytes(data.tobytes())
