"""The behaviour of the browser page; needs what test_pictures.py needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import open_browser, picture

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.by import By  # after the skip
from selenium.webdriver.common.keys import Keys
from slider import SliderTests
from web_site import Site, allow_camera, choose, opened, transfer, wait_for


class TestSlider(SliderTests):
    """Runs the shared tests of a slider on the page's."""

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
    transfer(page, "paste", None)
    assert message.text == "There is no picture in what was dropped or pasted."
    choose(page, good)
    assert not message.is_displayed()


def test_a_picture_too_large_for_the_graphics_is_made_smaller(page: Any, tmp_path: Path) -> None:
    largest = page.execute_script(
        "const gl = document.createElement('canvas').getContext('webgl2');"
        "return gl.getParameter(gl.MAX_TEXTURE_SIZE)"
    )
    path = tmp_path / "panorama.png"
    cv2.imwrite(str(path), picture(160, 2 * largest))
    choose(page, path)
    assert page.find_element(By.ID, "size").text == f"{largest} \N{MULTIPLICATION SIGN} 80"
    assert f"up to {largest} pixels wide or high" in page.find_element(By.ID, "message").text


def test_of_a_camera_the_grid_changes_slowly_where_nothing_else_does(page: Any) -> None:
    """Nine cells of one channel, of which the picture changed in the last one, or in three."""
    values, changed = page.execute_async_script(
        """const [done] = arguments;
        import(new URL("smoothing.js", location.href)).then(({ smoothed }) => {
          const grid = (value, cells) => ({
            values: new Float32Array(9).fill(value), rows: 3, columns: 3, channels: 1,
            luminance: new Float32Array(36).fill(0.5).map((level, i) =>
              cells.includes(3 * Math.floor(i / 12) + Math.floor((i % 6) / 2)) ? 0.9 : level),
          });
          done([
            [...smoothed(grid(1, []), grid(2, [8])).values],
            [...smoothed(grid(1, []), grid(2, [6, 7, 8])).values],
          ]);
        });"""
    )
    assert values == pytest.approx([1.2] * 8 + [2])
    assert changed == [2] * 9  # a new scene


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
    """The contrast of a text with its background, as the WCAG defines it."""
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


def test_opened_from_a_file_the_page_says_what_it_needs(browser: Any, site: Site) -> None:
    browser.get((site.folder / "index.html").as_uri())
    wait_for(browser, "status", "Cannot start")
    assert "python3 -m http.server" in browser.find_element(By.ID, "message").text
