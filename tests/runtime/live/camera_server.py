"""A network camera for tests: pictures as MJPEG over HTTP, 25 a second, to who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["camera"]


@contextmanager
def camera(pictures: list[NDArray[np.uint8]], port: int = 0) -> Iterator[str]:
    """Serves (H, W, 3) uint8 RGB over and over; yields the address. The end cuts everybody off."""
    jpegs = [
        cv2.imencode(".jpg", p[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for p in pictures
    ]
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started, index = time.monotonic(), 0
            try:
                while not ended.is_set():
                    data = jpegs[index % len(jpegs)].tobytes()
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
