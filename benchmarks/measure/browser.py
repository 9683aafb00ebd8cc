"""The page that dehazes in the browser as a method: its own code, in a Chromium without a window.

A server here hands pictures to the page and takes what comes back. The page is the folder that
`make web` writes; only the few lines of `_PAGE` are added to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import DehazeError
from dehaze.runtime.model.shipped import model_bytes

__all__ = ["WEB_BUILD", "BrowserMethod", "missing_for_browser"]

WEB_BUILD = Path("build", "web")
"""Where `make web` writes the page, seen from the working folder."""
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-port=0"
)
_SECONDS = 120.0
"""Seconds for a start, or for a picture."""
_PAGE = b"""<!doctype html><canvas></canvas><script type="module">
import { Dehazer } from "./dehazer.js";
const canvas = document.querySelector("canvas");
const post = (words, body) => fetch("said?" + new URLSearchParams(words), { method: "POST", body });
try {
  const dehazer = await Dehazer.open(canvas, new URLSearchParams(location.search).get("engine"));
  await post({ engine: dehazer.engine });
  for (;;) {
    const answer = await fetch("next");
    if (answer.status !== 200) break;
    const bitmap = await createImageBitmap(await answer.blob(), { premultiplyAlpha: "none" });
    const began = performance.now();
    const prepared = await dehazer.prepared(bitmap);
    const { estimateMs } = dehazer.show(prepared, 1);
    dehazer.pixels.gl.readPixels(0, 0, 1, 1, 6408, 5121, new Uint8Array(4)); // waits for the GPU
    const milliseconds = performance.now() - began;
    dehazer.pixels.drawShown(1); // a canvas can be read only right after it was drawn
    const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
    bitmap.close();
    await post({ milliseconds, estimateMs }, picture);
  }
} catch (error) {
  await post({ error: error.message });
}
</script>"""

Picture = NDArray[np.uint8]


def missing_for_browser(model: Path) -> str:
    """Says what is not here of a Chromium and a page with this model; empty where both are."""
    if _chromium() is None:
        return "no Chromium on PATH; apt install chromium"
    about = WEB_BUILD / "model" / "model.json"
    if not about.is_file():
        return f"no {WEB_BUILD}; `make web` makes it"
    if json.loads(about.read_text())["sha256"] != hashlib.sha256(model_bytes(model)).hexdigest():
        return f"{WEB_BUILD} holds another network; `make web` makes it anew"
    return ""


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUMS)), None)


class BrowserMethod:
    """Dehazes pictures in the page; a context manager.

    Args:
        folder: the page, as `make web` writes it.
        engine: `webgpu` or `wasm`; empty for the one that the page chooses.
        isolated: send the two headers that give WebAssembly more than one thread.

    Raises:
        DehazeError: the page does not start, or does not answer.
    """

    def __init__(self, folder: Path, engine: str = "", *, isolated: bool = True) -> None:
        self._pictures: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        handler = partial(_Handler, method=self, isolated=isolated, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        address = f"http://127.0.0.1:{self._server.server_port}/measure?engine={engine}"
        # Chromium refuses to run as root with its sandbox; the page here is our own.
        as_root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        flags = [*_FLAGS.split(), *as_root, f"--user-data-dir={self._profile.name}"]
        program = _chromium()
        assert program, "missing_for_browser was not asked"
        quiet = subprocess.DEVNULL
        self._browser = subprocess.Popen([program, *flags, address], stdout=quiet, stderr=quiet)
        try:
            self.engine = self._answer()[0]["engine"]
            """What runs the network, as the page says it: `wasm, 2 threads`."""
        except BaseException:
            self.__exit__()
            raise
        self.milliseconds: list[float] = []
        """The time of each picture, from bitmap to canvas."""
        self.estimate_milliseconds: list[float] = []
        """The network's part of it."""

    def __call__(self, frame: Picture) -> Picture:
        done, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        assert done
        self._pictures.put(encoded.tobytes())
        words, content = self._answer()
        self.milliseconds.append(float(words["milliseconds"]))
        self.estimate_milliseconds.append(float(words["estimateMs"]))
        result = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        return np.asarray(result, np.uint8)

    def _answer(self) -> tuple[dict[str, str], bytes]:
        try:
            words, content = self._answers.get(timeout=_SECONDS)
        except queue.Empty:
            raise DehazeError(f"the browser did not answer within {_SECONDS:.0f} s") from None
        if "error" in words:
            raise DehazeError(f"the page failed: {words['error']}")
        return words, content

    def __enter__(self) -> BrowserMethod:
        return self

    def __exit__(self, *error: object) -> None:
        self._browser.terminate()
        self._browser.wait()
        self._server.shutdown()
        self._server.server_close()
        self._profile.cleanup()


class _Handler(SimpleHTTPRequestHandler):
    """Serves the page's files, `measure`, and both ways of the pictures."""

    def __init__(self, *words: Any, method: BrowserMethod, isolated: bool, directory: str) -> None:
        self._method = method
        self._isolated = isolated
        super().__init__(*words, directory=directory)

    def do_GET(self) -> None:
        if self.path.startswith("/measure"):
            self._send(_PAGE, "text/html")
        elif self.path == "/next":
            self._send(self._method._pictures.get(), "image/png")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._method._answers.put((dict(parse_qsl(urlsplit(self.path).query)), content))
        self._send(b"", "text/plain")

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass
