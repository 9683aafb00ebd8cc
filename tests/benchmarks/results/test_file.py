from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from result_files import latency_result, quality_result, stored

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.results.file import read_result, write_result
from dehaze.benchmarks.results.records import LatencyRow, QualityRow
from dehaze.runtime import InputError


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    for result in (latency_result({"a": [1.5, 2.5]}), quality_result({"a": [20.0, 30.0]})):
        assert read_result(stored(tmp_path / "result.json", result)) == result


def test_columns_that_nobody_knows_yet_are_kept(tmp_path: Path) -> None:
    row = QualityRow("a", {"psnr_db": 20.0}, [{"name": "x", "niqe": 3.5, "level": "thick"}])
    result = replace(quality_result({"a": [20.0]}), results=[row])
    assert read_result(stored(tmp_path / "result.json", result)).results == [row]


def test_equal_pictures_have_no_finite_psnr_and_the_file_stays_json(tmp_path: Path) -> None:
    path = stored(tmp_path / "result.json", quality_result({"a": [math.inf, 30.0]}))
    assert "Infinity" not in path.read_text()
    [row] = read_result(path).rows(QualityRow)
    assert [picture["psnr_db"] for picture in row.pictures] == [None, 30.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(dehaze_bench=9), "expected version 1 of the format, got 9"),
        (lambda d: d.pop("dehaze_bench"), "expected a file written by dehaze-bench"),
        (lambda d: d.update(kind="speed"), "kind: expected latency or quality or flicker"),
        (lambda d: d.update(results=[]), "results: expected at least one row"),
        (lambda d: d["machine"].update(cores="two"), "machine.cores: expected a whole number"),
        (lambda d: d["machine"].update(cores=True), "machine.cores: expected a whole number"),
        (lambda d: d["results"][0].pop("p50_ms"), r"results\[0\]: expected a field p50_ms"),
        (lambda d: d["results"][0]["milliseconds"].append(None), "expected a number, got None"),
        (lambda d: d["results"][0].update(copy_ms="1"), "copy_ms: expected a number, got '1'"),
        (lambda d: d["results"][0].update(milliseconds=[]), "expected 1 times above 0"),
        (lambda d: d["results"][0].update(p50_ms=0), "expected 2 times above 0"),
        (
            lambda d: d.update(results=[*d["results"], {**d["results"][0], "milliseconds": [1.0]}]),
            r"results\[1\].milliseconds: expected 2 times",
        ),
        (lambda d: d.update(models={}), "models: expected a list"),
        (lambda d: d.update(kind="quality"), r"results\[0\]: expected fields means and pictures"),
        (lambda d: d["results"][0].update(p50_ms=10**400), "p50_ms: expected a number, got 1000"),
        (lambda d: d["models"][0].update(bytes=10**400), "bytes: expected a whole number"),
        (lambda d: d["results"][0].update(width=0), "expected sizes and threads above 0"),
        (lambda d: d.update(dehaze_bench=True), "expected version 1 of the format, got True"),
    ],
)
def test_damage_is_named_in_one_line(tmp_path: Path, change: Any, words: str) -> None:
    path = stored(tmp_path / "result.json", latency_result({"a": [1.0, 2.0]}))
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=words) as raised:
        read_result(path)
    assert "\n" not in str(raised.value)


def test_pictures_without_names_are_told(tmp_path: Path) -> None:
    result = replace(quality_result({"a": [20.0]}), results=[QualityRow("a", {}, [{"ssim": 0.9}])])
    with pytest.raises(InputError, match=r"results\[0\].pictures\[0\]: expected a name"):
        read_result(stored(tmp_path / "result.json", result))


@pytest.mark.parametrize("text", ["", "{", "[]", "nothing", "[" * 100_000, '"dehaze_bench"'])
def test_files_of_something_else_give_one_line_and_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    assert main(["report", str(path), "--out", str(tmp_path / "page.html")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_result_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(tmp_path / "result.json", latency_result({"a": [1.0]}))
    before = path.read_text()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    arguments = ["latency", "edge", "--size", "64x64", "--runs", "1", "--no-memory"]
    assert main([*arguments, "--json", str(path)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_dash_prints_the_result_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    write_result(latency_result({"a": [1.0]}), "-")
    assert json.loads(capsys.readouterr().out)["kind"] == "latency"


def test_rows_are_of_the_type_that_was_asked_for() -> None:
    result = latency_result({"a": [1.0]})
    assert len(result.rows(LatencyRow)) == 1
    assert result.rows(QualityRow) == []
