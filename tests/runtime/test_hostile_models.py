"""Models of strangers: wrong estimates are refused in one line, and Ctrl-C always ends a run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import error_lines, picture

from dehaze.runtime import ModelError, open_dehazer
from dehaze.runtime.model.contract import ModelContract

onnx = pytest.importorskip("onnx", reason="needs onnx to make models")
RUN = [sys.executable, "-m", "dehaze.runtime.cli"]


def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs, outputs, **attributes)


def constant(name: str, value: Any) -> Any:
    return node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(value)))


def write_model(path: Path, estimator: list[Any]) -> Path:
    """A model whose `estimator` makes `grid` of `thumbnail`; its `clear` is the image."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        node("Cast", ["image"], ["pixels"], to=kinds.FLOAT),
        node("Transpose", ["pixels"], ["thumbnail"], perm=[0, 3, 1, 2]),
        *estimator,
        node("Identity", ["image"], ["clear"]),
    ]
    image = [helper.make_tensor_value_info("image", kinds.UINT8, ["N", "H", "W", 3])]
    outputs = [
        helper.make_tensor_value_info("clear", kinds.UINT8, None),
        helper.make_tensor_value_info("grid", kinds.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "hostile", image, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    contract = ModelContract("edge", "fp32", "onnxruntime", 1, 1, "", grid_stride=8)
    helper.set_model_props(model, contract.to_metadata())
    path.write_bytes(model.SerializeToString())
    return path


def filled(shape: tuple[int, ...], value: float = 1.0) -> list[Any]:
    """A grid of one value."""
    return [constant("zero", np.float32(0)), *_filled(shape, value)]


def _filled(shape: tuple[int, ...], value: float) -> list[Any]:
    """A grid of one value that depends on the thumbnail, so that it is not folded."""
    return [
        constant("values", np.full(shape, value, np.float32)),
        node("ReduceMax", ["thumbnail"], ["most"], keepdims=0),
        node("Mul", ["most", "zero"], ["nothing"]),
        node("Add", ["values", "nothing"], ["grid"]),
    ]


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (filled((1, 1, 1, 4)), "expected a grid that covers 1 frames"),
        (filled((2, 16, 16, 4)), "expected a grid that covers 1 frames"),
        (filled((1, 16, 16, 3)), "expected a grid of"),
        (filled((16, 4)), "expected a grid of"),
        (filled((1, 16, 16, 4), float("nan")), "expected finite numbers"),
        (filled((1, 16, 16, 4), float("inf")), "expected finite numbers"),
    ],
)
@pytest.mark.parametrize("side", [64, 128])
def test_a_grid_that_does_not_fit_is_refused(
    estimator: list[Any], words: str, side: int, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "hostile.onnx", estimator)
    with (
        open_dehazer(path, threads=1, compiled=False) as dehazer,
        pytest.raises(ModelError, match=words),
    ):
        dehazer(picture(side, side))


def test_what_onnxruntime_refuses_is_one_line(tmp_path: Path) -> None:
    """Reshaping to what the thumbnail has not."""
    estimator = [
        constant("shape", np.array([1, 7, 7, 4], np.int64)),
        node("Reshape", ["thumbnail", "shape"], ["grid"]),
    ]
    path = write_model(tmp_path / "hostile.onnx", estimator)
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 64))
    command = [*RUN, str(tmp_path / "a.png"), "--model", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1
    (line,) = error_lines(run.stderr)
    assert "ONNX Runtime failed on thumbnail" in line


def endless(start: list[Any]) -> list[Any]:
    """A loop of 2**62 rounds; `start` says what it begins with, in `begin`."""
    helper, kinds = onnx.helper, onnx.TensorProto
    body = helper.make_graph(
        [node("Identity", ["on"], ["on_out"]), node("Sin", ["state"], ["state_out"])],
        "body",
        [
            helper.make_tensor_value_info("round", kinds.INT64, []),
            helper.make_tensor_value_info("on", kinds.BOOL, []),
            helper.make_tensor_value_info("state", kinds.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_out", kinds.BOOL, []),
            helper.make_tensor_value_info("state_out", kinds.FLOAT, None),
        ],
    )
    return [
        constant("rounds", np.int64(2**62)),
        constant("yes", np.bool_(True)),
        *start,
        node("Loop", ["rounds", "yes", "begin"], ["zero"], body=body),
        *_filled((1, 16, 16, 4), 1.0),
    ]


@pytest.mark.parametrize(("when", "number"), [("opened", signal.SIGTERM), ("run", signal.SIGINT)])
def test_a_model_that_never_ends_can_be_stopped(
    when: str, number: signal.Signals, tmp_path: Path
) -> None:
    start = (
        [constant("begin", np.float32(1))]
        if when == "opened"
        else [node("ReduceMax", ["thumbnail"], ["begin"], keepdims=0)]
    )
    path = write_model(tmp_path / "hostile.onnx", endless(start))
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 64))
    command = [*RUN, str(tmp_path / "a.png"), "--model", str(path), "--threads", "1"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(12)
        assert run.poll() is None
        run.send_signal(number)
        _, errors = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 130, errors
    assert "stopped; the unfinished output was removed" in errors
    assert [path.name for path in tmp_path.glob("*.png")] == ["a.png"]
    assert not list(tmp_path.glob(".*"))
