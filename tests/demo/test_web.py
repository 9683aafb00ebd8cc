"""The page that dehazes in the browser, in a real one, against the same pictures by dehaze-run.

It needs Debian's chromium and chromium-driver, and what `make build/npm/installed` gets from npm.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from conftest import open_browser, picture
from numpy.typing import NDArray

from dehaze.runtime import open_dehazer
from dehaze.runtime.cli import main as dehaze_run

pytest.importorskip("selenium", reason="needs selenium")
from build_page import build_page  # after the skip
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from slider import SliderTests
from web_site import Site, complaints, require_packages, served, wait_for

DEMO = Path(__file__).parents[2] / "demo"
Pixels = NDArray[np.uint8]

TRANSFER = """
const [kind, type, name, bytes] = arguments;
const files = new DataTransfer();
if (name) files.items.add(new File([Uint8Array.from(bytes)], name, { type }));
const event = kind === "paste"
  ? new ClipboardEvent(kind, { clipboardData: files, bubbles: true })
  : new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
document.querySelector("main").dispatchEvent(event);
"""
BEFORE = """
const before = document.querySelector(".before"), copy = document.createElement("canvas");
[copy.width, copy.height] = [before.width, before.height];
copy.getContext("2d").drawImage(before, 0, 0);
return copy.toDataURL().split(",")[1]; // PNG
"""


@pytest.fixture(scope="module")
def street() -> Pixels:
    """(360, 640, 3): a frame of the demo clip."""
    with av.open(str(DEMO / "street-hazy.mp4")) as clip:
        return next(clip.decode(video=0)).to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, street: Pixels) -> Iterator[Site]:
    """The page below a path, as GitHub Pages has it."""
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


def opened(chrome: Any, site: Site) -> Any:
    chrome.get(site.address)
    wait_for(chrome, "status", "Ready")
    return chrome


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
def saved(page: Any, downloads: Path) -> Callable[[str, str], Pixels]:
    """Presses a button and reads what it saves, (H, W, 3 or 4) RGB."""

    def press(name: str, kind: str = "image/png") -> Pixels:
        page.find_element(By.CSS_SELECTOR, f"[data-save='{kind}']").click()
        deadline = time.monotonic() + 30
        # An empty file keeps the name for the complete one.
        while not (downloads / name).exists() or (downloads / name).stat().st_size == 0:
            assert time.monotonic() < deadline, [path.name for path in downloads.iterdir()]
            time.sleep(0.05)
        encoded = np.fromfile(downloads / name, np.uint8)
        (downloads / name).unlink()
        return rgb(encoded)

    return press


def rgb(encoded: Pixels) -> Pixels:
    """(H, W, 3 or 4) from a file's bytes."""
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, order), np.uint8)


def choose(page: Any, path: Path) -> None:
    """Through the file dialogue's own input."""
    page.find_element(By.ID, "file").send_keys(str(path))
    wait_for(page, "status", "Ready")


def allow_camera(page: Any, site: Site, setting: str) -> None:
    """`granted` or `denied`."""
    permission = {"permission": {"name": "camera"}, "setting": setting}
    origin = site.address.removesuffix("/some/where/")
    page.execute_cdp_cmd("Browser.setPermission", {**permission, "origin": origin})


