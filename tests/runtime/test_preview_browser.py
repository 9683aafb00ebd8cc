"""The preview in a real browser.

.ci/run installs it: apt-get install --no-install-recommends -y chromium chromium-driver
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_server import camera

from dehaze.runtime.live import LiveOptions, run_live
from dehaze.runtime.stream import DehazedFrame

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains  # after the skip
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CENTRES = """
return ["before", "after"].map((id) => {
  const from = document.getElementById(id);
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  pixel.drawImage(from, -from.width / 2, -from.height / 2);
  return pixel.getImageData(0, 0, 1, 1).data[0];
});"""
LEVELS = range(60, 200, 2)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running preview of a camera that grows lighter; after is half of before."""
    pictures = [np.full((240, 426, 3), level, np.uint8) for level in LEVELS]
    found: list[str] = []
    ended = threading.Event()

    def process(frame: Any) -> DehazedFrame:
        if ended.is_set():
            raise RuntimeError("ended by the test")
        return DehazedFrame(frame // 2, float(frame.mean()) / 255)

    def run() -> None:
        options = LiveOptions(preview_port=0, about={"model": "edge"})
        with pytest.raises(RuntimeError):
            run_live(source, None, process, options, tell=found.append)

    with camera(pictures) as source:
        thread = threading.Thread(target=run)
        thread.start()
        while not found:
            time.sleep(0.05)
        yield found[0].removeprefix("preview: ")
        ended.set()
        thread.join(10)


@pytest.fixture(params=[(1360, 860, False), (360, 740, True)], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Any:
    width, height, mobile = request.param
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    wait_until(lambda: browser.find_element(By.ID, "status").text == "Live")
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def wait_until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def split_of(page: Any) -> int:
    return int(page.find_element(By.ID, "split").get_attribute("aria-valuenow"))


def shown_split(page: Any) -> float:
    """Where the line really is, in percent of the picture's width."""
    share: float = page.execute_script(
        "const s = document.getElementById('stage').getBoundingClientRect();"
        "const l = document.getElementById('split').getBoundingClientRect();"
        "return 100 * (l.left + l.width / 2 - s.left) / s.width;"
    )
    return share


def test_the_picture_lives_and_both_halves_are_of_one_frame(page: Any) -> None:
    seen = set()
    for _ in range(12):
        before, after = page.execute_script(CENTRES)
        seen.add(before)
        assert after == pytest.approx(before / 2, abs=4)
        time.sleep(0.2)
    assert len(seen) > 5


def test_the_slider_is_dragged(page: Any) -> None:
    stage = page.find_element(By.ID, "stage")
    assert split_of(page) == 50
    handle = page.find_element(By.ID, "handle")
    offset = round(stage.size["width"] * 0.3)
    ActionChains(page).drag_and_drop_by_offset(handle, -offset, 0).perform()
    assert split_of(page) == pytest.approx(20, abs=1)
    assert shown_split(page) == pytest.approx(split_of(page), abs=1)
    ActionChains(page).drag_and_drop_by_offset(handle, 2 * offset, 0).perform()
    assert split_of(page) == pytest.approx(80, abs=1)


def test_a_finger_drags_the_slider(page: Any) -> None:
    box = page.find_element(By.ID, "stage").rect
    y = box["y"] + box["height"] / 2
    for kind, share in (("touchStart", 0.5), ("touchMove", 0.4), ("touchMove", 0.25)):
        points = [{"x": box["x"] + share * box["width"], "y": y}]
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert split_of(page) == pytest.approx(25, abs=1)


def test_the_picture_itself_is_cut_at_the_split(page: Any, tmp_path: Path) -> None:
    import cv2

    page.find_element(By.ID, "split").send_keys(Keys.HOME, *[Keys.PAGE_UP] * 7)
    assert split_of(page) == 70
    stage, path = page.find_element(By.ID, "stage"), tmp_path / "stage.png"
    stage.screenshot(str(path))
    row = cv2.imread(str(path))[-30, :, 0].astype(int)
    left, right = row[len(row) * 6 // 10], row[len(row) * 8 // 10]
    assert right == pytest.approx(left / 2, abs=5)  # after is half of before
    page.find_element(By.ID, "split").send_keys(Keys.HOME)


def test_the_slider_obeys_the_keyboard(page: Any) -> None:
    slider = page.find_element(By.ID, "split")
    for keys, expected in [
        ((Keys.ARROW_RIGHT,), 52), ((Keys.ARROW_LEFT, Keys.ARROW_LEFT), 48),
        ((Keys.PAGE_UP,), 58), ((Keys.END,), 100), ((Keys.ARROW_RIGHT,), 100), ((Keys.HOME,), 0),
    ]:  # fmt: skip
        slider.send_keys(*keys)
        assert split_of(page) == expected
        assert shown_split(page) == pytest.approx(expected, abs=0.5)
    assert slider.get_attribute("aria-valuetext") == "0 % before, 100 % after"


def test_figures_move(page: Any) -> None:
    frames = int(page.find_element(By.ID, "frames").text.replace(",", ""))
    haze = page.find_element(By.ID, "haze").get_attribute("aria-valuenow")
    wait_until(lambda: int(page.find_element(By.ID, "frames").text.replace(",", "")) > frames + 20)
    wait_until(lambda: page.find_element(By.ID, "haze").get_attribute("aria-valuenow") != haze)
    assert float(page.find_element(By.ID, "fps").text) > 5
    assert page.find_element(By.ID, "size").text == "426 \N{MULTIPLICATION SIGN} 240"
    assert page.find_element(By.ID, "model").text == "edge"
    assert not page.find_element(By.ID, "backend").is_displayed()  # nobody named one


def test_nothing_is_wider_than_the_screen(page: Any) -> None:
    wide, screen = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide == screen
