from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.runtime.datasets.file_names import HazyName, parse_hazy_name
from dehaze.runtime.datasets.pairs import depth_scenes, find_pairs, match_pairs
from dehaze.runtime.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path) -> list[tuple[str, str]]:
    """(hazy, clear) of every pair, relative to the folder."""
    return [
        (pair.hazy.relative_to(folder).as_posix(), pair.clear.relative_to(folder).as_posix())
        for pair in find_pairs(folder)
    ]


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("1399_10_0.74031", HazyName("1399", level=10, airlight=0.74031)),  # ITS
        ("240_1_1", HazyName("240", level=1, airlight=1.0)),
        ("0001_0.8_0.2", HazyName("0001", airlight=0.8, beta=0.2)),  # OTS, SOTS-outdoor
        ("0240_1_0.08", HazyName("0240", airlight=1.0, beta=0.08)),
        ("1_0.89_1.56", HazyName("1", airlight=0.89, beta=1.56)),  # Haze4K
        ("1400_1", HazyName("1400", level=1)),  # SOTS-indoor
        ("01_outdoor_hazy", HazyName("01_outdoor")),  # O-HAZE
        ("street", HazyName("street")),
    ],
)
def test_a_hazy_files_name_says_how_it_was_made(stem: str, name: HazyName) -> None:
    assert parse_hazy_name(stem) == name


@pytest.mark.parametrize(
    ("hazy", "clear"),
    [
        ("hazy/1399_10_0.74031.png", "clear/1399.png"),  # ITS of RESIDE-standard
        ("ITS_haze/1399_10_0.74031.png", "ITS_clear/1399.png"),  # ITS of RESIDE v0
        ("haze/part1/0001_0.8_0.2.jpg", "clear/clear_images/0001.jpg"),  # OTS, as it unpacks
        ("OTS/0001_0.8_0.2.jpg", "clear_images/0001.jpg"),
        ("hazy/part4/0001_1_0.2.jpg", "clear/0001.jpg"),
        ("hazy/0001_0.8_0.2.jpg", "gt/0001.png"),  # SOTS-outdoor
        ("SOTS/indoor/nyuhaze500/hazy/1400_1.png", "SOTS/indoor/nyuhaze500/gt/1400.png"),
        ("hazy_jpg/1400_1.JPG", "GT/1400.webp"),
        ("input/12.png", "target/12.png"),  # RESIDE-6K, as many unpack it
        (
            "# O-HAZY NTIRE 2018/hazy/01_outdoor_hazy.jpg",
            "# O-HAZY NTIRE 2018/GT/01_outdoor_GT.jpg",
        ),
        ("IN/1_0.5_0.9.png", "GT/1.png"),  # Haze4K
        ("hazy/51.png", "clear/51.png"),
        ("hazy/51.png", "GT/51.png"),
        ("hazy/01_outdoor_hazy.jpg", "gt/01_outdoor_gt.jpg"),
        ("beijing/fog/beijing_12.png", "beijing/gt/beijing_clear.png"),  # BeDDE, one of its cities
        ("01_hazy.png", "01_GT.png"),  # NH-HAZE
        ("NH-HAZE/01_hazy.png", "NH-HAZE/01_GT.png"),
    ],
)
def test_finds_pairs_in_the_layout_of(tmp_path: Path, hazy: str, clear: str) -> None:
    touch(tmp_path, hazy, clear, "trans/1399_10.png", "depth/0001.mat", "readme.txt")
    assert found(tmp_path) == [(hazy, clear)]


def test_a_scenes_hazes_follow_each_other_by_number(tmp_path: Path) -> None:
    touch(tmp_path, "gt/2.png", "gt/10.png")
    touch(tmp_path, "hazy/10_1.png", "hazy/2_10.png", "hazy/2_9.png", "hazy/part2/2_1.png")
    names = [Path(hazy).stem for hazy, _ in found(tmp_path)]
    assert names == ["2_1", "2_9", "2_10", "10_1"]


def test_the_same_name_goes_before_the_same_index(tmp_path: Path) -> None:
    touch(tmp_path, "hazy/7_1.png", "hazy/7_2.png", "gt/7_1.png", "gt/7_2.png", "gt/7.png")
    assert found(tmp_path) == [("hazy/7_1.png", "gt/7_1.png"), ("hazy/7_2.png", "gt/7_2.png")]


