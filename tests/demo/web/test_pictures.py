"""The browser page dehazes pictures as dehaze-run does.

It needs Debian's chromium and chromium-driver, and what `make build/npm/installed` gets from npm.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import picture
from numpy.typing import NDArray

from dehaze.runtime import open_dehazer

pytest.importorskip("selenium", reason="needs selenium")
from build_page import build_page  # after the skip
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_site import (
    Pixels,
    Site,
    allow_camera,
    by_dehaze_run,
    choose,
    difference,
    model_with_channels,
    opened,
    require_packages,
    rgb,
    served,
    transfer,
    wait_for,
)

BEFORE = """
const before = document.querySelector(".before"), copy = document.createElement("canvas");
[copy.width, copy.height] = [before.width, before.height];
copy.getContext("2d").drawImage(before, 0, 0);
return copy.toDataURL().split(",")[1]; // PNG
"""


def set_strength(page: Any, percent: int) -> None:
    """Sets the strength to a multiple of ten."""
    page.find_element(By.ID, "strength").send_keys(Keys.HOME, *[Keys.PAGE_UP] * (percent // 10))


def hazy(street: Pixels, height: int, width: int) -> Pixels:
    """The street at another size."""
    return np.asarray(cv2.resize(street, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


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
    transfer(page, kind, path)
    wait_for(page, "size", "128 \N{MULTIPLICATION SIGN} 96")
    wait_for(page, "status", "Ready")
    clear = saved(f"{kind}ped-dehazed.png")
    assert difference(clear[..., :3], by_dehaze_run(path)) <= 2


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


def test_a_model_with_a_gain_for_each_colour(
    chrome: Any, saved: Any, street: Pixels, tmp_path: Path
) -> None:
    """It leaves the shared page behind, so it comes after the tests that use that."""
    hazy_path, model = tmp_path / "street.png", tmp_path / "model.onnx"
    cv2.imwrite(str(hazy_path), street[..., ::-1])
    shares = (1.0, 0.9, 1.1)
    channels = np.zeros((4, 6), np.float32)
    channels[0, :3], channels[1:, 3:] = shares, np.eye(3)
    model.write_bytes(model_with_channels(channels))
    build_page(tmp_path / "site" / "page", require_packages(), street, str(model))
    with served(tmp_path / "site", "page") as site:
        choose(opened(chrome, site), hazy_path)
        clear = saved("street-dehazed.png")[..., :3]
    with open_dehazer() as dehazer:
        grid = dehazer.estimate(street)
    gains, biases = grid.values[0, ..., :1] * np.float32(shares), grid.values[0, ..., 1:]
    full = [interpolated(part, grid.cell, street.shape[:2]) for part in (gains, biases)]
    expected = np.clip(street * full[0] + 255 * full[1], 0, 255)
    assert difference(clear, np.rint(expected).astype(np.uint8)) <= 2


def interpolated(values: NDArray[Any], cell: int, size: tuple[int, int]) -> NDArray[Any]:
    """(h, w, channels) to (H, W, channels), bilinearly between the cells' centres."""
    weights = []
    for cells, pixels in zip(values.shape[:2], size, strict=True):
        position = (np.arange(pixels) + 0.5) / cell - 0.5
        weights.append([np.interp(position, range(cells), row) for row in np.eye(cells)])
    return np.einsum("hy,wx,hwc->yxc", *map(np.array, weights), values, optimize=True)
