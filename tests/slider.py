"""Moves a before/after slider by hand, finger and keyboard, and checks what it shows.

The live preview and the reports have the same one: `runtime/preview/slider.js`. A file of tests
makes a class of its own out of `SliderTests` and has a fixture `page`, a browser that shows it.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("selenium", reason="needs selenium")
from selenium.webdriver.common.action_chains import ActionChains  # after the skip
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def split_of(page: Any, number: int = 0) -> int:
    """The position in percent that the slider tells to a screen reader."""
    return int(page.find_elements(By.CLASS_NAME, "split")[number].get_attribute("aria-valuenow"))


def shown_split(page: Any) -> float:
    """The position of the drawn line, in percent of the picture's width."""
    share: float = page.execute_script(
        "const [s, l] = ['.stage', '.split'].map("
        "  (name) => document.querySelector(name).getBoundingClientRect());"
        "return 100 * (l.left + l.width / 2 - s.left) / s.width;"
    )
    return share


def tags_shown(page: Any) -> list[bool]:
    """Returns whether `Before` and `After` are written on the picture."""
    shown: list[bool] = page.execute_script(
        "return ['.left', '.right'].map("
        "  (name) => getComputedStyle(document.querySelector(name)).opacity === '1')"
    )
    return shown


class SliderTests:
    """Tests of the first slider of a page that has just been loaded."""

    def test_a_mouse_drags_the_slider(self, page: Any) -> None:
        assert split_of(page) == 50
        offset = round(page.find_element(By.CLASS_NAME, "stage").size["width"] * 0.3)
        for way, expected in ((-offset, 20), (2 * offset, 80)):
            handle = page.find_element(By.CLASS_NAME, "handle")
            ActionChains(page).drag_and_drop_by_offset(handle, way, 0).perform()
            assert split_of(page) == pytest.approx(expected, abs=1)
            assert shown_split(page) == pytest.approx(expected, abs=1)

    def test_a_finger_drags_the_slider(self, page: Any) -> None:
        left, top, width, height = page.execute_script(
            "const stage = document.querySelector('.stage');"
            "stage.scrollIntoView({block: 'center'});"
            "const b = stage.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
        )
        for kind, share in (("touchStart", 0.5), ("touchMove", 0.4), ("touchMove", 0.25)):
            points = [{"x": left + share * width, "y": top + height / 2}]
            page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert split_of(page) == pytest.approx(25, abs=1)

    def test_the_slider_obeys_the_keyboard(self, page: Any) -> None:
        slider = page.find_element(By.CLASS_NAME, "split")
        for keys, expected in [
            ((Keys.ARROW_RIGHT,), 52), ((Keys.ARROW_LEFT, Keys.ARROW_LEFT), 48),
            ((Keys.PAGE_UP,), 58), ((Keys.SHIFT, Keys.ARROW_DOWN), 48),
            ((Keys.END,), 100), ((Keys.ARROW_RIGHT,), 100), ((Keys.HOME,), 0),
        ]:  # fmt: skip
            slider.send_keys(*keys)
            assert split_of(page) == expected
            assert shown_split(page) == pytest.approx(expected, abs=0.5)
        assert slider.get_attribute("aria-valuetext") == "0 % before, 100 % after"

    def test_the_line_does_not_run_through_words(self, page: Any) -> None:
        slider = page.find_element(By.CLASS_NAME, "split")
        assert tags_shown(page) == [True, True]
        slider.send_keys(Keys.END)
        assert tags_shown(page) == [True, False]
        slider.send_keys(Keys.HOME)
        assert tags_shown(page) == [False, True]
