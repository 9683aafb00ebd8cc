"""The page that dehazes in the browser, built and served, and a browser to look at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(__file__).parents[2] / "build" / "npm" / "node_modules"
SECONDS = 60
"""How long a test waits for what must happen; a picture takes half a second."""


@dataclass
class Site:
    """A static web server: files of a folder, nothing else."""

    address: str
    requests: list[str] = field(default_factory=list)
    """Method and path of each."""


@contextmanager
def served(root: Path, path: str) -> Iterator[Site]:
    """Serves `root`; the page itself is below it at `path`."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            site.requests.append(f"{self.command} {self.path}")

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root))) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}/{path}/")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def require_packages() -> Path:
    """npm's folder; skips where `make web` has not fetched it."""
    if not (PACKAGES / "onnxruntime-web" / "dist").is_dir():
        pytest.skip("needs onnxruntime-web from npm: make build/npm/installed")
    return PACKAGES


def wait_for(browser: Any, element: str, *texts: str) -> None:
    """Waits until an element says one of these."""
    deadline = time.monotonic() + SECONDS
    while (text := browser.find_element("id", element).text) not in texts:
        complaint = browser.find_element("id", "message").text
        assert time.monotonic() < deadline, f"#{element} says {text!r}; the page: {complaint!r}"
        time.sleep(0.05)


def complaints(browser: Any) -> list[str]:
    """What the page has said in the console, without what Chromium says of having no GPU."""
    of_no_gpu = ("GL Driver Message", "software WebGL", "No available adapters")
    messages = [entry["message"] for entry in browser.get_log("browser")]
    return [text for text in messages if not any(words in text for words in of_no_gpu)]
