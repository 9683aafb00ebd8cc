from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.benchmarks.measure.datasets import pictures_to_measure
from dehaze.runtime import InputError


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("hazy", "clear", "beta", "label"),
    [
        ("hazy/1400_2.webp", "gt/1400.png", 0.7, "_2 (beta 0.7)"),
        ("hazy/0001_0.8_0.2.jpg", "clear/0001.png", 0.2, "beta 0.2"),
        ("haze/2_0.66_1.87.png", "gt/2.png", 1.9, "beta 1.9"),
    ],
)
def test_names_say_how_much_haze_there_is(
    hazy: str, clear: str, beta: float, label: str, tmp_path: Path
) -> None:
    make(tmp_path, hazy, clear)
    (item,) = pictures_to_measure(tmp_path).items
    assert (item.hazy, item.clear) == (tmp_path / hazy, tmp_path / clear)
    assert item.haze is not None
    assert item.haze.beta == pytest.approx(beta)
    assert item.haze.label == label


def test_other_names_say_nothing_of_haze(tmp_path: Path) -> None:
    make(tmp_path, "hazy/51.png", "GT/51.png")
    found = pictures_to_measure(tmp_path)
    assert (found.layout, found.has_references, found.items[0].haze) == ("pairs", True, None)


def test_photographs_have_no_references(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b2_hazy.png")
    found = pictures_to_measure(tmp_path)
    assert not found.has_references
    assert [(item.hazy.name, item.clear) for item in found.items] == [
        ("a.jpg", None),
        ("b2_hazy.png", None),
    ]


def test_a_name_counts_once(tmp_path: Path) -> None:
    make(tmp_path, "hazy/1400_1.png", "hazy/1400_1.webp", "clear/1400.png")
    with pytest.raises(
        InputError, match=r"1400_1\.webp: expected each name once, got .*1400_1.png"
    ):
        pictures_to_measure(tmp_path)


def test_a_data_set_below_is_found_and_one_of_several_must_be_named(tmp_path: Path) -> None:
    make(tmp_path, "indoor/hazy/1400_1.png", "indoor/gt/1400.png")
    assert len(pictures_to_measure(tmp_path).items) == 1
    make(tmp_path, "outdoor/hazy/0001_0.8_0.2.jpg", "outdoor/gt/0001.png")
    with pytest.raises(InputError, match=f"got 2, {tmp_path}/indoor and .*outdoor .*; name one"):
        pictures_to_measure(tmp_path)


def test_what_is_for_training_alone_is_not_measured(tmp_path: Path) -> None:
    make(tmp_path, "nyu/image/1.jpg", "nyu/depth/1.png", "i-haze/hazy/1.png", "i-haze/GT/1.png")
    with pytest.raises(InputError, match="clear ones with depth; they are for training"):
        pictures_to_measure(tmp_path / "nyu")
    with pytest.raises(InputError, match=f"got 2, {tmp_path}/nyu and {tmp_path}/i-haze .*name one"):
        pictures_to_measure(tmp_path)
