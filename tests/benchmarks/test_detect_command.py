from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="makes detectors with onnx")
pytest.importorskip("pycocotools", reason="needs pycocotools, of the extra bench")

from detection_files import save_detector, scene, write, write_voc

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.results.file import read_result
from dehaze.benchmarks.results.records import DetectionRow

HALF = 51 / 101
"""The average precision where half of the objects are found, and nothing else: 51 of the 101
recalls from 0 to 1 are at most 0.5."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four scenes of a red block each, two of them behind so much haze that it is not found."""
    save_detector(tmp_path / "blocks.onnx")
    for number, haze in enumerate((0.0, 0.2, 0.5, 0.6)):
        objects = [("red", number, 3)]
        write(tmp_path / "set" / "hazy" / f"{number}.png", scene(objects, haze))
        write(tmp_path / "set" / "clear" / f"{number}.png", scene(objects))
        write_voc(tmp_path / "set" / "Annotations" / f"{number}.xml", objects)
    return tmp_path


def detect(folder: Path, *arguments: str) -> int:
    detector, data = str(folder / "blocks.onnx"), str(folder / "set")
    return main(["detect", *arguments, "--detector", detector, "--data", data])


def test_figures_are_those_worked_out_by_hand(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """dcp makes every block visible again; clear pictures are found with and without it."""
    assert detect(folder, "dcp", "--json", str(folder / "d.json")) == 0
    printed = capsys.readouterr().out.splitlines()
    result = read_result(folder / "d.json")
    rows = {(row.model, row.side): row for row in result.rows(DetectionRow)}
    assert rows["none", "hazy"].means == pytest.approx({"map": HALF, "map50": HALF}, abs=1e-5)
    assert rows["none", "hazy"].classes["red"]["map50"] == pytest.approx(HALF, abs=1e-5)
    for key in (("dcp", "hazy"), ("none", "clear"), ("dcp", "clear")):
        assert rows[key].means == {"map": 1, "map50": 1}
    low, high = rows["none", "hazy"].intervals["map50"]
    assert (low, high) == (0, 1)  # four pictures decide little
    assert "4 objects; measured: red" in printed[0]
    assert printed[2].startswith("4 hazy pictures, dcp: mAP 0.5:0.95 1.000")
    assert "change +0.495 (+0.000 to +1.000)" in printed[2]
    assert result.data is not None
    assert result.data.number == 12  # pictures of both kinds and boxes
    assert result.models[0].name == "blocks.onnx"


def test_the_report_shows_them_beside_each_other_with_a_sentence_each(folder: Path) -> None:
    json_file = str(folder / "d.json")
    assert detect(folder, "dcp", "--json", json_file) == 0
    outputs = [str(folder / "page.html"), str(folder / "page.md")]
    assert main(["report", json_file, "--out", *outputs]) == 0
    html, markdown = ((folder / name).read_text() for name in ("page.html", "page.md"))
    assert "Detection: VOC boxes" in html
    assert "ten overlaps, up to 1; higher is better." in html
    assert html.count("<dt>mAP 0.5</dt>") == 1  # explained once, at the first of four tables
    markdown = markdown.replace("\N{EN DASH}", "-")
    assert "| as they are | 0.505 | 0.000-1.000 | - | - |" in markdown
    assert "| dcp | 1.000 | 1.000-1.000 | +0.495 | +0.000 to +1.000 |" in markdown
    assert "Found in 4 clear pictures, 4 objects" in markdown


def test_compare_finds_a_dehazer_that_finds_less(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = folder / "good.json", folder / "bad.json"
    assert detect(folder, "none", "--json", str(good)) == 0
    for number in range(4):  # from now on every object is hidden
        write(folder / "set" / "hazy" / f"{number}.png", scene([("red", number, 3)], 0.9))
    assert detect(folder, "none", "--json", str(bad)) == 0
    assert main(["compare", str(good), str(good)]) == 0
    assert main(["compare", str(good), str(bad)]) == 2
    assert "the data differ" in capsys.readouterr().err
    assert main(["compare", str(bad), str(good), "--force"]) == 0
    document = json.loads(good.read_text())
    for row in document["results"]:
        row["draws"] = {name: [0.5] * 1000 for name in row["draws"]}
    good.write_text(json.dumps(document))
    assert main(["compare", str(good), str(bad), "--force"]) == 3
    printed = capsys.readouterr()
    assert "none on hazy pictures: mAP 0.5 " in printed.out
    assert "worse" in printed.out
    assert "none on hazy pictures: mAP 0.5:0.95" in printed.err


def test_another_detector_is_not_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = str(folder / "old.json"), str(folder / "new.json")
    assert detect(folder, "none", "--json", old) == 0
    save_detector(folder / "blocks.onnx", "v5")
    assert detect(folder, "none", "--json", new) == 0
    assert main(["compare", old, new]) == 2
    assert "the protocols differ: detector" in capsys.readouterr().err


def test_classes_are_matched_by_name_and_what_is_left_out_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_detector(folder / "blocks.onnx", names=("Motor-Cycle", "car", "bus"))
    text = (folder / "set" / "Annotations" / "0.xml").read_text()
    for number, name in enumerate(("motorbike", "motorbike", "motorbike", "sheep")):
        changed = text.replace("red", name)
        (folder / "set" / "Annotations" / f"{number}.xml").write_text(changed)
    assert detect(folder, "none") == 0
    printed = capsys.readouterr().out
    assert "measured: motorbike" in printed
    assert "left out: sheep, which the detector does not know" in printed
    save_detector(folder / "blocks.onnx", names=("cat", "dog", "cow"))
    assert detect(folder, "none") == 2
    assert "got motorbike, sheep in the data and cat, dog, cow of the detector" in (
        capsys.readouterr().err
    )


RTTS_XML = """<annotation verified="no">
  <folder>JPEGImages</folder><filename>{name}</filename><source><database>RTTS</database></source>
  <size><width>64</width><height>64</height><depth>3</depth></size><segmented>0</segmented>
  {objects}
</annotation>
"""
RTTS_OBJECT = """<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>
  <difficult>0</difficult><bndbox><xmin>{left}</xmin><ymin>25</ymin><xmax>{right}</xmax>
  <ymax>32</ymax></bndbox></object>"""
COCO_BEGINS = ("person", "bicycle", "car", "motorcycle", "airplane", "bus")


def test_rtts_meets_a_detector_of_cocos_80_classes_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its layout and words: 'motorbike' is COCO's motorcycle, and 'bus' has another number."""
    colours = {"person": "red", "bicycle": "green", "car": "blue"}
    for number in range(3):
        name, objects = f"AM_Bing_{number}", ""
        for column, label in enumerate((*colours, "bus", "motorbike")):
            place = {"left": column * 8 + 1, "right": column * 8 + 8}
            objects += RTTS_OBJECT.format(name=label, **place)
        blocks = [(colour, column, 3) for column, colour in enumerate(colours.values())]
        write(tmp_path / "RTTS" / "JPEGImages" / f"{name}.png", scene(blocks))
        xml = tmp_path / "RTTS" / "Annotations" / f"{name}.xml"
        xml.parent.mkdir(exist_ok=True)
        xml.write_text(RTTS_XML.format(name=name, objects=objects))
    (tmp_path / "RTTS" / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "RTTS" / "ImageSets" / "Main" / "test.txt").write_text("AM_Bing_0\nAM_Bing_1\n")
    names = (*COCO_BEGINS, *(f"class {number}" for number in range(6, 80)))
    save_detector(tmp_path / "yolo.onnx", names=names, unseen=77)
    options = ["--detector", str(tmp_path / "yolo.onnx"), "--data", str(tmp_path / "RTTS")]
    assert main(["detect", "none", *options, "--json", str(tmp_path / "d.json")]) == 0
    printed = capsys.readouterr().out
    assert "3 hazy pictures, 15 objects; measured: bicycle, bus, car, motorbike, person" in printed
    assert "left out" not in printed
    (row,) = read_result(tmp_path / "d.json").rows(DetectionRow)
    # Persons, bicycles and cars are all found, buses and motorbikes not: (1 + 1 + 1 + 0 + 0) / 5.
    assert row.means == pytest.approx({"map": 0.6, "map50": 0.6})
    found = {name: figures["map50"] for name, figures in row.classes.items()}
    assert found == {"bicycle": 1, "bus": 0, "car": 1, "motorbike": 0, "person": 1}


def test_mistakes_are_told_before_anything_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(folder, "none", "egde") == 1
    printed = capsys.readouterr()
    assert "mAP" not in printed.out
    assert "'egde' is neither a file nor one of" in printed.err
    assert detect(folder, "dcp", "dcp") == 2
    (folder / "blocks.onnx").unlink()
    assert detect(folder, "none") == 1
    assert "expected a detector as an ONNX file" in capsys.readouterr().err
