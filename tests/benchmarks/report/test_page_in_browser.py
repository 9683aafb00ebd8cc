"""The report in a real browser; see tests/runtime/preview/test_page.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import write_video
from result_files import files

from dehaze.benchmarks.cli import main

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.by import By  # after the skip
from selenium.webdriver.common.keys import Keys
from slider import SliderTests, split_of


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    video = write_video(folder / "clip.mp4", size=(640, 360))
    page = folder / "report.html"
    assert main(["report", *files(folder), "--pictures", str(video), "--out", str(page)]) == 0
    return page.as_uri()


@pytest.fixture
def page(screen: Any, address: str) -> Any:
    screen.get(address)
    return screen


class TestSlider(SliderTests):
    def test_the_others_stay_where_they_are(self, page: Any) -> None:
        page.find_element(By.CLASS_NAME, "split").send_keys(Keys.HOME)
        assert [split_of(page), split_of(page, 1)] == [0, 50]


def test_nothing_is_wider_than_the_screen_and_tables_scroll_by_themselves(page: Any) -> None:
    wide, screen = page.execute_script(
        "for (const more of document.querySelectorAll('details')) more.open = true;"
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide == screen
    for table in page.find_elements(By.CLASS_NAME, "wide"):
        page.execute_script("arguments[0].scrollLeft = 10000", table)
        name = table.find_element(By.CSS_SELECTOR, "tbody th").rect
        assert name["x"] >= table.rect["x"] - 1  # the model stays in sight


def test_the_pictures_are_there(page: Any) -> None:
    sizes = page.execute_script(
        "return [...document.querySelectorAll('.stage img')]"
        ".map((image) => [image.naturalWidth, image.complete])"
    )
    assert sizes == [[640, True]] * 4  # before and after of two frames


def test_the_picture_is_cut_at_the_split(page: Any, tmp_path: Path) -> None:
    stage = page.find_element(By.CLASS_NAME, "stage")
    shots = []
    for key in (Keys.HOME, Keys.END):
        page.find_element(By.CLASS_NAME, "split").send_keys(key)
        stage.screenshot(str(tmp_path / "stage.png"))
        shots.append(cv2.imread(str(tmp_path / "stage.png")).astype(int)[60:-20, 60:-60])
    assert abs(shots[0] - shots[1]).mean() > 5  # dehazed and hazy differ


def test_words_can_be_read_on_both_grounds(page: Any) -> None:
    """WCAG's contrast of 4.5 to 1, in both schemes; the labels of a plot too."""
    script = """
    const bright = (text) => {
      const parts = text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
      const [r, g, b] = parts.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const card = bright(getComputedStyle(document.querySelector("section")).backgroundColor);
    return [...document.querySelectorAll("h2, td, thead th, dt, dd, p, summary, text")]
      .filter((e) => e.closest("section")).map((e) => {
      const style = getComputedStyle(e);
      const ink = bright(e.tagName === "text" ? style.fill : style.color);
      return (Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05);
    });"""
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert min(page.execute_script(script)) >= 4.5, scheme
    sizes = page.execute_script(
        "return [...document.querySelectorAll('svg text')].map((t) => 12 * t.getScreenCTM().a)"
    )
    assert min(sizes) >= 9  # pixels on the screen, at a width of 360
