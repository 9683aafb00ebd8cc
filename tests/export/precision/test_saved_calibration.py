from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.export.calibrate_shipped import made_calibration
from dehaze.export.cli import main
from dehaze.export.graph.base import Form, Target
from dehaze.export.graph.shipped_models import ShippedModels
from dehaze.export.precision import convert, saved_calibration
from dehaze.export.precision.calibrated import OnPictures
from dehaze.export.precision.convert import at_precision
from dehaze.export.precision.saved_calibration import SavedCalibration, calibration_file
from dehaze.runtime.model.shipped import MODELS_FOLDER, contract_of

CONTRACT = contract_of(MODELS_FOLDER / "edge.onnx")
BASES = ShippedModels("edge")
SOME_LAYERS = ["estimator.stem", "estimator.coarse.first", "estimator.coarse.second"]


@pytest.fixture(scope="module")
def on_pictures(depth_data: Path) -> OnPictures:
    """A calibration on one picture; 60 dB may be lost, since the weights do not know the scene."""
    return OnPictures([str(depth_data)], 1, 60.0, "a command")


@pytest.fixture(scope="module")
def saved(on_pictures: OnPictures, tmp_path_factory: pytest.TempPathFactory) -> SavedCalibration:
    """The same calibration, written to a file and read back."""
    path = tmp_path_factory.mktemp("saved") / "edge.calibration.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "quantisable_layers", lambda *_: SOME_LAYERS)
        made_calibration(BASES, CONTRACT.source_sha256, on_pictures).write(path)
        patch.setattr(saved_calibration, "calibration_file", lambda _: path)
        return saved_calibration.saved_calibration(CONTRACT)


@pytest.mark.parametrize("form", ["standard", "gridsample"])
@pytest.mark.parametrize("target", ["onnxruntime", "onnxruntime-arm", "tensorrt"])
def test_saved_ranges_give_the_graph_that_the_pictures_give(
    target: Target,
    form: Form,
    depth_data: Path,
    saved: SavedCalibration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(convert, "quantisable_layers", lambda *_: SOME_LAYERS)
    pictures = OnPictures([str(depth_data)], 1, 60.0, "a command")
    base = BASES.model(target, form)
    expected = at_precision(base, "int8", target, pictures, plugin=False)
    got = at_precision(base, "int8", target, saved, plugin=False)
    assert got.model.graph == expected.model.graph
    assert "QuantizeLinear" in {node.op_type for node in got.model.graph.node}
    assert (saved.sha256, saved.provenance) == (pictures.sha256, pictures.provenance)
    if form == "standard":
        assert got.note == expected.note


def test_the_provenance_names_data_count_command_and_day(saved: SavedCalibration) -> None:
    about, command, day = saved.provenance.split("; ")
    assert about.startswith("1 held-out pictures of ")
    assert command == "a command"
    assert len(day.split("-")) == 3


def test_the_shipped_ranges_belong_to_the_shipped_weights() -> None:
    """Else remake them, see CONTRIBUTING.md."""
    found = saved_calibration.saved_calibration(CONTRACT)
    assert found.source_sha256 == CONTRACT.source_sha256
    assert set(found.losses) == {"onnxruntime", "onnxruntime-arm", "tensorrt"}
    assert all(loss.drop_db <= 0.2 for loss in found.losses.values())
    assert calibration_file("edge").stat().st_size < 100_000


def test_other_weights_are_told_to_bring_data(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "--int8", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"those of weights {CONTRACT.source_sha256[:8]} ship: give --data FOLDER" in said
    assert "https://" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_options_of_a_calibration_ask_for_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--int8", "--pictures", "3", "--max-drop", "0.1"]) == 2
    assert "--pictures, --max-drop without --data" in capsys.readouterr().err


def test_a_damaged_file_of_ranges_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edge.calibration.json"
    path.write_text('{"source_sha256": 3}')
    monkeypatch.setattr(saved_calibration, "calibration_file", lambda _: path)
    assert main(["--int8", "--out", str(tmp_path)]) == 1
    assert "it is damaged (expected" in capsys.readouterr().err
