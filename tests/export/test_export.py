from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from dehaze.export import model_file
from dehaze.export.cli import main
from dehaze.export.image_graph import interpolation_weights
from dehaze.runtime import GateError, open_dehazer
from dehaze.train.checkpoint import load_network, save_network
from dehaze.train.networks import build_network

PROVENANCE = {
    "step": 5,
    "seconds": 60.0,
    "threads": 2,
    "device": "cpu",
    "indoor_db": 1.0,
    "road_db": 2.0,
    "clear_db": 3.0,
}


def lively(network: nn.Module) -> nn.Module:
    """Weights and norms away from their starting values, so that nothing cancels."""
    torch.manual_seed(3)
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point() and tensor.ndim:
            tensor.data.add_(0.03 * torch.rand_like(tensor))
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "edge.safetensors"
    save_network(path, "edge", lively(build_network("edge")), PROVENANCE)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    assert main([str(checkpoint), "--out", str(folder)]) == 0
    return folder / "edge.onnx"


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
    assert main([str(checkpoint), "--gridsample", "--out", str(tmp_path)]) == 0
    kinds = {node.op_type for node in onnx.load(tmp_path / "edge-gridsample.onnx").graph.node}
    assert "GridSample" in kinds
    assert "DeformConv" not in kinds


def test_an_image_network_exports_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfd-student", "--random-weights", "--out", str(tmp_path)]) == 0
    assert "within" in capsys.readouterr().out
    with open_dehazer(tmp_path / "rfd-student.onnx") as dehazer:
        assert dehazer(np.zeros((65, 70, 3), np.uint8)).shape == (65, 70, 3)


def test_an_export_unlike_its_network_is_refused(exported: Path) -> None:
    other = build_network("edge").eval()
    with pytest.raises(GateError, match="within 1/255 of torch") as raised:
        model_file.compare(onnx.load(exported), other)
    assert raised.value.exit_code == 3


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
