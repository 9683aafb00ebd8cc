from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from dehaze.export.cli import main
from dehaze.export.graph import comparison
from dehaze.export.graph.comparison import psnr_between, session_of
from dehaze.export.graph.passes import copied, fold_norms
from dehaze.export.precision import convert as precision
from dehaze.export.precision.calibration import Picture, activation_ranges
from dehaze.export.precision.half import half_precision
from dehaze.export.precision.held_out import load_calibration_data
from dehaze.export.precision.quantisation import Scheme, quantisable_layers, quantised
from dehaze.export.precision.sensitivity import choose_layers, mean_psnr
from dehaze.export.trt.lint import lint
from dehaze.runtime import GateError, ModelError, open_dehazer


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each tensor, inferred from the graph."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    known = {t.name: t.data_type for t in graph.initializer}
    values = [*graph.input, *graph.value_info, *graph.output]
    return known | {v.name: v.type.tensor_type.elem_type for v in values}


@pytest.fixture(scope="module")
def folded(exported: Path) -> onnx.ModelProto:
    model = onnx.load(exported)
    fold_norms(model)
    return model


def test_folded_norms_change_nothing(folded: onnx.ModelProto, exported: Path) -> None:
    assert "BatchNormalization" not in {node.op_type for node in folded.graph.node}
    assert psnr_between(folded, onnx.load(exported)) > 80


def test_half_precision_keeps_what_needs_the_digits(folded: onnx.ModelProto) -> None:
    model = half_precision(folded)
    of = types(model)
    nodes = {node.name: node for node in model.graph.node}
    assert of[nodes["net_estimator.coarse.first"].output[0]] == TensorProto.FLOAT16
    deform = nodes["net_estimator.enhance.deform"]
    assert {of[name] for name in deform.input if name} == {TensorProto.FLOAT}
    offsets = nodes["net_estimator.enhance.deform.offset_and_mask"]
    assert of[offsets.output[0]] == TensorProto.FLOAT
    assert of[nodes["net_estimator.head"].output[0]] == TensorProto.FLOAT
    assert [of[value.name] for value in model.graph.output] == [
        TensorProto.UINT8,
        TensorProto.FLOAT,
    ]
    assert psnr_between(model, folded) > 55


def test_fp16_for_both_targets(checkpoint: Path, tmp_path: Path) -> None:
    targets = ["--target", "onnxruntime", "tensorrt"]
    assert main([str(checkpoint), "--fp16", *targets, "--out", str(tmp_path)]) == 0
    with open_dehazer(tmp_path / "edge-fp16.onnx", strength=0.5) as dehazer:
        assert dehazer.contract.precision == "fp16"
        assert "dB from float32" in dehazer.contract.card
    with pytest.raises(ModelError, match=r"edge-fp16-tensorrt\.onnx: .* --target onnxruntime"):
        open_dehazer(tmp_path / "edge-fp16-tensorrt.onnx")
    model = onnx.load(tmp_path / "edge-fp16-tensorrt.onnx")
    assert lint(model) == []
    plugin = next(n for n in model.graph.node if n.op_type == "HazeDeformConv2d")
    fields = {a.name: onnx.helper.get_attribute_value(a) for a in plugin.attribute}
    assert (plugin.domain, fields["plugin_version"]) == ("dehaze", b"1")
    assert fields["plugin_namespace"] == b"dehaze"
    assert fields["padding"] == fields["stride"] == fields["dilation"] == [1, 1]
    made = {t.name: t.data_type for t in model.graph.initializer}
    assert made[plugin.input[3]] == TensorProto.FLOAT16
    casts = {n.output[0]: n.attribute[0].i for n in model.graph.node if n.op_type == "Cast"}
    assert TensorProto.FLOAT not in {casts.get(name) for name in plugin.input[:1]}


def test_weights_too_large_for_half_precision_are_refused(
    folded: onnx.ModelProto,
) -> None:
    model = copied(folded)
    tensor = next(t for t in model.graph.initializer if t.name == "net_estimator.stem.weight")
    tensor.CopyFrom(numpy_helper.from_array(1e6 * numpy_helper.to_array(tensor), tensor.name))
    with np.errstate(over="ignore"), pytest.raises(GateError, match="export without --fp16"):
        precision.at_precision(model, "fp16", "onnxruntime", None, plugin=False)


