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

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime.cli import main as dehaze_run
from dehaze.runtime.model.shipped import model_path

Pixels = NDArray[np.uint8]

PACKAGES = Path(__file__).parents[3] / "build" / "npm" / "node_modules"
SECONDS = 60
"""How long a test waits for what must happen; a picture takes half a second."""
_TRANSFER = """
const [kind, type, name, bytes] = arguments;
const files = new DataTransfer();
if (name) files.items.add(new File([Uint8Array.from(bytes)], name, { type }));
const event = kind === "paste"
  ? new ClipboardEvent(kind, { clipboardData: files, bubbles: true })
  : new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
document.querySelector("main").dispatchEvent(event);
"""


@dataclass
class Site:
    """A static web server: files of a folder, nothing else."""

    folder: Path
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
        site = Site(root / path, f"http://127.0.0.1:{server.server_port}/{path}/")
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


def opened(chrome: Any, site: Site) -> Any:
    """The browser at the page, which shows its example."""
    chrome.get(site.address)
    wait_for(chrome, "status", "Ready")
    return chrome


def transfer(page: Any, kind: str, path: Path | None) -> None:
    """Drops or pastes a PNG file, or something that is none."""
    name, content = (path.name, list(path.read_bytes())) if path else ("", [])
    page.execute_script(_TRANSFER, kind, "image/png", name, content)


def choose(page: Any, path: Path) -> None:
    """Through the file dialogue's own input."""
    page.find_element("id", "file").send_keys(str(path))
    wait_for(page, "status", "Ready")


def allow_camera(page: Any, site: Site, setting: str) -> None:
    """`granted` or `denied`."""
    permission = {"permission": {"name": "camera"}, "setting": setting}
    origin = site.address.removesuffix("/some/where/")
    page.execute_cdp_cmd("Browser.setPermission", {**permission, "origin": origin})


def by_dehaze_run(path: Path, *options: str) -> Pixels:
    """(H, W, 3 or 4): the result of the command on a file."""
    result = path.parent / "by-dehaze-run.png"
    assert dehaze_run([str(path), str(result), "--overwrite", *options]) == 0
    return rgb(np.fromfile(result, np.uint8))


def rgb(encoded: Pixels) -> Pixels:
    """(H, W, 3 or 4) from a file's bytes."""
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)


def difference(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def model_with_channels(channels: NDArray[np.float32]) -> bytes:
    """The shipped model with other channels in its grid.

    Args:
        channels: (4, C), what each new one has of the gain and the biases of R, G, B.
    """
    import onnx

    model = onnx.load(model_path("edge"))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["one_gain" if name == "grid" else name for name in names]
    model.graph.initializer.append(onnx.numpy_helper.from_array(channels, "channels"))
    model.graph.node.append(onnx.helper.make_node("MatMul", ["one_gain", "channels"], ["grid"]))
    output = next(output for output in model.graph.output if output.name == "grid")
    output.type.tensor_type.shape.dim[3].dim_value = channels.shape[1]
    return bytes(model.SerializeToString())
