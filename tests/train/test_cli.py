from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.train.cli import main

SMALL = ["--steps", "2", "--set", "batch=4", "--set", "validation_pictures=3"]


@pytest.fixture
def few_rooms(shared_data: Path, tmp_path: Path) -> Path:
    """24 of the real rooms: clear pictures with depth."""
    folder = tmp_path / "rooms"
    for kind in ("image", "depth"):
        (folder / kind).mkdir(parents=True)
        for index in range(0, 1344, 56):
            name = f"{index:04d}.jpg"
            (folder / kind / name).symlink_to(shared_data / "nyu" / kind / name)
    return folder


def error_line(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == code
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_missing_data_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(["edge", "--data", str(tmp_path / "none")], 1, capsys)
    assert "expected a folder of training data" in message


def test_a_loss_without_its_helper_gives_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(["rfd"], 2, capsys)
    assert "the recipe's loss 'affinity' needs --guide; or --set losses.affinity=0" in message
    message = error_line(["aecr-net"], 2, capsys)
    assert "needs --vgg or --teacher" in message
    message = error_line(["aecr-net", "--vgg", "no.pth"], 1, capsys)
    assert "no.pth: no such file; expected torchvision's vgg19" in message


def test_weights_of_another_network_do_not_start_a_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = error_line(["sr-teacher", "--init", "edge"], 2, capsys)
    assert "--init edge: expected weights of sr-teacher, got edge" in message


def test_both_papers_feed_edge(
    few_rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guide is pretrained, frozen, and guides; the teacher's encoder gives the contrast."""
    data = ["--data", str(few_rooms)]
    guide = tmp_path / "guide"
    assert main(["sr-teacher", *data, "--out", str(guide), *SMALL]) == 0
    assert "sr-teacher.safetensors: doubled_db" in capsys.readouterr().out
    losses = ["affinity=0.25", "contrast=0.1", "teacher_image=1", "teacher_features=0.1"]
    out = tmp_path / "edge"
    helpers = ["--guide", str(guide / "sr-teacher.safetensors"), "--teacher", "edge"]
    changes = [part for loss in losses for part in ("--set", f"losses.{loss}")]
    assert main(["edge", *data, "--out", str(out), *SMALL, *helpers, *changes]) == 0
    assert "edge.safetensors: indoor_db" in capsys.readouterr().out
    header = (out / "log.csv").read_text().splitlines()[0]
    assert header.startswith(
        "step,seconds,rate,loss,image,transmission,affinity,contrast,teacher_image,"
    )
    assert {path.name for path in out.iterdir()} == {
        "edge.safetensors",
        "edge.state.safetensors",
        "log.csv",
        "samples.jpg",
    }


def test_shipped_weights_start_a_run(
    few_rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edge", "--data", str(few_rooms), "--out", str(tmp_path / "out"), "--init", "edge"]
    assert (
        main([*arguments, *SMALL, "--set", "learning_rate=0", "--set", "muon_learning_rate=0"]) == 0
    )
    score = float(capsys.readouterr().out.split("indoor_db ")[1].split(",")[0])
    assert score > 22  # an untrained network gives 16
