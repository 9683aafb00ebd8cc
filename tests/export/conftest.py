"""A checkpoint, data to calibrate on and exported models, which the tests of the export share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dehaze.export.cli import main
from dehaze.train.run.checkpoint import load_network, save_network
from dehaze.train.shipped import shipped_or_path

PROVENANCE = {
    "step": 5,
    "seconds": 60.0,
    "threads": 2,
    "device": "cpu",
    "indoor_db": 1.0,
    "road_db": 2.0,
    "clear_db": 3.0,
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights with another story."""
    path = tmp_path_factory.mktemp("trained") / "edge.safetensors"
    network, _ = load_network(shipped_or_path("edge"))
    save_network(path, "edge", network, PROVENANCE)
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file in float32 for ONNX Runtime."""
    folder = tmp_path_factory.mktemp("exported")
    assert main([str(checkpoint), "--out", str(folder)]) == 0
    return folder / "edge.onnx"


@pytest.fixture(scope="session")
def depth_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clear pictures with depth, of which one is held out."""
    folder = tmp_path_factory.mktemp("data")
    slope = np.repeat(np.linspace(250, 40, 96).astype(np.uint8)[:, None], 128, axis=1)
    for name in ("clear", "depth"):
        (folder / name).mkdir()
    for index in range(3):
        patches = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        clear = cv2.resize(patches, (128, 96), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / "clear" / f"{index}.png"), clear)
        assert cv2.imwrite(str(folder / "depth" / f"{index}.png"), slope)
    return folder
