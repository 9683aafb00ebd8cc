from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from dehaze.export.cli import main
from dehaze.export.graph.image import interpolation_weights
from dehaze.runtime import open_dehazer
from dehaze.train.run.checkpoint import load_network


def test_the_contract_is_in_the_file(exported: Path) -> None:
    model = onnx.load(exported)
    assert next(o.version for o in model.opset_import if o.domain == "") in (19, 20)
    assert "DeformConv" in {node.op_type for node in model.graph.node}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    with open_dehazer(exported) as dehazer:
        contract = dehazer.contract
    assert (contract.name, contract.precision, contract.target) == ("edge", "fp32", "onnxruntime")
    assert contract.parameters == 126_879
    assert contract.card.startswith("5 steps in 1 minutes on 2 CPU threads;")


def test_image_in_and_out_are_uint8_of_any_size(exported: Path) -> None:
    graph = onnx.load(exported).graph
    image, clear = graph.input[0], graph.output[0]
    for value in (image, clear):
        tensor = value.type.tensor_type
        assert tensor.elem_type == onnx.TensorProto.UINT8
        assert [d.dim_param or d.dim_value for d in tensor.shape.dim] == ["N", "H", "W", 3]


def test_the_model_equals_torch_on_an_odd_size(exported: Path, checkpoint: Path) -> None:
    network, _ = load_network(checkpoint)
    frames = np.random.default_rng(5).integers(0, 256, (2, 77, 149, 3), np.uint8)
    with torch.no_grad():
        image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
        expected = (network(image).clamp(0, 1) * 255).round().permute(0, 2, 3, 1).numpy()
    with open_dehazer(exported) as dehazer:
        assert np.abs(dehazer(frames).astype(int) - expected).max() <= 1
    assert np.abs(expected - frames).mean() > 1


def test_gridsample_instead_of_deform_conv(checkpoint: Path, tmp_path: Path) -> None:
    assert main([str(checkpoint), "--deform", "gridsample", "--out", str(tmp_path)]) == 0
    kinds = {node.op_type for node in onnx.load(tmp_path / "edge-gridsample.onnx").graph.node}
    assert "GridSample" in kinds
    assert "DeformConv" not in kinds


def test_an_exported_file_needs_to_be_told_what_for(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(exported)]) == 2
    assert "give either --engine or --lint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "--fp16"], "and not --fp16"),
        (["--lint", "--shapes", "64x64", "128x128", "256x256"], "--shapes describe an engine"),
        (["--engine", "--shapes", "640x480", "64x64", "32x32"], "minimum <= optimum"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    options: list[str], words: str, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(exported), *options]) == 2
    assert words in capsys.readouterr().err


def test_lint_names_what_tensorrt_refuses(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file for ONNX Runtime keeps bytes inside the graph, which TensorRT does not take."""
    assert main([str(exported), "--lint"]) == 3
    said = capsys.readouterr()
    assert "DeformConv" in said.out
    assert "TensorRT would not take it" in said.err


def test_an_engine_of_a_model_for_onnx_runtime_is_refused_in_one_line(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert main([str(exported), "--engine"]) == 1
    said = capsys.readouterr().err
    assert "export it for tensorrt" in said or "dehaze-edge[rtx]" in said
    assert said.count("\n") == 1


def test_engines_are_built_without_torch(exported: Path) -> None:
    """On a Jetson only the runtime is installed."""
    script = f"""
import sys
for name in ("torch", "onnx", "onnxsim", "onnxscript"):
    sys.modules[name] = None
from dehaze.export.cli import main
sys.exit(main([{str(exported)!r}, "--engine"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_model_gives_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edgy"]) == 2
    assert "neither a checkpoint nor a network with shipped weights" in capsys.readouterr().err


def test_the_guide_of_the_training_is_not_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sr-teacher", "--random-weights", "--out", str(tmp_path)]) == 2
    assert "it is not exported" in capsys.readouterr().err


def test_an_unwritable_folder_gives_one_line(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "--out", "/proc/none"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_interpolation_weights_are_torchs() -> None:
    cells = torch.rand(1, 1, 1, 6)
    expected = nn.functional.interpolate(cells, scale_factor=(1.0, 8.0), mode="bilinear")
    padded = nn.functional.pad(cells, (1, 1, 0, 0), mode="replicate")[0, 0, 0].numpy()
    neighbours = np.stack((padded[:-2], padded[1:-1], padded[2:]), axis=1)
    assert np.allclose((neighbours @ interpolation_weights(8).T).ravel(), expected.ravel())
