from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from dehaze.export.trt.lint import Finding, lint, report
from dehaze.runtime import UsageError
from dehaze.runtime.model.shipped import model_path

FLOATS = np.float32
DEHAZE = ', "dehaze" : 1'
PLUGIN = (
    '<plugin_version = "1", plugin_namespace = "dehaze", stride = [1, 1], padding = [1, 1],'
    " dilation = [1, 1], groups = 1, offset_groups = 1>"
)
BLUR = np.full((3, 3, 3, 3), 1 / 27, FLOATS)
SCALES = np.array([0.1, 0.2, 0.3], FLOATS)
INT8_ZERO = np.int8(0)


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


def image(body: str, opset: str = "20", **constants: object) -> onnx.ModelProto:
    """`body` makes y of x, both (N, 3, H, W) float."""
    return graph("float[N, 3, H, W] x", body, "float[N, 3, H, W] y", opset, **constants)


def plugin(
    attributes: str = PLUGIN, offset: str = "float", weight: object = BLUR
) -> onnx.ModelProto:
    inputs = f"float[N, 3, H, W] x, {offset}[N, 18, H, W] offset, float[N, 9, H, W] mask"
    body = f"y = dehaze.HazeDeformConv2d {attributes} (x, offset, mask, w)"
    return graph(inputs, body, "float[N, 3, H, W] y", domains=DEHAZE, w=weight)


def deform_conv(bias: str = "b", kind: str = "float", attributes: str = "") -> onnx.ModelProto:
    dtype = np.float16 if kind == "float16" else np.float32
    inputs = f"{kind}[N, 3, H, W] x, {kind}[N, 18, h, w] offset, {kind}[N, 9, h, w] mask"
    attributes = attributes or "pads = [1, 1, 1, 1]"
    body = f"y = DeformConv <{attributes}> (x, weight, offset, {bias}, mask)"
    constants = {"weight": BLUR.astype(dtype), "b": np.zeros(3, dtype)}
    return graph(inputs, body, f"{kind}[N, 3, h, w] y", **constants)


def quantised(
    scale: object = FLOATS(0.1), zero: object = INT8_ZERO, middle: str = "", end: str = "q"
) -> onnx.ModelProto:
    body = f"q = QuantizeLinear (x, s, z) {middle} y = DequantizeLinear ({end}, s, z)"
    return image(body, s=scale, z=zero)


def quantised_weight(consumer: str, axis: str, kernel: object = BLUR) -> onnx.ModelProto:
    body = f"""q = QuantizeLinear {axis} (w, s, z) d = DequantizeLinear {axis} (q, s, z)
        y = {consumer}"""
    return image(body, w=kernel, s=SCALES, z=np.zeros(3, np.int8))


def to_bytes(body: str) -> onnx.ModelProto:
    low, high = FLOATS(0), FLOATS(255)
    return graph("uint8[N, H, W, 3] x", body, "uint8[N, H, W, 3] y", low=low, high=high)