def test_the_cities_of_bedde_are_one_data_set(tmp_path: Path) -> None:
    touch(tmp_path, "BeDDE/changsha/fog/changsha_2.png", "BeDDE/changsha/fog/changsha_10.png")
    touch(tmp_path, "BeDDE/beijing/fog/beijing_1.png", "BeDDE/beijing/mask/beijing_1_mask.mat")
    touch(tmp_path, *(f"BeDDE/{city}/gt/{city}_clear.png" for city in ("beijing", "changsha")))
    assert found(tmp_path / "BeDDE") == [
        ("beijing/fog/beijing_1.png", "beijing/gt/beijing_clear.png"),
        ("changsha/fog/changsha_2.png", "changsha/gt/changsha_clear.png"),
        ("changsha/fog/changsha_10.png", "changsha/gt/changsha_clear.png"),
    ]


def test_what_macos_adds_to_archives_is_no_picture(tmp_path: Path) -> None:
    touch(tmp_path, "hazy/1_1.png", "hazy/._1_1.png", "gt/1.png", "gt/._1.png")
    touch(tmp_path, "__MACOSX/hazy/._1_1.png", "__MACOSX/gt/._1.png")
    assert found(tmp_path) == [("hazy/1_1.png", "gt/1.png")]


def test_a_linked_folder_is_read(tmp_path: Path) -> None:
    touch(tmp_path, "official/1_1.png", "set/gt/1.png")
    (tmp_path / "set" / "hazy").symlink_to(tmp_path / "official")
    assert found(tmp_path / "set") == [("hazy/1_1.png", "gt/1.png")]


def test_a_hazy_picture_without_its_clear_one_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "hazy/1_1.png", "hazy/2_1.png", "hazy/3_1.png", "hazy/3_2.png", "gt/1.png")
    expected = r"2_1\.png: expected its clear picture 2\.\* .*gt, found none, nor for 2 others$"
    with pytest.raises(InputError, match=expected):
        find_pairs(tmp_path)


def test_two_clear_pictures_of_a_scene_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "hazy/1_1.png", "gt/1.png", "gt/1.jpg")
    with pytest.raises(InputError, match=r"expected one clear picture a scene, got .*1\.jpg too"):
        find_pairs(tmp_path)


def test_training_and_test_half_are_not_taken_for_one_set(tmp_path: Path) -> None:
    for half in ("train", "test"):
        touch(tmp_path, f"{half}/hazy/1_1.png", f"{half}/gt/1.png")
    with pytest.raises(InputError, match=r"expected one data set, got 2, .*test and .*train"):
        find_pairs(tmp_path)


def test_a_folder_without_pairs_says_what_it_has(tmp_path: Path) -> None:
    touch(tmp_path, "foggy/1.png", "gt/1.png")
    with pytest.raises(InputError, match=r"expected pictures in hazy/ and .*, got foggy/, gt/$"):
        find_pairs(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_pairs(tmp_path / "nowhere")


def test_two_folders_of_any_name(tmp_path: Path) -> None:
    touch(tmp_path, "foggy/1.png", "foggy/2.jpg", "sharp/1.webp", "sharp/2.webp")
    pairs = match_pairs(str(tmp_path / "foggy"), str(tmp_path / "sharp"))
    assert [(pair.hazy.name, pair.clear.name) for pair in pairs] == [
        ("1.png", "1.webp"),
        ("2.jpg", "2.webp"),
    ]
    with pytest.raises(InputError, match="expected pictures, got no such folder"):
        match_pairs(str(tmp_path / "foggy"), str(tmp_path / "none"))


def test_finds_sots_with_all_its_levels(shared_data: Path) -> None:
    pairs = find_pairs(shared_data / "sots-indoor")
    assert len(pairs) == 100
    assert len({pair.clear for pair in pairs}) == 50
    assert {pair.name.level for pair in pairs} == set(range(1, 11))
    assert all(pair.clear.stem == pair.name.index for pair in pairs)


def test_finds_clear_pictures_with_depth(tmp_path: Path) -> None:
    touch(tmp_path, "image/2.jpg", "image/10.jpg", "depth/2.png", "depth/10.png", "depth/11.png")
    assert depth_scenes(tmp_path) == [
        (tmp_path / "image" / f"{n}.jpg", tmp_path / "depth" / f"{n}.png") for n in (2, 10)
    ]


def test_finds_the_scenes_at_hand(shared_data: Path) -> None:
    assert len(depth_scenes(shared_data / "nyu")) == 1399
    assert len(depth_scenes(shared_data / "frida2")) == 66


def test_a_clear_picture_without_depth_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "clear/1.webp", "clear/2.webp", "depth/1.png")
    with pytest.raises(InputError, match=r"2\.webp: expected its depth 2\.\* in .*depth"):
        depth_scenes(tmp_path)
    with pytest.raises(InputError, match=r"expected pictures in image/ .*, got 1\.webp, 2\.webp"):
        depth_scenes(tmp_path / "clear")
