from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="needs PyYAML, of the extra bench")

from detection_files import scene, write, write_voc

from dehaze.benchmarks.measure.detection.labels import LabelledPictures, labelled_pictures
from dehaze.runtime.errors import InputError

OBJECTS = [("red", 1, 2), ("green", 6, 5)]
PIXELS = [("red", 8.0, 16.0, 8.0, 8.0), ("green", 48.0, 40.0, 8.0, 8.0)]


def pixels(labelled: LabelledPictures, name: str) -> list[tuple[object, ...]]:
    picture = next(one for one in labelled.pictures if one.hazy.stem == name)
    factor = 64 if labelled.relative else 1
    return [(box.category, *(side * factor for side in box[1:5])) for box in picture.boxes]


def write_yolo(folder: Path) -> None:
    write(folder / "images" / "val" / "a.png", scene(OBJECTS))
    write(folder / "images" / "val" / "b.png", scene([]))
    (folder / "labels" / "val").mkdir(parents=True)
    lines = "0 0.1875 0.3125 0.125 0.125\n1 0.8125 0.6875 0.125 0.125\n"
    (folder / "labels" / "val" / "a.txt").write_text(lines)


def test_vocs_boxes_lie_beside_jpegimages_as_in_rtts(tmp_path: Path) -> None:
    write(tmp_path / "JPEGImages" / "AM_Bing_1.png", scene(OBJECTS))
    write(tmp_path / "JPEGImages" / "extra.png", scene([]))
    write(tmp_path / "SegmentationClass" / "AM_Bing_1.png", scene([]))
    write_voc(tmp_path / "Annotations" / "AM_Bing_1.xml", OBJECTS, difficult=OBJECTS[1:])
    labelled = labelled_pictures(tmp_path)
    assert labelled.layout == "VOC boxes"
    assert pixels(labelled, "AM_Bing_1") == PIXELS
    assert [box.ignored for box in labelled.pictures[0].boxes] == [False, True]
    assert labelled.left_out == ["1 pictures without boxes"]


def test_a_coco_file_names_pictures_anywhere_below(tmp_path: Path) -> None:
    write(tmp_path / "foggy" / "a.png", scene(OBJECTS))
    document = {
        "images": [{"id": 7, "file_name": "val/a.png"}, {"id": 8, "file_name": "absent.png"}],
        "categories": [{"id": 3, "name": "red"}, {"id": 5, "name": "green"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [8, 16, 8, 8]},
            {"image_id": 7, "category_id": 5, "bbox": [48, 40, 8, 8], "iscrowd": 1},
            {"image_id": 8, "category_id": 5, "bbox": [0, 0, 0, 8]},
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(document))
    labelled = labelled_pictures(tmp_path)
    assert labelled.categories == ["red", "green"]
    assert pixels(labelled, "a") == PIXELS
    assert [box.ignored for box in labelled.pictures[0].boxes] == [False, True]
    assert labelled.left_out == ["1 boxes without area"]


@pytest.mark.parametrize("names", ["[red, green]", "{0: red, 1: green}"])
def test_yolos_shares_and_names_and_pictures_without_objects(tmp_path: Path, names: str) -> None:
    write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(f"path: .\nval: images/val\nnames: {names}\n")
    labelled = labelled_pictures(tmp_path)
    assert labelled.layout == "YOLO boxes"
    assert labelled.categories == ["red", "green"]
    assert pixels(labelled, "a") == PIXELS
    assert pixels(labelled, "b") == []  # a background picture has no file
    (tmp_path / "data.yaml").unlink()
    assert labelled_pictures(tmp_path).categories == ["0", "1"]


def test_boxes_may_have_the_name_of_the_clear_picture(tmp_path: Path) -> None:
    for name in ("hazy/0001_0.8_0.1", "hazy/0001_0.9_0.2", "clear/0001"):
        write(tmp_path / f"{name}.png", scene(OBJECTS))
    write_voc(tmp_path / "Annotations" / "0001.xml", OBJECTS)
    labelled = labelled_pictures(tmp_path)
    assert [one.hazy.stem for one in labelled.pictures] == ["0001_0.8_0.1", "0001_0.9_0.2"]
    assert {one.clear for one in labelled.pictures} == {tmp_path / "clear" / "0001.png"}
    assert pixels(labelled, "0001_0.9_0.2") == PIXELS


def test_a_hazy_picture_without_its_clear_one_is_an_error_not_a_set_without_clear_ones(
    tmp_path: Path,
) -> None:
    for name in ("hazy/a", "hazy/b", "clear/a"):
        write(tmp_path / f"{name}.png", scene(OBJECTS))
    write_voc(tmp_path / "Annotations" / "a.xml", OBJECTS)
    with pytest.raises(InputError, match=r"b\.png: expected its clear picture"):
        labelled_pictures(tmp_path)
    (tmp_path / "clear" / "a.png").unlink()
    (tmp_path / "clear").rmdir()
    (picture,) = labelled_pictures(tmp_path).pictures
    assert picture.clear is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels/a.txt", "0 0.5 0.5 0.1\n", "a.txt: expected boxes"),
        ("labels/a.txt", "5 0.5 0.5 0.1 0.1\n", "class 5 of 2"),
        ("Annotations/a.xml", "<annotation><object>", "a.xml: expected boxes"),
        ("Annotations/b.xml", "<annotation/>", "expected pictures of the same names"),
        ("boxes.json", '{"images": [{}], "annotations": [], "categories": []}', "KeyError"),
        ("boxes.json", "{", "boxes.json: expected boxes"),
        ("README.md", "nothing", "expected boxes as COCO's .json"),
    ],
)
def test_boxes_that_cannot_be_used_give_one_line(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    write(tmp_path / "images" / "a.png", scene(OBJECTS))
    (tmp_path / "classes.txt").write_text("red\ngreen\n")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as raised:
        labelled_pictures(tmp_path)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
