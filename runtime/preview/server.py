"""`--preview`: a page with the live picture before and after, and the run's figures."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, one_line
from .pictures import PreviewPictures

__all__ = ["PREVIEW_FOLDER", "PreviewServer"]

PREVIEW_FOLDER = Path(__file__).parent
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/preview.css": ("preview.css", "text/css; charset=utf-8"),
    "/preview.js": ("preview.js", "text/javascript; charset=utf-8"),
    "/slider.css": ("slider.css", "text/css; charset=utf-8"),
    "/slider.js": ("slider.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WAIT_SECONDS = 5.0
"""Seconds that a request for the next picture is held; the page then asks again."""
_IDLE_SECONDS = 15.0
_MOST_CONNECTIONS = 256
"""A browser holds one or two; each has a thread here."""
_REQUEST_SECONDS = 20.0
"""For a whole request: one that comes a byte at a time must not hold its thread for ever."""


class PreviewServer:
    """Serves the preview from threads of its own. A context manager.

    Args:
        host: an address of this computer; 0.0.0.0 and :: let the whole network watch.
        port: 0 takes a free one.
        figures: gives what /figures.json says.

    Raises:
        OutputError: the port is taken, or not ours to take.
    """

    def __init__(self, host: str, port: int, figures: Callable[[], dict[str, Any]]) -> None:
        self._pictures = PreviewPictures()
        try:
            self._server = _Server(host, port, self._pictures, figures)
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"the preview cannot listen on {host} port {port} ({one_line(error)}); "
                f"use --preview with another port, or 0 for a free one"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}/"
        # serve_forever looks every 0.1 s whether it should end; a run waits no longer for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="preview", daemon=True
        )

    def offer(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> None:
        """Shows a frame, (H, W, 3) uint8 RGB, and what became of it; neither may change later."""
        self._pictures.offer(before, after)

    def __enter__(self) -> PreviewServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._pictures.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # an idle browser must not hold up the end of the run

    def __init__(
        self,
        host: str,
        port: int,
        pictures: PreviewPictures,
        figures: Callable[[], dict[str, Any]],
    ) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.pictures = pictures
        self.figures = figures
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._reading: dict[socket.socket, float] = {}
        """Connections whose request is not complete, and since when."""
        super().__init__((host, port), _Handler)
        self.is_local = ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, or sends it away where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.setblocking(False)
            request.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._reading.pop(request, None)
            self._places.release()

    def begins_request(self, connection: socket.socket) -> None:
        self._reading[connection] = time.monotonic()

    def has_request(self, connection: socket.socket) -> None:
        self._reading.pop(connection, None)

    def service_actions(self) -> None:
        """Ends requests that take too long to arrive; called ten times a second."""
        oldest = time.monotonic() - _REQUEST_SECONDS
        for connection in [c for c, since in list(self._reading.items()) if since < oldest]:
            self._reading.pop(connection, None)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # as above
        # A browser that closes its tab in the middle of a picture is not worth a word.
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, (ConnectionError, TimeoutError)):
            words = f"{type(error).__name__}: {one_line(error)[:200]}"
            print(f"dehaze-run: the preview failed to answer ({words!a})", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "dehaze-run"
    sys_version = ""
    timeout = _IDLE_SECONDS
    server: _Server

    def handle_one_request(self) -> None:
        self.server.begins_request(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        self.server.has_request(self.connection)
        if not self._is_host_ours():
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"not a name of this preview\n")
            return
        try:
            address = urlsplit(self.path)
        except ValueError:  # such as http://[
            self._answer(HTTPStatus.BAD_REQUEST, b"not an address\n")
            return
        if address.path in _PAGE:
            name, kind = _PAGE[address.path]
            self._answer(HTTPStatus.OK, (PREVIEW_FOLDER / name).read_bytes(), kind)
        elif address.path == "/figures.json":
            data = json.dumps(self.server.figures()).encode()
            self._answer(HTTPStatus.OK, data, "application/json")
        elif address.path == "/pair.jpg":
            self._answer_pair(parse_qs(address.query).get("after", ["0"])[0])
        elif address.path == "/snapshot.jpg":
            self._answer_picture(self.server.pictures.snapshot(_WAIT_SECONDS))
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _refuse(self) -> None:
        self.close_connection = True  # a body is not read
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD only\n", Allow="GET, HEAD")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse  # noqa: N815  # http.server's names

    def _answer_pair(self, seen: str) -> None:
        number = int(seen) if seen.isdecimal() and len(seen) < 20 else 0
        found = self.server.pictures.pair_after(number, _WAIT_SECONDS)
        if found:
            self._answer_picture(found[1], **{"X-Number": str(found[0])})
        else:
            self._answer_picture(None)

    def _answer_picture(self, data: bytes | None, **headers: str) -> None:
        if data is None:
            self._answer(HTTPStatus.NO_CONTENT)
        else:
            self._answer(HTTPStatus.OK, data, "image/jpeg", **headers)

    def _is_host_ours(self) -> bool:
        """Another name that leads to 127.0.0.1 is another site's script that reads our camera."""
        if not self.server.is_local:
            return True
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            return name == "localhost" or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _answer(
        self,
        status: HTTPStatus,
        data: bytes = b"",
        kind: str = "text/plain; charset=utf-8",
        **headers: str,
    ) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing: standard error is for what the user must know."""
