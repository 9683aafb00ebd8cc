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

from dehaze.runtime.live.run import LiveOptions, run_live
from dehaze.runtime.stream import DehazedFrame

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.by import By  # after the skip
from selenium.webdriver.common.keys import Keys
from slider import SliderTests, split_of

CENTRES = """
return [".before", ".after"].map((name) => {
  const from = document.querySelector(name);
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


@pytest.fixture
def page(screen: Any, address: str) -> Any:
    screen.get(address)
    wait_until(lambda: screen.find_element(By.ID, "status").text == "Live")
    return screen


class TestSlider(SliderTests):
    """Runs the shared tests of a slider on the preview's."""


def wait_until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def test_the_picture_lives_and_both_halves_are_of_one_frame(page: Any) -> None:
    seen = set()
    for _ in range(12):
        before, after = page.execute_script(CENTRES)
        seen.add(before)
        assert after == pytest.approx(before / 2, abs=4)
        time.sleep(0.2)
    assert len(seen) > 5


def test_the_picture_itself_is_cut_at_the_split(page: Any, tmp_path: Path) -> None:
    import cv2

    page.find_element(By.CLASS_NAME, "split").send_keys(Keys.HOME, *[Keys.PAGE_UP] * 7)
    assert split_of(page) == 70
    stage, path = page.find_element(By.CLASS_NAME, "stage"), tmp_path / "stage.png"
    stage.screenshot(str(path))
    row = cv2.imread(str(path))[-30, :, 0].astype(int)
    left, right = row[len(row) * 6 // 10], row[len(row) * 8 // 10]
    assert right == pytest.approx(left / 2, abs=5)  # after is half of before


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
