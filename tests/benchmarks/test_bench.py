from __future__ import annotations

import json

import pytest

from dehaze.benchmarks.cli import main


def test_latency_compares_models_in_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["latency", "edge", "edge", "--size", "128x64", "--runs", "3", "--json"]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)["latency"]
    assert [row["size"] for row in rows] == ["128x64", "128x64"]
    assert rows[0]["ratio_to_first"] == 1
    assert rows[0]["p99_ms"] >= rows[0]["p50_ms"] > 0


def test_a_wrong_size_gives_2() -> None:
    with pytest.raises(SystemExit) as left:
        main(["latency", "edge", "--size", "big"])
    assert left.value.code == 2