def set_strength(page: Any, percent: int) -> None:
    """To a multiple of ten."""
    page.find_element(By.ID, "strength").send_keys(Keys.HOME, *[Keys.PAGE_UP] * (percent // 10))


def by_dehaze_run(path: Path, *options: str) -> Pixels:
    """(H, W, 3 or 4): the result of the command on a file."""
    result = path.parent / "by-dehaze-run.png"
    assert dehaze_run([str(path), str(result), "--overwrite", *options]) == 0
    return rgb(np.fromfile(result, np.uint8))


def difference(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def hazy(street: Pixels, height: int, width: int) -> Pixels:
    """The street at another size."""
    return np.asarray(cv2.resize(street, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class TestSlider(SliderTests):
    """That of the page."""

    @pytest.fixture
    def page(self, page: Any) -> Any:
        page.find_element(By.CLASS_NAME, "split").send_keys(Keys.HOME, *[Keys.PAGE_UP] * 5)
        return page


def test_the_example_is_dehazed_at_first_sight_and_nothing_leaves(chrome: Any, site: Site) -> None:
    site.requests.clear()
    page = opened(chrome, site)
    assert page.find_element(By.ID, "size").text == "640 \N{MULTIPLICATION SIGN} 360"
    assert int(page.find_element(By.ID, "haze").get_attribute("aria-valuenow")) > 20
    assert page.find_element(By.ID, "engine").text == "wasm, 1 thread"
    assert all(request.startswith("GET /some/where/") for request in site.requests), site.requests
    elsewhere = page.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        "  .filter((name) => !name.startsWith(location.href))"
    )
    assert elsewhere == []


@pytest.mark.parametrize("size", [(64, 65), (360, 640), (700, 1003)])
def test_a_picture_comes_out_as_by_dehaze_run(
    page: Any, saved: Any, street: Pixels, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "a b.png"
    cv2.imwrite(str(path), hazy(street, *size)[..., ::-1])
    choose(page, path)
    clear = saved("a b-dehazed.png")
    assert difference(clear[..., :3], by_dehaze_run(path)) <= 2
    assert difference(clear[..., :3], hazy(street, *size)) > 40


def test_strength_counts_and_nought_gives_the_picture_itself(
    page: Any, saved: Any, street: Pixels, tmp_path: Path
) -> None:
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), street[..., ::-1])
    choose(page, path)
    try:
        set_strength(page, 60)
        assert page.find_element(By.ID, "strength-value").text == "60 %"
        clear = saved("street-dehazed.png")[..., :3]
        assert difference(clear, by_dehaze_run(path, "--strength", "0.6")) <= 2
        set_strength(page, 0)
        assert difference(saved("street-dehazed.png")[..., :3], street) == 0
    finally:
        set_strength(page, 100)


def test_transparency_stays(page: Any, saved: Any, street: Pixels, tmp_path: Path) -> None:
    alpha = np.full(street.shape[:2], 255, np.uint8)
    alpha[100:200, 100:300] = 128
    path = tmp_path / "glass.png"
    cv2.imwrite(str(path), np.dstack((street[..., ::-1], alpha)))
    choose(page, path)
    clear = saved("glass-dehazed.png")
    np.testing.assert_array_equal(clear[..., 3], alpha)
    assert difference(clear, by_dehaze_run(path)) <= 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_is_upright_and_saved_as_jpeg(
    page: Any, saved: Any, street: Pixels, tmp_path: Path, orientation: int
) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(street).save(path, quality=95, exif=exif)
    choose(page, path)
    clear = saved("photo-dehazed.png")[..., :3]
    assert clear.shape == ((360, 640, 3) if orientation == 1 else (640, 360, 3))
    assert difference(clear, by_dehaze_run(path)) <= 2
    jpeg = saved("photo-dehazed.jpg", "image/jpeg")
    assert np.abs(jpeg.astype(int) - clear).mean() < 2


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be(page: Any, saved: Any, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}ped.png"
    cv2.imwrite(str(path), picture(96, 128)[..., ::-1])
    page.execute_script(TRANSFER, kind, "image/png", path.name, list(path.read_bytes()))
    wait_for(page, "size", "128 \N{MULTIPLICATION SIGN} 96")
    wait_for(page, "status", "Ready")
    clear = saved(f"{kind}ped-dehazed.png")
    assert difference(clear[..., :3], by_dehaze_run(path)) <= 2


def test_what_cannot_be_done_is_said_in_a_line(page: Any, tmp_path: Path) -> None:
    text, small, good = (tmp_path / name for name in ("text.png", "small.png", "good.png"))
    text.write_text("not a picture")
    cv2.imwrite(str(small), picture(20, 500))
    cv2.imwrite(str(good), picture(64, 80))
    choose(page, text)
    message = page.find_element(By.ID, "message")
    assert message.text.startswith("text.png is not a picture that this browser can read")
    choose(page, small)
    assert message.text == (
        "The picture has 500 \N{MULTIPLICATION SIGN} 20 pixels; "
        "it takes at least 64 \N{MULTIPLICATION SIGN} 64."
    )
    page.execute_script(TRANSFER, "paste", "", "", [])
    assert message.text == "There is no picture in what was dropped or pasted."
    choose(page, good)
    assert not message.is_displayed()


def test_the_camera_is_dehazed_and_can_be_stopped(page: Any, site: Site, saved: Any) -> None:
    allow_camera(page, site, "granted")
    button = page.find_element(By.ID, "camera")
    button.click()
    wait_for(page, "status", "Live")
    time.sleep(1)  # some frames
    before = rgb(np.frombuffer(base64.b64decode(page.execute_script(BEFORE)), np.uint8))[..., :3]
    clear = saved("camera-dehazed.png")[..., :3]
    with open_dehazer() as dehazer:
        assert difference(clear, dehazer(np.ascontiguousarray(before))) <= 2
    assert button.text == "Stop the camera"
    button.click()
    wait_for(page, "status", "Ready")
    assert button.text == "Use the camera"
    assert difference(saved("camera-dehazed.png")[..., :3], clear) <= 2  # the last frame stays


def test_a_refused_camera_is_said_in_a_line(page: Any, site: Site) -> None:
    refused = "The camera was refused. Allow it for this page in the browser, then try again."
    allow_camera(page, site, "denied")
    page.find_element(By.ID, "camera").click()
    wait_for(page, "message", refused)
    assert page.find_element(By.ID, "status").text == "Ready"


@pytest.mark.parametrize("width", [320, 390, 1360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_legible(page: Any, width: int, scheme: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 900}
    feature = {"name": "prefers-color-scheme", "value": scheme}
    try:
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        content, screen = page.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert content == screen
        for selector in ("footer", "#choose", "#camera", "dt", "dd", "#message"):
            assert contrast(page, selector) >= 4.5, selector
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(page: Any, selector: str) -> float:
    """Of a text and what is behind it, as the WCAG has it."""
    colours = page.execute_script(
        "let place = document.querySelector(arguments[0]);"
        "const found = [getComputedStyle(place).color];"
        "while (getComputedStyle(place).backgroundColor === 'rgba(0, 0, 0, 0)')"
        "  place = place.parentElement;"
        "found.push(getComputedStyle(place).backgroundColor);"
        "return found.map((text) => text.match(/\\d+/g).slice(0, 3).map(Number))",
        selector,
    )
    levels = np.array(colours) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ (0.2126, 0.7152, 0.0722))
    return float((light + 0.05) / (dark + 0.05))


def test_without_webgl_the_page_says_so(site: Site, tmp_path: Path) -> None:
    with open_browser(tmp_path, "--disable-3d-apis") as browser:
        browser.get(site.address)
        wait_for(browser, "status", "Cannot start")
        assert browser.find_element(By.ID, "message").text == (
            "This page needs WebGL 2, which this browser does not have or has switched off."
        )
        assert not browser.find_element(By.ID, "choose").is_enabled()
        page = require_packages().parents[1] / "web" / "index.html"
        if page.is_file():
            browser.get(page.as_uri())
            wait_for(browser, "status", "Cannot start")
            assert "python3 -m http.server" in browser.find_element(By.ID, "message").text