@pytest.mark.parametrize("scheme", ["u8s8", "s8s8", "tensorrt"])
def test_quantised_graphs(
    scheme: Scheme, folded: onnx.ModelProto, depth_data: Path, tmp_path: Path
) -> None:
    data = load_calibration_data([str(depth_data)], 1)
    assert len(data.sha256) == 64
    layers = quantisable_layers(folded, scheme)
    assert "estimator.head" not in layers
    assert "estimator.enhance.deform.offset_and_mask" not in layers
    assert ("estimator.stem" in layers) == (scheme == "tensorrt")  # 3 channels gain nothing here
    ranges = activation_ranges(folded, data.calibration)
    assert psnr_between(quantised(folded, ranges, scheme, []), folded) > 80
    model = quantised(folded, ranges, scheme, layers)
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    zeros = [values[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"]
    if scheme != "u8s8":
        assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros[:-1])
    if scheme == "tensorrt":
        kinds = {values[n.input[0]].dtype for n in dequantised_weights(model, values)}
        assert kinds == {np.dtype(np.int8)}  # TensorRT takes no biases of 32 bits
    if scheme == "u8s8":
        assert {zero.dtype for zero in zeros} == {np.dtype(np.uint8)}
    for node in dequantised_weights(model, values):
        assert values[node.input[1]].ndim == 1  # a scale for each filter
    if scheme != "tensorrt":
        assert eight_bit_convolutions(model, tmp_path) == len(layers)
    assert 20 < psnr_between(model, folded) < 90


def eight_bit_convolutions(model: onnx.ModelProto, folder: Path) -> int:
    """The number of convolutions that ONNX Runtime computes in 8 bits; signed ones as on Arm."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    nodes = onnx.load(folder / "optimised.onnx").graph.node
    return sum(node.op_type == "QLinearConv" for node in nodes)


def dequantised_weights(
    model: onnx.ModelProto, values: dict[str, np.ndarray]
) -> list[onnx.NodeProto]:
    return [
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in values
    ]


SOME_LAYERS = ["estimator.stem", "estimator.coarse.first", "estimator.coarse.second"]


@pytest.mark.parametrize("target", ["onnxruntime", "tensorrt"])
def test_int8_is_ranked_and_described(
    target: str,
    checkpoint: Path,
    exported: Path,
    depth_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(precision, "quantisable_layers", lambda *_: SOME_LAYERS)
    monkeypatch.setattr(comparison, "TIMED_SECONDS", 0.0)
    data = ["--data", str(depth_data), "--pictures", "1", "--validate"]
    options = ["--int8", "--target", target, "--max-drop", "3", *data, "--out", str(tmp_path)]
    assert main([str(checkpoint), *options]) == 0
    said = capsys.readouterr().out
    assert "dB on 1 held-out pictures" in said
    stem = "edge-int8" if target == "onnxruntime" else "edge-int8-tensorrt"
    scoring = load_calibration_data([str(depth_data)], 1).scoring
    model = onnx.load(tmp_path / f"{stem}.onnx")
    props = {prop.key: prop.value for prop in model.metadata_props}
    assert len(props["dehaze.calibration_sha256"]) == 64
    assert "INT8 loses" in props["dehaze.card"]
    if target == "tensorrt":
        assert [finding for finding in lint(model) if finding.severity == "error"] == []
        assert "HazeDeformConv2d" in {node.op_type for node in model.graph.node}
    else:
        assert "times as fast as float32 on this machine" in said
        with open_dehazer(tmp_path / f"{stem}.onnx", strength=0.5) as dehazer:
            assert dehazer(np.zeros((65, 70, 3), np.uint8)).shape == (65, 70, 3)
    scored = re.search(r"INT8 loses \S+ of (\S+) dB", props["dehaze.card"])
    assert scored is not None
    # For TensorRT, INT8 is measured against the same graph in half precision.
    assert float(scored[1]) == pytest.approx(mean_psnr(onnx.load(exported), scoring), abs=0.05)
    report = json.loads((tmp_path / f"{stem}.sensitivity.json").read_text())
    assert {entry["layer"] for entry in report["ranking"]} == set(SOME_LAYERS)
    drops = [entry["drop_db"] for entry in report["ranking"]]
    assert drops == sorted(drops, reverse=True)
    assert (tmp_path / f"{stem}.sensitivity.png").stat().st_size > 5000


def test_the_most_costly_layers_are_kept_until_the_limit_holds(
    folded: onnx.ModelProto, depth_data: Path
) -> None:
    hazy = load_calibration_data([str(depth_data)], 1).scoring[0].hazy
    clear = session_of(folded).run(["clear"], {"image": hazy})[0]
    pictures = [Picture(hazy, clear)]
    asked: list[tuple[str, ...]] = []

    def quantise(layers: object) -> onnx.ModelProto:
        """Layer `b` spoils the picture, the others do nothing."""
        asked.append(tuple(layers))  # type: ignore[arg-type]
        model = copied(folded)
        if "b" in asked[-1]:
            tensor = next(t for t in model.graph.initializer if t.name == "strength")
            tensor.CopyFrom(numpy_helper.from_array(np.array(0, np.float32), "strength"))
        return model

    _, result = choose_layers(quantise, ["a", "b", "c"], mean_psnr, pictures, 0.1)
    assert result.kept == ["b"]
    assert asked == [(), (), ("a",), ("b",), ("c",), ("a", "b", "c"), ("a", "c")]
    assert abs(result.drop_db) < 1e-6 < result.drops_db[0]
    with pytest.raises(GateError, match="allow more with --max-drop") as raised:
        choose_layers(quantise, ["b"], mean_psnr, pictures, 0.1)
    assert raised.value.exit_code == 3


def test_int8_without_data_says_so(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "none")
    assert main([str(checkpoint), "--int8", "--data", nowhere, "--out", str(tmp_path)]) == 1
    assert f"{nowhere}: expected a folder" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx"))
