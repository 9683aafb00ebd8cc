"""--doctor describes this machine, and its self-test fails where a picture is wrong."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from dehaze.runtime import FunctionSession, ModelError, Session
from dehaze.runtime.backends import OpenedSession, open_session
from dehaze.runtime.doctor.diagnosis import diagnose
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.providers import self_test
from dehaze.runtime.providers.self_test import cell_means, hazy_picture
from dehaze.runtime.trt import host as tensorrt_host
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.options import EngineOptions, ShapeRange

EDGE = MODELS_FOLDER / "edge.onnx"


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu() -> None:
        raise ModelError("expected an NVIDIA GPU, got none (libcuda.so.1 cannot be opened)")

    monkeypatch.setattr(tensorrt_host, "cuda_device", no_gpu)


class Changed:
    """A real session whose pictures come out differently."""

    def __init__(self, session: Session, change: Any) -> None:
        self.contract, self.shapes, self.device_times = session.contract, session.shapes, None
        self._session, self._change = session, change

    def run(self, frames: Any, strength: float) -> Any:
        return self._change(self._session.run(frames, strength), strength)

    def close(self) -> None:
        self._session.close()


@pytest.mark.usefixtures("without_gpu")
def test_a_machine_without_a_gpu_is_well() -> None:
    diagnosis = diagnose()
    assert diagnosis.exit_code == 0
    default, other, rtx, *_ = diagnosis.backends
    assert default.name == "onnxruntime"
    assert default.chosen_because.startswith("onnxruntime: expected an NVIDIA GPU, got none")
    assert default.result.worst_difference < 1
    assert (other.name, other.chosen_because) == ("tensorrt", "")
    assert (rtx.name, rtx.chosen_because) == ("rtx", "")
    text = str(diagnosis)
    assert "onnxruntime (default)  passed" in text
    assert "tensorrt               not here: expected an NVIDIA GPU" in text
    for finding in (f for section in diagnosis.sections.values() for f in section):
        assert finding.value or finding.advice, f"{finding.name}: missing, and no advice"
        assert "\n" not in finding.value + finding.advice


@pytest.mark.usefixtures("without_gpu")
def test_everything_is_there_for_machines_to_read() -> None:
    read = json.loads(json.dumps(diagnose().as_dict()))
    assert read["exit_code"] == 0
    assert [finding["name"] for finding in read["sections"]["software"]][:3] == [
        "Python",
        "dehaze-edge",
        "numpy",
    ]
    assert read["backends"][0]["result"]["error"] == ""


WRONG = {
    "nothing done": lambda clear, _strength: hazy_picture() + 0 * clear,
    "colours swapped": lambda clear, _strength: clear[..., ::-1],
    "upside down": lambda clear, _strength: clear[:, ::-1],
    "black": lambda clear, _strength: 0 * clear,
    "four levels too dark": lambda clear, _strength: clear - np.minimum(clear, 4),
    "strength ignored": lambda clear, strength: clear + np.uint8(2 * (strength == 0)),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_picture_fails(what: str) -> None:
    session = open_session(EDGE, "onnxruntime").session
    result = self_test.self_test(Changed(session, WRONG[what]))
    assert not result.passed
    assert "expected" in result.error


def test_a_little_noise_passes() -> None:
    noise = np.random.default_rng(1).integers(0, 3, (1, 144, 192, 3), np.uint8)
    session = open_session(EDGE, "onnxruntime").session
    noisy = Changed(session, lambda clear, strength: clear + noise * np.uint8(strength > 0))
    assert self_test.self_test(noisy).passed


def test_the_picture_leaves_the_model_something_to_do() -> None:
    """Otherwise a backend that does nothing would pass: at most 2 are forgiven."""
    stored = json.loads(self_test.EXPECTED.read_text())
    session = open_session(EDGE, "onnxruntime").session
    assert stored["source_sha256"] == session.contract.source_sha256, (
        "new weights: python -m dehaze.runtime.doctor.self_test > runtime/weights/self-test.json"
    )
    expected = np.array(stored["cell_means"])
    assert np.abs(expected - cell_means(hazy_picture())).mean(axis=-1).min() > 10
    assert 20 < expected.mean(axis=-1).min() < expected.mean(axis=-1).max() < 235


def test_weights_of_which_nothing_is_known_are_said_to_be() -> None:
    result = self_test.self_test(FunctionSession(lambda frames: frames))
    assert result.passed
    assert result.worst_difference is None


@pytest.mark.usefixtures("without_gpu")
def test_a_default_backend_that_fails_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> OpenedSession:
        opened = open_session(*arguments, **options)
        return opened._replace(session=Changed(opened.session, WRONG["black"]))

    monkeypatch.setattr("dehaze.runtime.doctor.diagnosis.open_session", broken)
    diagnosis = diagnose()
    assert diagnosis.exit_code == 1
    assert "onnxruntime (default)  FAILED: expected cells within 3 of 255" in str(diagnosis)


def test_a_fake_orin_shows_its_engines_and_a_tensorrt_that_computes_wrongly(
    fake_tensorrt: ModuleType, fake_gpu: ModuleType, tmp_path: Path
) -> None:
    """The fake network makes a negative, which the self-test must not take for dehazing."""
    del fake_gpu
    model = Path(shutil.copy(EDGE, tmp_path / "edge.onnx"))
    changed = onnx.load(EDGE)
    entries = {entry.key: entry for entry in changed.metadata_props}
    entries["dehaze.target"].value = "tensorrt"
    onnx.save(changed, tmp_path / "edge-tensorrt.onnx")
    fake_tensorrt.build_errors.append("built unasked")
    default, other, *_ = diagnose(model).backends
    assert default.chosen_because.startswith("onnxruntime: ")
    assert "expected an engine, got none; build one with `dehaze-export" in default.chosen_because
    assert "build one with" in other.result.error
    fake_tensorrt.build_errors.clear()
    options = EngineOptions(shapes=ShapeRange.fixed(240, 320))
    engine = engine_from_onnx(tmp_path / "edge-tensorrt.onnx", None, options)
    (tmp_path / "broken.engine").write_bytes(b"")
    fake_tensorrt.build_errors.append("built unasked")
    diagnosis = diagnose(model)
    misfits = {Path(check.path).name: check.misfit for check in diagnosis.engines}
    assert misfits[engine.name] == ""
    assert "expected an engine of dehaze-export" in misfits["broken.engine"]
    tensorrt, onnxruntime, *_ = diagnosis.backends
    assert (tensorrt.name, tensorrt.is_default) == ("tensorrt", True)
    assert "expected cells within 3 of 255" in tensorrt.result.error
    assert onnxruntime.result.passed
    assert diagnosis.exit_code == 1
    (found,) = (f for f in diagnosis.sections["NVIDIA"] if f.name == "TensorRT")
    assert found.value == "10.3.0"


def test_a_library_that_cannot_be_imported_is_missing_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "av", None)
    missing = {f.name: f.advice for f in diagnose().sections["software"] if not f.value}
    assert "pip install opencv" in missing["opencv"]
    assert "pip install av" in missing["av (FFmpeg)"]
