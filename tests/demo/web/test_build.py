"""`make web` takes models that the page can apply, and refuses others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from build_page import OF_ONNX_RUNTIME, estimator_of
from web_site import model_with_channels

from dehaze.runtime import ModelError
from dehaze.runtime.model.shipped import model_path

WEB = Path(__file__).parents[3] / "demo" / "web"


def test_npm_is_told_one_version_and_no_download_address() -> None:
    version = json.loads((WEB / "package.json").read_text())["dependencies"]["onnxruntime-web"]
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert lock["node_modules/onnxruntime-web"]["version"] == version
    assert not [name for name, package in lock.items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock.items() if name)


def test_the_workers_engines_are_what_the_build_copies() -> None:
    worker = (WEB / "page" / "estimator.js").read_text()
    assert [name for name in OF_ONNX_RUNTIME if f'"{name}"' not in worker] == []


def test_a_grid_of_unknown_channels_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    path.write_bytes(model_with_channels(np.eye(4, 5, dtype=np.float32)))
    with pytest.raises(ModelError, match=r"expected a grid of 4 channels .* got 5"):
        estimator_of(path)


def test_a_model_without_a_grid_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(model_path("edge"))
    next(e for e in model.metadata_props if e.key == "dehaze.grid_stride").value = "0"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="expected a model that gives a grid"):
        estimator_of(tmp_path / "model.onnx")
