"""The browser page, built, served and opened once for each file of tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import open_browser
from web_site import Pixels, Site, complaints, opened, require_packages, rgb, served

DEMO = Path(__file__).parents[3] / "demo"


@pytest.fixture(scope="module")
def street() -> Pixels:
    """(360, 640, 3): a frame of the demo clip."""
    with av.open(str(DEMO / "street-hazy.mp4")) as clip:
        return next(clip.decode(video=0)).to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, street: Pixels) -> Iterator[Site]:
    """The page below a path, as GitHub Pages has it."""
    from build_page import build_page

    packages, root = require_packages(), tmp_path_factory.mktemp("site")
    build_page(root / "some/where", packages, street, "edge")
    with served(root, "some/where") as site:
        yield site


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def chrome(
    tmp_path_factory: pytest.TempPathFactory, street: Pixels, downloads: Path
) -> Iterator[Any]:
    """A browser with a camera that sees the street, standing still."""
    camera = tmp_path_factory.mktemp("camera") / "street.y4m"
    with av.open(str(camera), "w", format="yuv4mpegpipe") as container:
        video = container.add_stream("wrapped_avframe", rate=10)
        video.height, video.width, video.pix_fmt = *street.shape[:2], "yuv420p"
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(street, "rgb24")))
        container.mux(video.encode(None))
    flags = (
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    )
    with open_browser(tmp_path_factory.mktemp("profile"), *flags) as browser:
        behaviour = {"behavior": "allow", "downloadPath": str(downloads)}
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        yield browser


@pytest.fixture(scope="module")
def page(chrome: Any, site: Site) -> Any:
    """The page with its example, opened once; tests change the picture, not the strength."""
    return opened(chrome, site)


@pytest.fixture(autouse=True)
def _no_complaints(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "chrome" in request.fixturenames:
        assert complaints(request.getfixturevalue("chrome")) == []


@pytest.fixture
def saved(chrome: Any, downloads: Path) -> Callable[[str, str], Pixels]:
    """Presses a button and reads what it saves, (H, W, 3 or 4) RGB."""

    def press(name: str, kind: str = "image/png") -> Pixels:
        chrome.find_element("css selector", f"[data-save='{kind}']").click()
        deadline = time.monotonic() + 30
        # An empty file keeps the name for the complete one.
        while not (downloads / name).exists() or (downloads / name).stat().st_size == 0:
            assert time.monotonic() < deadline, [path.name for path in downloads.iterdir()]
            time.sleep(0.05)
        encoded = np.fromfile(downloads / name, np.uint8)
        (downloads / name).unlink()
        return rgb(encoded)

    return press
