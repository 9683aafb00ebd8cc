"""Tables in somebody's README, and what a report makes of unusual results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from conftest import picture
from result_files import latency_result, quality_result, stored

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.report.pictures import picture_pairs
from dehaze.benchmarks.report.plots import plots
from dehaze.benchmarks.report.scatter import Point, scatter_svg
from dehaze.benchmarks.results.records import Data, LatencyRow, Model, QualityRow, Result

ROW = "| a | 5.5 | 1.00 |"


def report(tmp_path: Path, result: Result, *arguments: str, name: str = "latency") -> int:
    return main(["report", str(stored(tmp_path / f"{name}.json", result)), *arguments])


def test_ends_of_lines_stay_as_they_are(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(b"# Mine\r\n<!-- dehaze-bench latency -->\r\nold\r\n<!-- end -->\r\nend\r\n")
    for _ in range(2):
        assert report(tmp_path, latency_result({"a": [5.0, 6.0]}), "--into", str(readme)) == 0
        text = readme.read_bytes()
        assert text.count(b"\n") == text.count(b"\r\n") == 9
        assert text.startswith(b"# Mine\r\n<!-- dehaze-bench latency -->\r\n| model |")
        assert text.endswith(b"<!-- end -->\r\nend\r\n")


@pytest.mark.parametrize("next_place", ["", "<!-- dehaze-bench quality -->\n<!-- end -->\n"])
def test_a_place_without_end_does_not_swallow_what_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], next_place: str
) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "page.html"
    words = f"<!-- dehaze-bench latency -->\nno end\n\n## Words\n\n{next_place}"
    readme.write_text(words)
    arguments = ["--into", str(readme), "--out", str(page)]
    assert report(tmp_path, latency_result({"a": [5.0, 6.0]}), *arguments) == 1
    assert "expected <!-- end --> below <!-- dehaze-bench latency -->" in capsys.readouterr().err
    assert readme.read_text() == words
    assert not page.exists()


def test_names_of_files_may_have_spaces_and_commands_anything(tmp_path: Path) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "page.md"
    readme.write_text("<!-- dehaze-bench my two runs -->\nold\n<!-- end -->\n")
    result = replace(latency_result({"a": [5.0, 6.0]}), command="x `y`\n# z <!-- end -->")
    arguments = ["--into", str(readme), "--out", str(page), "--title", "x\udcff"]
    for _ in range(2):
        assert report(tmp_path, result, *arguments, name="my two runs") == 0
    assert ROW in readme.read_text()
    assert "`` x `y` # z <! -- end --> ``, Test CPU" in readme.read_text()
    assert readme.read_text().endswith("<!-- end -->\n")
    assert readme.read_text().count("<!-- end -->") == 1
    assert "\n# z" not in page.read_text()


@pytest.mark.parametrize(
    "arguments", [["--out", "a.md", "--into", "b/../a.md"], ["--out", "a.md", "a.md"]]
)
def test_one_file_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.md").write_text("<!-- dehaze-bench latency -->\n<!-- end -->\n")
    monkeypatch.chdir(tmp_path)
    assert report(tmp_path, latency_result({"a": [5.0, 6.0]}), *arguments) == 2
    assert (tmp_path / "a.md").read_text().startswith("<!-- dehaze-bench")


def test_scores_of_two_data_sets_are_not_mixed_in_one_plot() -> None:
    indoor, outdoor = (
        replace(quality_result(scores, sha256), data=Data(name, name, 2, sha256))
        for name, sha256, scores in (
            ("indoor", "1" * 64, {"a": [20.0], "b": [28.0]}),
            ("outdoor", "2" * 64, {"a": [25.0]}),
        )
    )
    latency = latency_result({"a": [5.0], "b": [9.0]})
    (plot,) = plots([latency, indoor, outdoor])
    assert [point.psnr_db for point in plot.points] == [20, 28]
    assert plot.setting.startswith("indoor, 1280")


def test_a_foreign_file_with_other_pixels_is_another_model() -> None:
    names = ("x.onnx@input=0..1", "x.onnx@input=0..255")
    models = [Model(n, "x.onnx", "f" * 64, "", 0, 9, "onnxruntime", "") for n in names]
    latency, quality = (
        replace(result, models=models)
        for result in (
            latency_result({name: [5.0] for name in names}),
            quality_result(dict(zip(names, ([20.0], [10.0]), strict=True))),
        )
    )
    (plot,) = plots([latency, quality])
    assert [point.psnr_db for point in plot.points] == [20, 10]


def test_stages_are_on_the_page_and_in_markdown(tmp_path: Path) -> None:
    result = latency_result({"a": [5.0, 6.0]})
    for stages in ({"thumbnail": 1.25, "call": 5.5}, {"thumbnail": 0.0, "call": 0.0}):
        row = replace(result.rows(LatencyRow)[0], stages_ms=stages)
        page, text = tmp_path / "a.html", tmp_path / "a.md"
        arguments = ["--out", str(page), str(text)]
        assert report(tmp_path, replace(result, results=[row]), *arguments) == 0
        for words in (page.read_text(), text.read_text()):
            assert f"{stages['thumbnail']:.2f} ms" in words


def test_what_is_not_known_is_not_0(tmp_path: Path) -> None:
    text = tmp_path / "a.md"
    quality = quality_result({"a": [20.0, 21.0]})
    row = replace(quality.rows(QualityRow)[0], intervals={"psnr_db": [None, None]})
    models = [replace(quality.models[0], parameters=0)]
    assert report(tmp_path, replace(quality, results=[row], models=models), "--out", str(text)) == 0
    assert "| a | 20.50 | \N{EN DASH} | 0.9000 |" in text.read_text()
    assert "| a | fp32 |  |  | 1.00 |" in text.read_text()


@pytest.mark.parametrize("largest", [1e3, 1e9, 9e14])
def test_any_figures_and_names_can_be_drawn(largest: float) -> None:
    name = "n" * 90
    svg = scatter_svg([Point(name, 1, 1), Point("b", largest, largest), Point("c", largest + 1, 2)])
    assert svg.count("<circle") == 3
    assert f">{name}<" not in svg
    assert f">{'n' * 39}…<" in svg


def test_folders_have_other_things_too(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 2000))
    (tmp_path / "._a.png").touch()
    (tmp_path / "b.png").mkdir()
    (pair,) = picture_pairs(tmp_path, "edge")
    assert (pair.name, pair.width, pair.height) == ("a", 960, 31)
