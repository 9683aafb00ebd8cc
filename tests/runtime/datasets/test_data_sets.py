from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.runtime.datasets.data_sets import find_data_sets
from dehaze.runtime.errors import InputError

LAYOUTS = {
    "SOTS-indoor": {
        "hazy/1400_2.webp": "clear/1400.png",
        "hazy/1400_10.png": "clear/1400.png",
        "hazy/1401_1.png": "clear/1401.png",
    },
    "ITS": {"hazy/1399_10_0.74031.png": "clear/1399.png"},
    "SOTS-outdoor": {
        "hazy/0001_0.8_0.2.jpg": "gt/0001.png",
        "hazy/0002_1_0.08.jpg": "gt/0002.png",
    },
    "OTS": {
        "haze/part1/0001_0.8_0.2.jpg": "clear/clear_images/0001.jpg",
        "haze/part1/0001_0.9_0.2.jpg": "clear/clear_images/0001.jpg",
    },
    "Haze4K": {"IN/1_0.5_0.9.png": "GT/1.png", "IN/2_0.66_1.87.png": "GT/2.png"},
    "O-HAZE": {"hazy/01_outdoor_hazy.jpg": "GT/01_outdoor_GT.jpg"},
    "I-HAZE": {"hazy/01_indoor_hazy.jpg": "GT/01_indoor_GT.JPG"},
    "Dense-Haze": {"hazy/01_hazy.png": "GT/01_GT.png"},
    "NH-HAZE": {"01_hazy.png": "01_GT.png"},
    "BeDDE": {
        "beijing/fog/beijing_1.png": "beijing/gt/beijing_clear.png",
        "tianjin/fog/tianjin_1.png": "tianjin/gt/tianjin_clear.png",
    },
    "pairs": {"hazy/51.png": "GT/51.png"},
}


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised(layout: str, tmp_path: Path) -> None:
    expected = LAYOUTS[layout]
    make(tmp_path, *expected, *expected.values(), "notes.txt", "._x.png")
    (found,) = find_data_sets(tmp_path)
    assert (found.layout, found.kind) == (layout, "pairs")
    assert {
        pair.hazy.relative_to(tmp_path).as_posix(): pair.clear.relative_to(tmp_path).as_posix()
        for pair in found.pairs
    } == expected


def test_photographs_and_scenes_with_depth_are_recognised(tmp_path: Path) -> None:
    make(tmp_path, "alone/b.png", "alone/a.jpg", "alone/c_hazy.png", "deep/clear/1.png")
    make(tmp_path, "deep/depth/1.png")
    (alone,) = find_data_sets(tmp_path / "alone")
    assert (alone.kind, alone.layout) == ("photographs", "photographs")
    assert [path.name for path in alone.photographs] == ["a.jpg", "b.png", "c_hazy.png"]
    (deep,) = find_data_sets(tmp_path / "deep")
    assert (deep.kind, len(deep.scenes), deep.border) == ("rooms", 1, 0)


def test_data_sets_that_are_known_by_name_are_found_together(tmp_path: Path) -> None:
    make(tmp_path, *(f"nyu/{kind}/{n}.jpg" for kind in ("image", "depth") for n in range(60)))
    make(tmp_path, *(f"o-haze/{kind}/{n}.jpg" for kind in ("hazy", "clear") for n in range(9)))
    make(tmp_path, "sots-indoor/hazy/1400_1.png", "sots-indoor/gt/1400.png")
    make(tmp_path, "real-hazy/a.jpg", "real-hazy/b.jpg")
    nyu, o_haze, hazy = find_data_sets(tmp_path)  # SOTS is for testing: only by its own name
    assert (hazy.name, hazy.kind, hazy.held_out, len(hazy.files)) == ("real-hazy", "unpaired", 2, 2)
    assert (nyu.name, nyu.kind, nyu.held_out, nyu.border) == ("nyu", "rooms", 50, 10)
    assert (o_haze.name, o_haze.kind, o_haze.held_out, o_haze.finer) == ("o-haze", "pairs", 5, True)


def test_whole_scenes_are_held_out_the_last_ones(tmp_path: Path) -> None:
    make(tmp_path, *(f"gt/{scene}.png" for scene in range(1, 41)))
    make(tmp_path, *(f"hazy/{scene}_{n}.png" for scene in range(1, 41) for n in (1, 2, 3)))
    (found,) = find_data_sets(tmp_path)
    held_out = found.pairs[len(found.pairs) - found.held_out :]
    assert {pair.clear.stem for pair in held_out} == {"39", "40"}  # one in twenty
    assert len(held_out) == 6


def test_folders_without_pictures_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got an empty folder"):
        find_data_sets(tmp_path)
    make(tmp_path, "SOTS/readme.txt")
    with pytest.raises(InputError, match="got SOTS"):
        find_data_sets(tmp_path)
    with pytest.raises(InputError, match="expected a folder of pictures, got no such folder"):
        find_data_sets(tmp_path / "nowhere")
