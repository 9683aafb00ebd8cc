from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import pytest
import torch
from training import EDGE, same, small_data, train_small, weights

from dehaze.runtime import GateError, ModelError, UsageError
from dehaze.train.data.batches import Batches
from dehaze.train.data.haze import Pair
from dehaze.train.loop import Run, train
from dehaze.train.networks import build_network
from dehaze.train.networks.edge import Edge
from dehaze.train.networks.sr_teacher import SrTeacher
from dehaze.train.objective import Objective, Teachers
from dehaze.train.recipe import Losses
from dehaze.train.run.checkpoint import load_network
from dehaze.train.run.folder import RunFolder
from dehaze.train.run.processes import joined_processes


def signal_at(step: int, number: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has a signal arrive while the batch of a step is drawn, once; returns the steps drawn."""
    drawn: list[int] = []
    draw = Batches.pair

    def pair(batches: Batches, now: int, crop: int) -> Pair:
        drawn.append(now)
        if now == step and drawn.count(step) == 1:
            os.kill(os.getpid(), number)
        return draw(batches, now, crop)

    monkeypatch.setattr(Batches, "pair", pair)
    return drawn


@pytest.mark.parametrize(
    ("number", "optimizer"), [(signal.SIGINT, "adamw"), (signal.SIGTERM, "muon")]
)
def test_a_stopped_run_goes_on_to_the_weights_of_one_never_stopped(
    number: int,
    optimizer: Literal["adamw", "muon"],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(EDGE, optimizer=optimizer)
    train_small(tmp_path / "whole", recipe)
    drawn = signal_at(6, number, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "parts", recipe)
    assert drawn[-1] == 6  # the step was finished, and no other begun
    train_small(tmp_path / "parts", recipe)
    assert drawn == list(range(12))  # nothing was done twice
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_killed_run_goes_on_from_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        save = RunFolder.save

        def killed_at_step_8(folder: RunFolder, *state: Any) -> None:
            if state[2] == 8:  # the weights and the log are written
                raise SystemExit
            save(folder, *state)

        patch.setattr(RunFolder, "save", killed_at_step_8)
        train_small(tmp_path / "parts")
    drawn = signal_at(-1, 0, monkeypatch)
    train_small(tmp_path / "parts")
    assert drawn == list(range(4, 12))
    with (tmp_path / "parts" / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [4, 8, 12]
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_run_with_all_losses_resumes_with_its_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = Losses("l1", 0.5, 0.25, contrast=0.1, teacher_image=1.0, teacher_features=0.1)
    recipe = replace(EDGE, steps=6, losses=losses)
    torch.manual_seed(7)
    teachers = Teachers(SrTeacher(), Edge())
    train_small(tmp_path / "whole", recipe, teachers)
    signal_at(2, signal.SIGINT, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "parts", recipe, teachers)
    train_small(tmp_path / "parts", recipe, teachers)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_gradient_that_is_not_finite_ends_the_run_and_spares_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Batches.pair

    def poisoned(batches: Batches, step: int, crop: int) -> Pair:
        pair = draw(batches, step, crop)
        return pair._replace(hazy=pair.hazy * torch.nan) if step == 5 else pair

    monkeypatch.setattr(Batches, "pair", poisoned)
    with pytest.raises(GateError, match="the gradient of step 5 is not finite"):
        train_small(tmp_path)
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())


def test_training_helps_and_says_how_much(tmp_path: Path) -> None:
    before = train_small(tmp_path / "short", replace(EDGE, steps=1))
    after = train_small(tmp_path / "long", replace(EDGE, steps=60, validate_every=30))
    assert after["indoor_db"] > before["indoor_db"] + 1
    with (tmp_path / "long" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [30, 60]
    assert float(rows[-1]["indoor_db"]) == after["indoor_db"]
    assert float(rows[-1]["loss"]) == pytest.approx(
        float(rows[-1]["image"]) + float(rows[-1]["transmission"])
    )
    provenance = load_network(tmp_path / "long" / "edge.safetensors")[1]
    assert provenance["step"] == 60
    assert provenance["recipe"]["batch"] == 4
    assert provenance["indoor_ssim"] == after["indoor_ssim"]


def test_it_draws_what_goes_in_what_comes_out_and_what_should(tmp_path: Path) -> None:
    train_small(tmp_path, replace(EDGE, steps=1))
    sheet = cv2.imread(str(tmp_path / "samples.jpg"))
    rows = 3 + 2  # at most three hazy rooms, and both clear ones
    assert sheet.shape == (rows * 40, 3 * 56, 3)


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    recipe = replace(EDGE, steps=3)
    train_small(tmp_path, recipe)
    written = (tmp_path / "edge.safetensors").stat().st_mtime_ns
    assert train_small(tmp_path, recipe) == {}
    assert (tmp_path / "edge.safetensors").stat().st_mtime_ns == written


def test_a_time_budget_ends_the_run_with_its_schedule(tmp_path: Path) -> None:
    scores = train_small(tmp_path, replace(EDGE, validate_every=100_000), minutes=0.02)
    assert {"indoor_db", "indoor_ssim", "clear_db"} <= set(scores)
    assert load_network(tmp_path / "edge.safetensors")[1]["seconds"] >= 1.2
    with (tmp_path / "log.csv").open() as file:
        rate = float(next(csv.DictReader(file))["schedule"])
    # The line before the last step of a cosine to a hundredth; how many steps fit is the machine's.
    assert rate < 1


def test_another_recipe_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    train_small(tmp_path, replace(EDGE, steps=1))
    with pytest.raises(UsageError, match="begun with batch = 4, this run has 2; give another --"):
        train_small(tmp_path, replace(EDGE, batch=2))


def test_steps_and_minutes_exclude_each_other(tmp_path: Path) -> None:
    objective = Objective(build_network("edge"), Losses(), Teachers())
    with pytest.raises(UsageError, match="either"), joined_processes() as processes:
        train(objective, EDGE, *small_data(), Run(tmp_path), processes)


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    exact = train_small(tmp_path / "exact", EDGE)
    rounded = train_small(tmp_path / "rounded", replace(EDGE, precision="bfloat16"))
    assert rounded["indoor_db"] == pytest.approx(exact["indoor_db"], abs=1)
    assert not same(weights(tmp_path / "exact"), weights(tmp_path / "rounded"))
    assert {tensor.dtype for tensor in weights(tmp_path / "rounded").values()} <= {
        torch.float32,
        torch.int64,
    }


@pytest.mark.parametrize("network", ["rfd-student", "ffa-net", "aecr-net"])
def test_every_network_trains_by_the_same_loop(network: str, tmp_path: Path) -> None:
    recipe = replace(
        EDGE,
        network=network,
        steps=1,
        batch=2,
        crops=((0.0, 16),),
        rotate=True,
        validation_pictures=1,
    )
    scores = train_small(tmp_path, recipe)
    assert scores["indoor_db"] > 0


def test_a_stranger_s_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match="expected a dehaze-train checkpoint"):
        load_network(path)
    with pytest.raises(ModelError, match="no such checkpoint"):
        load_network(tmp_path / "none.safetensors")
