from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.train.cli import main


def test_missing_data_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge", "--data", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "expected scenes at" in message


def test_a_few_steps_on_the_real_scenes(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edge", "--data", str(shared_data), "--out", str(tmp_path), "--steps", "2"]
    assert main(arguments) == 0
    assert "edge.safetensors: indoor_db" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "edge.safetensors",
        "edge.state.safetensors",
        "log.csv",
    }
