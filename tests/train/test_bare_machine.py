"""The script for a bare GPU machine, run as there: by its path, here on the CPU."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from training import smooth_scenes

from dehaze.train.data.packed_file import save_collections
from dehaze.train.data.store import Collection
from dehaze.train.run.checkpoint import load_network
from dehaze.train.tuning import Trial, best

SCRIPT = Path(__file__).parents[2] / "train" / "bare_machine.py"
SMALL = ["--set", "crops=[[0.0, 24]]", "--set", "validate_every=20"]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "thumbnails.npz"
    rooms = [Collection("rooms", smooth_scenes(count, count), name="nyu") for count in (6, 2)]
    save_collections(path, {"trained": rooms[:1], "held out": rooms[1:]}, 4)
    return path


def call(packed: Path, out: Path, minutes: str, *more: str) -> str:
    command = [sys.executable, str(SCRIPT), "--data", str(packed), "--out", str(out), *SMALL]
    done = subprocess.run(
        [*command, "--minutes", minutes, *more], capture_output=True, text=True, cwd=packed.parent
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_it_trains_and_goes_on_when_called_again(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    taught = ["--teacher", "edge", "--set", "losses.teacher_image=1"]
    assert "edge.safetensors: choice " in call(packed, out, "10", "--total", "0.0001", *taught)
    speeds = json.loads((out / "speed.json").read_text())
    assert speeds["chosen"] in speeds["trials"]
    assert speeds["chosen"]["samples_per_s"] > 0
    first = load_network(out / "edge.safetensors")[1]
    assert first["recipe"]["batch"] == speeds["chosen"]["batch"]
    assert first["origins"]["teacher"].startswith("edge.safetensors, sha256 ")
    assert (out / "samples.jpg").is_file()
    longer = str((first["seconds"] + 0.01) / 60)
    assert "edge.safetensors: choice " in call(packed, out, "10", "--total", longer, *taught)
    assert load_network(out / "edge.safetensors")[1]["step"] > first["step"]
    with (out / "log.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))


def test_a_call_that_ends_before_the_training_leaves_what_goes_on(
    packed: Path, tmp_path: Path
) -> None:
    said = call(packed, tmp_path / "result", "0.01", "--total", "600")
    assert said.endswith("edge.safetensors: call it again to go on\n")
    step = load_network(tmp_path / "result" / "edge.safetensors")[1]["step"]
    call(packed, tmp_path / "result", "0.01", "--total", "600")
    assert load_network(tmp_path / "result" / "edge.safetensors")[1]["step"] > step


def test_a_smaller_batch_is_taken_where_it_is_nearly_as_fast() -> None:
    slow, quick = Trial(16, "float32", False, 50.0), Trial(16, "bfloat16", True, 850.0)
    large, larger = Trial(64, "bfloat16", True, 900.0), Trial(256, "bfloat16", True, 1000.0)
    assert best([slow, quick, large, larger]) == quick
    assert best([slow, large, larger]) == large
    assert best([slow, larger]) == larger
