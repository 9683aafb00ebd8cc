from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dehaze.train.cli import main
from dehaze.train.run.lock import exclusive

DATA = ["--data", "unread"]
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
    message = error_line(
        ["edge", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")], 1, capsys
    )
    assert "expected a folder of pictures, got no such folder" in message


def test_a_loss_without_its_helper_gives_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(["rfd", *DATA], 2, capsys)
    assert "the recipe's loss 'affinity' needs --guide; or --set losses.affinity=0" in message
    message = error_line(["edge", *DATA, "--guide", "sr-teacher"], 2, capsys)
    assert "no loss of this run uses --guide; add --set losses.affinity=0.25" in message
    message = error_line(["aecr-net", *DATA], 2, capsys)
    assert "needs --vgg or --teacher" in message
    message = error_line(["aecr-net", *DATA, "--vgg", "no.pth"], 1, capsys)
    assert "no.pth: no such file; expected torchvision's vgg19" in message


def test_teachers_of_the_wrong_kind_or_scale_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    message = error_line(["rfd", *DATA, "--guide", "edge"], 2, capsys)
    assert "--guide edge: expected a super-resolution teacher (sr-teacher), got edge" in message
    message = error_line(["aecr-net", *DATA, "--teacher", "sr-teacher"], 2, capsys)
    assert "--teacher sr-teacher: expected a dehazing network, got sr-teacher" in message
    message = error_line(["aecr-net", *DATA, "--teacher", "edge"], 2, capsys)
    assert "trained at 1/4 of the files' size, this recipe is at 1/1; --set scale=4" in message


@pytest.mark.parametrize("option", ["--minutes=-1", "--minutes=0", "--steps=0"])
def test_numbers_out_of_range_are_told(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["edge", *DATA, option])
    assert "expected" in capsys.readouterr().err


def test_a_signal_to_the_whole_group_loses_no_step(few_rooms: Path, tmp_path: Path) -> None:
    """torchrun, timeout and a terminal signal the whole group."""
    out = tmp_path / "out"
    arguments = ["edge", "--data", str(few_rooms), "--out", str(out)]
    small = ["--steps", "100000", "--set", "batch=4", "--set", "validate_every=5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dehaze.train.cli", *arguments, *small],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (out / "edge.state.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.endswith("dehaze-train: stopped; the same command goes on where it stopped\n")


def test_weights_of_another_network_do_not_start_a_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = error_line(["sr-teacher", *DATA, "--init", "edge"], 2, capsys)
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
    teachers = ["--guide", str(guide / "sr-teacher.safetensors"), "--teacher", "edge"]
    changes = [part for loss in losses for part in ("--set", f"losses.{loss}")]
    assert main(["edge", *data, "--out", str(out), *SMALL, *teachers, *changes]) == 0
    assert "edge.safetensors: indoor_db" in capsys.readouterr().out
    header = (out / "log.csv").read_text().splitlines()[0]
    assert header.startswith("step,seconds,schedule,loss,image,affinity,contrast,teacher_image,")
    assert {path.name for path in out.iterdir()} == {
        ".lock",
        "edge.safetensors",
        "edge.state.safetensors",
        "log.csv",
        "samples.jpg",
    }


def test_all_data_become_one_file_from_which_a_run_is_the_same(
    few_rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "rooms.npz"
    assert main(["edge", "--data", str(few_rooms), "--pack", str(packed)]) == 0
    assert "rooms.npz: 0." in capsys.readouterr().out
    scores = []
    for name, data in (("folder", few_rooms), ("file", packed)):
        out = tmp_path / name
        assert main(["edge", "--data", str(data), "--out", str(out), *SMALL]) == 0
        scores.append(float(capsys.readouterr().out.split("indoor_db ")[1].split(",")[0]))
    assert scores[0] == pytest.approx(scores[1], abs=0.2)  # JPEG lies between them


def test_two_runs_do_not_share_a_folder(
    few_rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with exclusive(out):
        message = error_line(["edge", "--data", str(few_rooms), "--out", str(out)], 2, capsys)
    assert "another dehaze-train is at work there" in message
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_shipped_weights_start_a_run(
    few_rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edge", "--data", str(few_rooms), "--out", str(tmp_path / "out"), "--init", "edge"]
    assert (
        main([*arguments, *SMALL, "--set", "learning_rate=0", "--set", "muon_learning_rate=0"]) == 0
    )
    score = float(capsys.readouterr().out.split("indoor_db ")[1].split(",")[0])
    assert score > 22  # an untrained network gives 16
