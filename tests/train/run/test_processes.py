"""Two real processes under torchrun, on gloo."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training import EDGE, same, train_small, weights

from dehaze.runtime import UsageError
from dehaze.train.data.haze import Haze
from dehaze.train.loop import Run, _check
from dehaze.train.networks import build_network
from dehaze.train.run.processes import Processes

RECIPE = replace(
    EDGE, network="rfd-student", steps=3, crops=((0.0, 16),), mixture={"rooms": Haze()}, scale=1
)
"""No batch norms, so that two halves of a batch give the gradient of the whole."""

SCRIPT = """
import os
import signal
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
sys.path[:0] = {tests!r}
from test_processes import RECIPE
from training import train_small

from dehaze.train.data.batches import Batches

out, stop_at = Path(sys.argv[1]), int(sys.argv[2])
draw = Batches.pair

def pair(batches, step, crop):
    if step == stop_at and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    return draw(batches, step, crop)

Batches.pair = pair
try:
    train_small(out, RECIPE)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def train_in_two(out: Path, tmp_path: Path, stop_at: int = -1) -> str:
    """Trains in two processes; at the step `stop_at` the second is told to stop."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=[str(folder) for folder in Path(__file__).parents[:2]]))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*command, str(script), str(out), str(stop_at)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    train_in_two(tmp_path / "two", tmp_path)
    train_small(tmp_path / "one", RECIPE)
    one, two = (weights(tmp_path / name, "rfd-student") for name in ("one", "two"))
    torch.manual_seed(0)
    start = build_network("rfd-student").state_dict()
    for name, weight in one.items():
        moved = (weight - start[name]).abs().max()
        # Adam divides by the gradient's size: rounding shows where a gradient is nearly zero.
        assert (weight - two[name]).abs().max() <= 0.02 * moved + 1e-6, name
    log = (tmp_path / "two" / "log.csv").read_text()
    assert log.count("\n") == 2  # one process writes


def test_one_of_two_is_told_to_stop_and_both_do_and_go_on(tmp_path: Path) -> None:
    train_in_two(tmp_path / "whole", tmp_path)
    assert train_in_two(tmp_path / "parts", tmp_path, stop_at=1).count("stopped") == 2
    assert not (tmp_path / "parts" / "log.csv").exists()  # it was not scored
    assert "stopped" not in train_in_two(tmp_path / "parts", tmp_path)
    whole, parts = (weights(tmp_path / name, "rfd-student") for name in ("whole", "parts"))
    assert same(whole, parts)


def test_a_batch_that_processes_cannot_share_is_told(tmp_path: Path) -> None:
    three = Processes(0, 3, torch.device("cpu"))
    with pytest.raises(UsageError, match="that 3 processes can share, got 4; --set batch=3"):
        _check(EDGE, Run(tmp_path, steps=1), three)
