from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from dehaze.export.trt.lint import Finding, lint, report

BLUR = np.full((3, 3, 3, 3), 1 / 27, np.float32)
DEHAZE = ', "dehaze" : 1'


def graph(
    inputs: str, body: str, outputs: str, opset: str = "20", domains: str = "", **constants: object
) -> onnx.ModelProto:
    """A model from the text of its nodes and the arrays of its initializers."""
    model = parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : {opset}{domains}]>'
        f"g ({inputs}) => ({outputs}) {{ {body} }}"
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    return model


def padded(missing: str) -> onnx.ModelProto:
    return graph(
        "float[N, 3, H, W] x",
        f"""size = Shape <start = 2> (x) m = Constant <value_ints = [32]> () {missing}
        none = Constant <value_ints = [0, 0, 0, 0, 0, 0]> ()
        pads = Concat <axis = 0> (none, missing) y = Pad <mode = "edge"> (x, pads)""",
        "float[N, 3, h, w] y",
    )


def to_bytes(body: str) -> onnx.ModelProto:
    limits = {"low": np.float32(0), "high": np.float32(255)}
    return graph("uint8[N, H, W, 3] x", body, "uint8[N, H, W, 3] y", **limits)


def sampled(mode: str) -> onnx.ModelProto:
    inputs = "float[N, 3, H, W] x, float[N, h, w, 2] g"
    return graph(inputs, f"y = GridSample {mode} (x, g)", "float[N, 3, h, w] y")


def deform_conv(bias: str = "b", kind: str = "float", pads: str = "1, 1, 1, 1") -> onnx.ModelProto:
    dtype = np.float16 if kind == "float16" else np.float32
    inputs = f"{kind}[N, 3, H, W] x, {kind}[N, 18, h, w] offset, {kind}[N, 9, h, w] mask"
    body = f"y = DeformConv <pads = [{pads}]> (x, weight, offset, {bias}, mask)"
    constants = {"weight": BLUR.astype(dtype), "b": np.zeros(3, dtype)}
    return graph(inputs, body, f"{kind}[N, 3, h, w] y", **constants)


def plugin(offset: str = "float", before: str = "", taken: str = "offset") -> onnx.ModelProto:
    return graph(
        f"float[N, 3, H, W] x, {offset}[N, 18, H, W] offset, float[N, 9, H, W] mask",
        f"{before} y = dehaze.HazeDeformConv2d (x, {taken}, mask, w)",
        "float[N, 3, H, W] y",
        domains=DEHAZE,
        w=BLUR,
        s=np.float32(0.1),
        z=np.int8(0),
    )


CLEAN = {
    "pixels": to_bytes("f = Cast <to = 1> (x) c = Clip (f, low, high) r = Round (c)"
                       " y = Cast <to = 2> (r)"),
    "whole blocks": padded(
        "l = Constant <value_ints = [31]> () r = Add (size, l) b = Div (r, m) w = Mul (b, m)"
        " missing = Sub (w, size)"
    ),
    "linear by default": sampled(""),
    "plugin": plugin(),
}  # fmt: skip
QUANTISED = "q = QuantizeLinear (offset, s, z) d = DequantizeLinear (q, s, z)"
DIRTY: dict[str, tuple[str, onnx.ModelProto]] = {
    "opset too old": ("opset", graph("float[N] x", "y = Relu (x)", "float[N] y", opset="8")),
    "default of an input": (
        "input-default",
        graph("float[N] x, float s", "y = Mul (x, s)", "float[N] y", s=np.float32(1)),
    ),
    "size from Mod": ("unprovable-size", padded("n = Neg (size) missing = Mod (n, m)")),
    "bytes not rounded": (
        "uint8-rounding",
        to_bytes("f = Cast <to = 1> (x) c = Clip (f, low, high) y = Cast <to = 2> (c)"),
    ),
    "bytes not clipped": (
        "uint8-rounding",
        to_bytes("f = Cast <to = 1> (x) r = Round (f) y = Cast <to = 2> (r)"),
    ),
    "linear is taken for nearest": ("grid-sample-mode", sampled('<mode = "linear">')),
    "stock plugin": ("deform-conv", deform_conv()),
    "half offsets": ("plugin-type", plugin("float16")),
    "offsets in 8 bits": ("quantised-offset", plugin("float", QUANTISED, "d")),
}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found_in_a_graph_that_tensorrt_takes(name: str) -> None:
    assert report(lint(CLEAN[name])) == []


@pytest.mark.parametrize("name", DIRTY)
def test_each_rule_is_broken_alone(name: str) -> None:
    rule, model = DIRTY[name]
    found = lint(model)
    assert {item.rule for item in found} == {rule}, report(found)


def rules(found: list[Finding]) -> set[str]:
    return {item.rule for item in found}


def test_deformable_convolution_of_the_stock_plugin() -> None:
    assert [item.severity for item in lint(deform_conv())] == ["warning"]
    assert [item.severity for item in lint(deform_conv(kind="float16"))] == ["error"]
    assert rules(lint(deform_conv(bias=""))) == {"deform-conv", "deform-conv-bias"}
    swapped = lint(deform_conv(pads="1, 2, 1, 2"))
    assert rules(swapped) == {"deform-conv", "deform-conv-asymmetric"}


def test_only_the_version_concerned_is_named() -> None:
    (found,) = lint(graph("float[N] x", "y = Relu (x)", "float[N] y", opset="23"))
    assert "expected for TensorRT 10.3 one opset from 9 to 20, got [23]" in found.message


def test_the_report_says_where_and_puts_errors_first() -> None:
    body = 'm = Mul (x, s) y = GridSample <mode = "linear"> (m, g)'
    inputs = "float[N, 3, H, W] x, float[N, h, w, 2] g, float s"
    model = graph(inputs, body, "float[N, 3, h, w] y", s=np.float32(1))
    first, second = report(lint(model))
    assert first.startswith("error: GridSample y [grid-sample-mode]: expected mode to be bilinear")
    assert second.startswith("warning: model [input-default]: ")