CLEAN = {
    "pixels": to_bytes(
        "f = Cast <to = 1> (x) g = Mul (f, f) c = Clip (g, low, high) r = Round (c)"
        " y = Cast <to = 2> (r)"
    ),
    "padding to a multiple": graph(
        "float[N, 3, H, W] x",
        """size = Shape <start = 2> (x) m = Constant <value_ints = [32]> () n = Neg (size)
        missing = Mod (n, m) none = Constant <value_ints = [0, 0, 0, 0, 0, 0]> ()
        pads = Concat <axis = 0> (none, missing) p = Pad <mode = "edge"> (x, pads)
        zero = Constant <value_ints = [0, 0]> () axes = Constant <value_ints = [2, 3]> ()
        y = Slice (p, zero, size, axes)""",
        "float[N, 3, h, w] y",
    ),
    "five dimensions": graph(
        "float[N, H, W, 12] x, float strength",
        """two = Constant <value_ints = [2]> () u = Unsqueeze (x, two) v = Mul (u, strength)
        c = Concat <axis = 2> (u, u, v) to = Constant <value_ints = [0, 0, 0, -1]> ()
        r = Reshape (c, to) y = MatMul (rows, r)""",
        "float[N, H, 8, w] y",
        rows=np.ones((8, 3), FLOATS),
    ),
    "a constant tensor": graph(
        "float[N, 2] x", "c = Constant <value = float[2] {1, 2}> () y = Mul (x, c)", "float[N, 2] y"
    ),
    "plugin": plugin(),
    "behind the plugin": graph(
        "float[N, 3, H, W] x, float[N, 18, H, W] offset, float[N, 9, H, W] mask",
        f"a = dehaze.HazeDeformConv2d {PLUGIN} (x, offset, mask, w) y = Conv (a, w)",
        "float[N, 3, h, w] y",
        domains=DEHAZE,
        w=BLUR,
    ),
    "activation": quantised(),
    "weight": quantised_weight("Conv (x, d)", "<axis = 0>"),
    "transposed weight": quantised_weight("ConvTranspose (x, d)", "<axis = 1>"),
    "grid": graph(
        "float[N, 3, H, W] x, float[N, h, w, 2] g", "y = GridSample (x, g)", "float[N, 3, h, w] y"
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found_in_a_graph_that_tensorrt_takes(name: str) -> None:
    assert report(lint(CLEAN[name])) == []


NINE = ", ".join("1" * 9)
DIRTY: dict[str, tuple[str, onnx.ModelProto]] = {
    "opset too old": ("opset", image("y = Relu (x)", opset="8")),
    "opset too new": ("opset", image("y = Relu (x)", opset="25")),
    "no importer": ("operator", graph("float[N, N] x", "y = Det (x)", "float y")),
    "someone's operator": (
        "operator",
        graph("float[N] x", "y = dehaze.Other (x)", "float[N] y", domains=DEHAZE),
    ),
    "bytes into Pad": (
        "type",
        graph(
            "uint8[N, 4] x",
            "p = Pad (x, pads) y = Cast <to = 1> (p)",
            "float[N, 6] y",
            pads=np.array([0, 1, 0, 1]),
        ),
    ),
    "double": ("type", graph("double[N] x", "y = Relu (x)", "double[N] y")),
    "cast to double": ("type", graph("float[N] x", "y = Cast <to = 11> (x)", "double[N] y")),
    "int32 bias": (
        "type",
        image(
            "b = DequantizeLinear (i, s) y = Conv (x, w, b)",
            w=BLUR,
            i=np.zeros(3, np.int32),
            s=FLOATS(1),
        ),
    ),
    "types mixed": (
        "mixed-types",
        graph("float[N, 3, H, W] x, float16[N, h, w, 2] g", "y = GridSample (x, g)", "float[] y"),
    ),
    "a body": (
        "subgraph",
        graph(
            "bool c, float[N] x",
            """y = If (c) <then_branch = t () => (float[N] a) { a = Relu (x) },
            else_branch = e () => (float[N] b) { b = Neg (x) }>""",
            "float[N] y",
        ),
    ),
    "int64 to bytes": (
        "uint8-cast",
        graph("int64[N] x", "c = Clip (x) y = Cast <to = 2> (c)", "uint8[N] y"),
    ),
    "bytes in the middle": (
        "uint8-border",
        graph(
            "float[N] x",
            "c = Clip (x) r = Round (c) b = Cast <to = 2> (r) y = Cast <to = 1> (b)",
            "float[N] y",
        ),
    ),
    "bytes not rounded": (
        "uint8-rounding",
        to_bytes("f = Cast <to = 1> (x) c = Clip (f, low, high) y = Cast <to = 2> (c)"),
    ),
    "bytes not clipped": (
        "uint8-rounding",
        to_bytes("f = Cast <to = 1> (x) r = Round (f) y = Cast <to = 2> (r)"),
    ),
    "computed axes": (
        "constant",
        graph("float[1, N] x, int64[1] a", "y = Squeeze (x, a)", "float[N] y"),
    ),
    "nine dimensions": (
        "rank",
        graph("float[N] x", "y = Reshape (x, to)", "float[] y", to=np.ones(9, np.int64)),
    ),
    "volume to sample": (
        "rank",
        graph(
            "float[N, 3, D, H, W] x, float[N, d, h, w, 3] g", "y = GridSample (x, g)", "float[] y"
        ),
    ),
    "channels not fixed": (
        "channels",
        graph("float[N, C, H, W] x", "y = Conv (x, w)", "float[N, 3, h, w] y", w=BLUR),
    ),
    "linear is taken for nearest": (
        "attribute",
        graph(
            "float[N, 3, H, W] x, float[N, h, w, 2] g",
            'y = GridSample <mode = "linear"> (x, g)',
            "float[N, 3, h, w] y",
        ),
    ),
    "dilated pooling": (
        "attribute",
        image("y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)"),
    ),
    "crop and resize": (
        "attribute",
        image(
            'y = Resize <coordinate_transformation_mode = "half_pixel_symmetric"> (x, , s)',
            s=np.ones(4, FLOATS),
        ),
    ),
    "indices of pooling": (
        "outputs",
        graph("float[N, 3, H, W] x", "y, i = MaxPool <kernel_shape = [2, 2]> (x)", "float[] y"),
    ),
    "default of an input": (
        "input-default",
        graph("float[N] x, float s", "y = Mul (x, s)", "float[N] y", s=FLOATS(1)),
    ),
    "shapes that contradict": (
        "shapes",
        graph("float[2, 3] x", "y = MatMul (x, x)", "float[2, 3] y"),
    ),
    "negative scale": ("scale", quantised(scale=FLOATS(-0.1))),
    "zero-point": ("zero-point", quantised(zero=np.int8(3))),
    "computed scale": (
        "constant",
        graph(
            "float[N] x, float s",
            "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, t, z)",
            "float[N] y",
            z=INT8_ZERO,
            t=FLOATS(1),
        ),
    ),
    "quantised to bytes": (
        "quantised-type",
        graph(
            "float[N] x",
            "y = QuantizeLinear (x, s, z)",
            "uint8[N] y",
            s=FLOATS(1),
            z=np.uint8(0),
        ),
    ),
    "not dequantised": (
        "pair",
        graph("float[N] x", "y = QuantizeLinear (x, s, z)", "int8[N] y", s=FLOATS(1), z=INT8_ZERO),
    ),
    "dequantised input": (
        "pair",
        graph("int8[N] x", "y = DequantizeLinear (x, s)", "float[N] y", s=FLOATS(1)),
    ),
    "activation by channel": (
        "per-channel",
        graph(
            "float[N, 3] x",
            "q = QuantizeLinear <axis = 1> (x, s, z) y = DequantizeLinear <axis = 1> (q, s, z)",
            "float[N, 3] y",
            s=SCALES,
            z=np.zeros(3, np.int8),
        ),
    ),
    "axis of a convolution": ("axis", quantised_weight("Conv (x, d)", "<axis = 1>")),
    "axis left out": ("axis", quantised_weight("ConvTranspose (x, d)", "")),
    "stock plugin": ("deform-conv", deform_conv()),
    "plugin without namespace": (
        "plugin-attribute",
        plugin(PLUGIN.replace('plugin_namespace = "dehaze", ', "")),
    ),
    "plugin with one stride": (
        "plugin-attribute",
        plugin(PLUGIN.replace("stride = [1, 1]", "stride = [1]")),
    ),
    "half offsets": ("plugin-type", plugin(offset="float16")),
    "half weight": ("plugin-type", plugin(weight=BLUR.astype(np.float16))),
    "plugin without weight": (
        "plugin-inputs",
        graph(
            "float[N, 3, H, W] x",
            f"y = dehaze.HazeDeformConv2d {PLUGIN} (x, x, x)",
            "float[N, 3, H, W] y",
            domains=DEHAZE,
        ),
    ),
}


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
    swapped = lint(deform_conv(attributes="pads = [1, 2, 1, 2]"))
    assert rules(swapped) == {"deform-conv", "deform-conv-asymmetric"}


def test_what_could_not_be_checked_is_said() -> None:
    model = graph("float[N] x", "a = dehaze.G (x) y = Relu (a)", "float[N] y", domains=DEHAZE)
    assert [(item.node, item.rule) for item in lint(model)] == [
        ("a", "operator"),
        ("y", "unknown-type"),
    ]


def test_offsets_stay_in_float() -> None:
    body = f"""q = QuantizeLinear (o, s, z) d = DequantizeLinear (q, s, z)
        y = dehaze.HazeDeformConv2d {PLUGIN} (x, d, m, w)"""
    inputs = "float[N, 3, H, W] x, float[N, 18, H, W] o, float[N, 9, H, W] m"
    constants = {"w": BLUR, "s": FLOATS(0.1), "z": INT8_ZERO}
    model = graph(inputs, body, "float[N, 3, H, W] y", domains=DEHAZE, **constants)
    assert rules(lint(model)) == {"quantised-offset"}


def test_only_the_version_concerned_is_named() -> None:
    window = graph("int64 x", "y = HannWindow (x)", "float[N] y")
    assert lint(window, (10, 3))
    (found,) = (item for item in lint(window) if item.rule == "operator")
    assert found.versions == ((10, 3),)
    assert lint(image("y = Relu (x)", opset="23"), (11, 1)) == []


def test_an_unknown_version_says_so() -> None:
    with pytest.raises(UsageError, match=r"10\.3 or newer"):
        lint(CLEAN["plugin"], (8, 6))


def test_the_report_says_where_and_puts_errors_first() -> None:
    body = "d = Det (a) y = Mul (d, s)"
    model = graph("float[N, N] a, float s", body, "float y", s=FLOATS(1))
    first, second = report(lint(model))
    assert first.startswith("error with TensorRT 10.3 and 11.1: Det d [operator]: expected")
    assert second.startswith("warning with TensorRT 10.3 and 11.1: model [input-default]: ")


def test_the_model_for_onnx_runtime_is_not_for_tensorrt() -> None:
    errors = {item.node for item in lint(onnx.load(model_path("edge"))) if item.severity == "error"}
    assert {"in_padded", "out_bytes", "clear"} <= errors
