from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.benchmarks.measure.datasets import find_data_set
from dehaze.runtime import InputError

LAYOUTS = {
    "SOTS-indoor": {
        "hazy/1400_2.webp": ("clear/1400.png", 0.7),
        "hazy/1400_10.png": ("clear/1400.png", 1.5),
        "hazy/1401_1.png": ("clear/1401.png", 0.6),
    },
    "SOTS-outdoor": {
        "hazy/0001_0.8_0.2.jpg": ("gt/0001.png", 0.2),
        "hazy/0002_1_0.08.jpg": ("gt/0002.png", 0.08),
    },
    "Haze4K": {
        "IN/1_0.5_0.9.png": ("GT/1.png", 0.9),
        "IN/2_0.66_1.87.png": ("GT/2.png", 1.9),
    },
    "O-HAZE": {"hazy/01_outdoor_hazy.jpg": ("GT/01_outdoor_GT.jpg", None)},
    "I-HAZE": {"hazy/01_indoor_hazy.jpg": ("GT/01_indoor_GT.JPG", None)},
    "Dense-Haze": {"hazy/01_hazy.png": ("GT/01_GT.png", None)},
    "NH-HAZE": {"01_hazy.png": ("01_GT.png", None)},
    "photographs": {"a.jpg": (None, None), "b2_hazy.png": (None, None)},
}


def make(folder: Path, *names: str | None) -> None:
    for name in names:
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised(layout: str, tmp_path: Path) -> None:
    expected = LAYOUTS[layout]
    make(tmp_path, *expected, *(clear for clear, _ in expected.values()), "notes.txt", "._x.png")
    found = find_data_set(tmp_path)
    assert found.layout == layout
    assert [str(item.hazy.relative_to(tmp_path)) for item in found.items] == list(expected)
    for item, (clear, beta) in zip(found.items, expected.values(), strict=True):
        assert item.clear == (tmp_path / clear if clear else None)
        assert (item.haze.beta if item.haze else None) == (beta and pytest.approx(beta))
    assert found.has_references == (layout != "photographs")


@pytest.mark.parametrize(
    ("hazy", "clear", "layout"),
    [
        ("hazy/1400_1.png", "gt/1400.png", "SOTS-indoor"),
        ("hazy/0001_0.8_0.2.jpg", "clear/0001.png", "SOTS-outdoor"),
        ("haze/1_0.5_0.9.png", "gt/1.png", "Haze4K"),
        ("hazy/01_outdoor_hazy.jpg", "gt/01_outdoor_gt.jpg", "O-HAZE"),
    ],
)
def test_other_names_of_the_folders(hazy: str, clear: str, layout: str, tmp_path: Path) -> None:
    make(tmp_path, hazy, clear)
    found = find_data_set(tmp_path)
    assert found.layout == layout
    assert found.items[0].clear == tmp_path / clear


def test_a_missing_partner_is_named_with_its_place(tmp_path: Path) -> None:
    make(tmp_path, "hazy/1400_1.png", "hazy/1401_1.png", "hazy/1402_1.png", "clear/1400.png")
    with pytest.raises(InputError) as raised:
        find_data_set(tmp_path)
    message = str(raised.value)
    assert "1401_1.png: expected its clear picture 1401.* in" in message
    assert "(SOTS-indoor), found none, nor for 1 others" in message
    assert "\n" not in message


def test_two_clear_pictures_of_one_scene_are_told(tmp_path: Path) -> None:
    make(tmp_path, "hazy/1_2.png", "clear/1.png", "gt/1.png")
    with pytest.raises(InputError, match="expected one clear picture a scene"):
        find_data_set(tmp_path)


def test_folders_without_pictures_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found an empty folder"):
        find_data_set(tmp_path)
    make(tmp_path, "SOTS/readme.txt")
    with pytest.raises(InputError, match="found SOTS"):
        find_data_set(tmp_path)
    with pytest.raises(InputError, match="expected a folder"):
        find_data_set(tmp_path / "nowhere")


def test_what_is_not_measured_is_counted_and_a_name_counts_once(tmp_path: Path) -> None:
    make(tmp_path, "hazy/1400_1.png", "hazy/1400_11.png", "hazy/other.png", "clear/1400.png")
    (tmp_path / "hazy" / "1400_2.png").mkdir()
    found = find_data_set(tmp_path)
    assert (len(found.items), found.left_out) == (1, 2)
    make(tmp_path, "hazy/1400_1.webp")
    with pytest.raises(
        InputError, match=r"1400_1\.webp: expected each name once, got .*1400_1.png"
    ):
        find_data_set(tmp_path)


def test_one_folder_too_far_up_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "indoor").mkdir()
    make(tmp_path, "indoor/hazy/1400_1.png", "indoor/gt/1400.png")
    with pytest.raises(InputError, match=f"name one of its folders, {tmp_path}/indoor for example"):
        find_data_set(tmp_path)
