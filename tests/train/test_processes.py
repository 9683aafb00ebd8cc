"""Two real processes under torchrun, on gloo."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from training import EDGE, train_small, weights

from dehaze.train.haze import HazeRecipe

RECIPE = replace(
    EDGE, network="rfd-student", steps=3, crops=((0.0, 16),), haze=HazeRecipe(), scale=1
)
"""No batch norms, so that two halves of a batch give the gradient of the whole."""

SCRIPT = """
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_processes import RECIPE
from training import train_small

train_small(Path(sys.argv[1]), RECIPE)
"""


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*command, str(script), str(tmp_path / "two")], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr[-2000:]
    alone = train_small(tmp_path / "one", RECIPE)
    one, two = (weights(tmp_path / name, "rfd-student") for name in ("one", "two"))
    start = weights_at_start()
    for name, weight in one.items():
        moved = (weight - start[name]).abs().max()
        # Adam divides by the gradient's size: rounding shows where a gradient is nearly zero.
        assert (weight - two[name]).abs().max() <= 0.02 * moved + 1e-6, name
    assert alone["indoor_db"] > 0
    assert (tmp_path / "two" / "log.csv").read_text().count("\n") == 2  # one process writes


def weights_at_start() -> dict[str, torch.Tensor]:
    from dehaze.train.networks import build_network

    torch.manual_seed(0)
    return build_network("rfd-student").state_dict()
