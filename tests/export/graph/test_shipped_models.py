from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

from dehaze.export.cli import main
from dehaze.export.graph.comparison import psnr_between
from dehaze.export.graph.image import model_from_estimator
from dehaze.export.graph.network_models import NetworkModels
from dehaze.export.graph.shipped_models import ShippedModels, estimator_of, shipped_contract
from dehaze.runtime import open_dehazer
from dehaze.train.run.checkpoint import load_network
from dehaze.train.shipped import shipped_or_path


@pytest.mark.parametrize("form", ["standard", "gridsample"])
def test_the_estimator_taken_out_of_a_shipped_file_makes_that_file_again(form: str) -> None:
    shipped = ShippedModels("edge").model("onnxruntime", form)  # type: ignore[arg-type]
    again = model_from_estimator(estimator_of(shipped), tensorrt=False)
    assert list(again.graph.node) == list(shipped.graph.node)
    weights = ({t.name: t for t in model.graph.initializer} for model in (again, shipped))
    assert next(weights) == next(weights)
    assert list(again.graph.output) == list(shipped.graph.output)


def test_the_shipped_model_for_tensorrt_is_that_of_torch(checkpoint: Path) -> None:
    """`checkpoint` has the shipped weights."""
    models = ShippedModels("edge")
    model = models.model("tensorrt", "standard")
    assert models.origin_of(model) == "from the shipped edge"
    network, _ = load_network(checkpoint)
    assert psnr_between(model, NetworkModels(network, "edge").model("tensorrt", "standard")) > 70


def test_shipped_weights_are_told_by_their_hash(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(shipped_or_path("edge").read_bytes())
    found = shipped_contract(copy)
    assert found is not None
    assert found.name == "edge"
    assert shipped_contract(checkpoint) is None  # the same weights with another story


WITHOUT_TORCH = """
import sys
for name in ("torch", "torchmetrics", "safetensors", "onnxsim", "onnxscript", "matplotlib"):
    sys.modules[name] = None
from dehaze.export.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run_without_torch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--fp16"], ["edge-fp16.onnx"]),
        (
            ["--int8", "--target", "onnxruntime", "onnxruntime-arm", "tensorrt"],
            ["edge-int8.onnx", "edge-int8-arm.onnx", "edge-int8-tensorrt.onnx"],
        ),
        (
            ["--int8", "--target", "tensorrt", "--deform", "gridsample"],
            ["edge-int8-tensorrt-gridsample.onnx"],
        ),
        (["--target", "tensorrt"], ["edge-tensorrt.onnx"]),
    ],
)
def test_what_ships_is_converted_without_torch_and_data(
    arguments: list[str], files: list[str], tmp_path: Path
) -> None:
    done = run_without_torch(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    assert "from the shipped edge" in done.stdout
    for name in files:
        metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / name).metadata_props}
        provenance = metadata["dehaze.calibration"]
        assert ("held-out pictures of nyu; python -m" in provenance) == ("--int8" in arguments)


def test_an_older_onnx_runtime_gets_the_form_that_it_can_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.10 has ONNX Runtime 1.23, which lacks DeformConv."""
    monkeypatch.setattr(onnxruntime, "__version__", "1.23.2")
    assert main(["--fp16", "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.iterdir()
    assert path.name == "edge-fp16-gridsample.onnx"
    assert "DeformConv" not in {node.op_type for node in onnx.load(path).graph.node}


def test_an_export_that_needs_torch_says_so(tmp_path: Path) -> None:
    done = run_without_torch(tmp_path)
    assert done.returncode == 2
    assert "pip install 'dehaze-edge[export]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_converted_model_dehazes(tmp_path: Path, frame: object) -> None:
    assert main(["--fp16", "--out", str(tmp_path)]) == 0
    with open_dehazer("edge") as shipped, open_dehazer(tmp_path / "edge-fp16.onnx") as half:
        difference = half(frame).astype(int) - shipped(frame)  # type: ignore[arg-type]
        assert half.contract.source_sha256 == shipped.contract.source_sha256
    assert abs(difference).max() <= 2
