from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from dehaze.runtime import ModelError, UsageError
from dehaze.train.checkpoint import load_network
from dehaze.train.loop import TrainingOptions, train_edge
from dehaze.train.scenes import Scenes
from dehaze.train.validation import Validation, psnr


def smooth_scenes(count: int, scattering: tuple[float, float], seed: int) -> Scenes:
    """Colour patches over sloping depth: enough to learn a little from."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(count, 3, 5, 7, generator=generator)
    clear = torch.nn.functional.interpolate(patches, size=(40, 56), mode="nearest")
    slope = torch.linspace(1, 0.1, 40).view(1, 1, 40, 1).expand(count, 1, 40, 56)
    return Scenes(clear.half(), slope.clone(), torch.tensor([scattering]).repeat(count, 1))


TRAINED = (smooth_scenes(6, (0.6, 1.8), 0), smooth_scenes(3, (0.5, 2.0), 1))
HELD_OUT = Validation(smooth_scenes(2, (0.6, 1.8), 2), smooth_scenes(2, (0.5, 2.0), 3))


def options(steps: int, validate_every: int = 4) -> TrainingOptions:
    return TrainingOptions(
        steps=steps,
        batch=4,
        crops=((0.0, 24), (0.5, 32)),
        road_share=0.25,
        warmup_steps=4,
        validate_every=validate_every,
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_network(folder / "edge.safetensors")[0].state_dict()


def test_a_stopped_and_resumed_run_gives_the_weights_of_one_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_edge(TRAINED, HELD_OUT, tmp_path / "whole", options(12))
    # Stopped in the middle of step 11: what is on disk is step 8.
    import dehaze.train.loop as loop

    taken = []
    draw_batch = loop._batch

    def stop_at_step_11(*arguments: object) -> object:
        taken.append(arguments[1])
        if arguments[1] == 10 and len(taken) == 11:
            raise KeyboardInterrupt
        return draw_batch(*arguments)

    monkeypatch.setattr(loop, "_batch", stop_at_step_11)
    with pytest.raises(KeyboardInterrupt):
        train_edge(TRAINED, HELD_OUT, tmp_path / "parts", options(12))
    train_edge(TRAINED, HELD_OUT, tmp_path / "parts", options(12))
    assert taken == [*range(11), *range(8, 12)]
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_training_helps_and_says_how_much(tmp_path: Path) -> None:
    before = train_edge(TRAINED, HELD_OUT, tmp_path / "short", options(1))
    after = train_edge(TRAINED, HELD_OUT, tmp_path / "long", options(60, validate_every=30))
    assert after["indoor_db"] > before["indoor_db"] + 1
    with (tmp_path / "long" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [30, 60]
    assert float(rows[-1]["indoor_db"]) == after["indoor_db"]
    provenance = load_network(tmp_path / "long" / "edge.safetensors")[1]
    assert provenance["step"] == 60
    assert provenance["options"]["batch"] == 4


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    train_edge(TRAINED, HELD_OUT, tmp_path, options(3))
    written = (tmp_path / "edge.safetensors").stat().st_mtime_ns
    assert train_edge(TRAINED, HELD_OUT, tmp_path, options(3)) == {}
    assert (tmp_path / "edge.safetensors").stat().st_mtime_ns == written


def test_a_time_budget_ends_the_run(tmp_path: Path) -> None:
    timed = TrainingOptions(minutes=0.02, batch=4, crops=((0.0, 24),), validate_every=1000)
    scores = train_edge(TRAINED, HELD_OUT, tmp_path, timed)
    assert set(scores) == {"indoor_db", "road_db", "clear_db"}
    assert load_network(tmp_path / "edge.safetensors")[1]["seconds"] >= 1.2


def test_steps_and_minutes_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either"):
        train_edge(TRAINED, HELD_OUT, tmp_path, TrainingOptions())


def test_a_stranger_s_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match="expected a dehaze-train checkpoint"):
        load_network(path)
    with pytest.raises(ModelError, match="no such checkpoint"):
        load_network(tmp_path / "none.safetensors")


def test_psnr_of_a_known_error() -> None:
    reference = torch.full((1, 3, 4, 4), 0.5)
    assert psnr(reference + 0.1, reference).item() == pytest.approx(20, abs=1e-3)
