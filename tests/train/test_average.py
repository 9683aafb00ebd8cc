from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training import smooth_scenes

from dehaze.train import average
from dehaze.train.data.packed_file import save_collections
from dehaze.train.data.store import Collection
from dehaze.train.networks import build_network
from dehaze.train.run.checkpoint import load_network, save_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in (("a", 0.01), ("b", 0.04)):
        network = build_network("edge")
        for tensor in network.state_dict().values():
            tensor.fill_(value)
        save_network(tmp_path / f"{name}.safetensors", "edge", network, {})
    rooms = Collection("rooms", smooth_scenes(2, 0), name="nyu")
    save_collections(tmp_path / "packed.npz", {"trained": [rooms], "held out": [rooms]}, 4)
    return tmp_path


def run(folder: Path, *weights: str) -> int:
    entries = [str(folder / name) for name in weights]
    out = str(folder / "out.safetensors")
    few = ("--set", "crops=[[0.0, 48]]", "--set", "mixture.rooms.share=1.0")
    return average.main([out, *entries, "--data", str(folder / "packed.npz"), *few])


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(average, "STATISTICS_SAMPLES", 32)


def test_checkpoints_count_by_their_shares_and_the_mean_says_of_what_it_is(folder: Path) -> None:
    assert run(folder, "a.safetensors=2", "b.safetensors") == 0
    network, provenance = load_network(folder / "out.safetensors")
    assert all(torch.allclose(p, torch.full_like(p, 0.02)) for p in network.parameters())
    assert list(provenance["parts"].values()) == [2.0, 1.0]
    assert all(", sha256 " in part for part in provenance["parts"])
    assert provenance["indoor_db"] > 0


def test_batch_norms_of_the_mean_have_statistics_of_their_own(folder: Path) -> None:
    """Two batches give them here, whatever the checkpoints said."""
    network = build_network("edge")
    for buffer in network.buffers():
        buffer.fill_(7)
    save_network(folder / "c.safetensors", "edge", network, {})
    assert run(folder, "c.safetensors") == 0
    again = load_network(folder / "out.safetensors")[0]
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True)
    )
    norms = [norm for norm in again.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    assert all((norm.running_mean - 7).abs().min() > 1 for norm in norms)
    assert all(norm.num_batches_tracked == 2 for norm in norms)


def test_bad_entries_are_told_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(folder / "guide.safetensors", "sr-teacher", build_network("sr-teacher"), {})
    for weights, said in (
        (["a.safetensors=x"], "expected WEIGHTS=SHARE"),
        (["a.safetensors=-1"], "expected WEIGHTS=SHARE"),
        (["none.safetensors"], "no such checkpoint"),
        (["a.safetensors", "guide.safetensors"], "of one network, got edge, sr-teacher"),
        (["guide.safetensors"], "of the recipe's network, edge, got sr-teacher"),
    ):
        assert run(folder, *weights) != 0
        assert said in capsys.readouterr().err
    assert not (folder / "out.safetensors").exists()
