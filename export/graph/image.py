"""The part of an exported model around the network: uint8 pixels in and out, any size.

Written in ONNX's own text form, since these nodes are chosen for speed: at 1280x720 on two threads
of ONNX Runtime, Resize takes 11 ms for three channels and the MatMuls below under 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper, parser

from dehaze.runtime.haze.grid import FINEST_STRIDE, PIXELS_PER_CELL, THUMBNAIL_MULTIPLE

IR_VERSION = 9
OPSET = 20
"""Has DeformConv (19) and is what TensorRT 10.3's parser knows."""
NETWORK = "net_"
"""The prefix of the names of the network's nodes and tensors."""
_HEADER = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>'

# A stride-4 window over (H, W, 3) pixels is a (4, 12) window over the one-channel plane (H, 3 W):
# the thumbnail needs no transposed copy of the frame.
_THUMBNAIL = """
thumbnail_of (uint8[N, H, W, 3] image) =>
    (float[N, 3, h4, w4] thumbnail, float[N, Hp, Wp, 3] pixels, int64[2] size)
{
    PADDED
    rows = Constant <value_ints = [0, 0, -1]> ()
    plane = Reshape (pixels, rows)
    channel = Constant <value_ints = [1]> ()
    plane4 = Unsqueeze (plane, channel)
    thumbnail = Conv <strides = [STRIDE, COLUMNS]> (plane4, window)
}
"""
# Blocks first, then their pixels: of `size + missing`, with `missing` from Mod, TensorRT's builder
# cannot prove that a layer behind a nearest Resize has no negative size, and it refuses a range of
# sizes (seen in TensorRT-RTX 1.7.1).
_PADS = """
    multiple = Constant <value_ints = [MULTIPLE]> ()
    less = Constant <value_ints = [LESS_ONE]> ()
    reaching = Add (size, less)
    blocks = Div (reaching, multiple)
    whole = Mul (blocks, multiple)
    missing = Sub (whole, size)
    before = Constant <value_ints = [0, 0, 0, 0, 0]> ()
    colours = Constant <value_ints = [0]> ()
    pads = Concat <axis = 0> (before, missing, colours)
"""
_PADDED_BYTES = f"""
    size = Shape <start = 1, end = 3> (image)
    {_PADS}
    padded = Pad <mode = "edge"> (image, pads)
    pixels = Cast <to = 1> (padded)
"""
# TensorRT knows uint8 only at the border of a graph, next to a Cast.
_PADDED_FLOATS = f"""
    floats = Cast <to = 1> (image)
    size = Shape <start = 1, end = 3> (floats)
    {_PADS}
    pixels = Pad <mode = "edge"> (floats, pads)
"""

# Bilinear interpolation by a whole factor is a product with a constant matrix: 8 rows from a cell
# and those above and below, then 8 pixels of 3 colours from a cell's numbers and its neighbours'.
_APPLY = """
apply (float[N, CHANNELS, h, w] estimate, float[N, Hp, Wp, 3] pixels, int64[2] size, float strength)
    => (uint8[N, H, W, 3] clear, float[N, h, w, CHANNELS] grid)
{
    grid = Transpose <perm = [0, 2, 3, 1]> (estimate)
    difference = Sub (estimate, identity)
    share = Mul (strength, units)
    change = Mul (difference, share)
    planes = Add (change, identity)
    wanted = Transpose <perm = [0, 2, 3, 1]> (planes)
    around = Constant <value_ints = [0, 1, 1, 0, 0, 1, 1, 0]> ()
    bordered = Pad <mode = "edge"> (wanted, around)
    first = Constant <value_ints = [0]> ()
    second = Constant <value_ints = [1]> ()
    third = Constant <value_ints = [2]> ()
    last = Constant <value_ints = [-1]> ()
    last2 = Constant <value_ints = [-2]> ()
    end = Constant <value_ints = [9223372036854775807]> ()
    left = Slice (bordered, first, last2, third)
    middle = Slice (bordered, second, last, third)
    right = Slice (bordered, third, end, third)
    row = Concat <axis = 3> (left, middle, right)
    above = Slice (row, first, last2, second)
    level = Slice (row, second, last, second)
    below = Slice (row, third, end, second)
    above5 = Unsqueeze (above, third)
    level5 = Unsqueeze (level, third)
    below5 = Unsqueeze (below, third)
    block = Concat <axis = 2> (above5, level5, below5)
    flat = Constant <value_ints = [0, 0, 0, -1]> ()
    blocks = Reshape (block, flat)
    tall = MatMul (to_rows, blocks)
    cells = Shape <start = 2, end = 3> (grid)
    three_cells = Constant <value_ints = [THREE_CELLS]> ()
    batch = Shape <start = 0, end = 1> (grid)
    tall_shape = Concat <axis = 0> (batch, last, cells, three_cells)
    neighbours = Reshape (tall, tall_shape)
    gain_cells = MatMul (neighbours, to_gain)
    bias_cells = MatMul (neighbours, to_bias)
    full = Shape (pixels)
    gain = Reshape (gain_cells, full)
    bias = Reshape (bias_cells, full)
    scaled = Mul (pixels, gain)
    result = Add (scaled, bias)
    CLEAR
}
"""
_CLEAR_BYTES = """
    origin = Constant <value_ints = [0, 0]> ()
    axes = Constant <value_ints = [1, 2]> ()
    bytes = QuantizeLinear (result, one, zero)
    clear = Slice (bytes, origin, size, axes)
"""
# TensorRT's cast to uint8 truncates, and is undefined outside of 0 to 255.
_CLEAR_FLOATS = """
    origin = Constant <value_ints = [0, 0]> ()
    axes = Constant <value_ints = [1, 2]> ()
    inside = Slice (result, origin, size, axes)
    clipped = Clip (inside, black, white)
    whole = Round (clipped)
    clear = Cast <to = 2> (whole)
"""

# For networks that are image to image by themselves.
_FLOAT_IN = f"""
float_of (uint8[N, H, W, 3] image) => (float[N, 3, Hp, Wp] input, int64[2] size)
{{
    {_PADDED_FLOATS}
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    input = Mul (planes, unit)
}}
"""
_BYTES_OUT = f"""
bytes_of (float[N, 3, Hp, Wp] output, int64[2] size) => (uint8[N, H, W, 3] clear)
{{
    pixels = Transpose <perm = [0, 2, 3, 1]> (output)
    result = Mul (pixels, white)
    {_CLEAR_FLOATS}
}}
"""
_LIMITS = {"black": np.array(0, np.float32), "white": np.array(255, np.float32)}


def interpolation_weights(factor: int) -> NDArray[np.float32]:
    """(factor, 3) float32: each new sample from the previous, own and next old one.

    Bilinear with half-pixel centres, as `torch.nn.functional.interpolate`.
    """
    position = (np.arange(factor, dtype=np.float32) + 0.5) / factor - 0.5
    weights = np.stack((-position, 1 - np.abs(position), position), axis=1)
    return np.maximum(weights, 0).astype(np.float32)


def _thumbnail_window() -> NDArray[np.float32]:
    """(3, 1, 4, 12): means of each colour over a 4x4 block of (R, G, B) pixels, from 255 to 1."""
    colours = np.tile(np.eye(3, dtype=np.float32), FINEST_STRIDE)
    window = np.repeat(colours[:, None, None], FINEST_STRIDE, axis=2)
    return window / np.float32(255 * FINEST_STRIDE**2)


def _horizontal(selector: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3 C, 24): from 3 neighbours of C numbers to 8 pixels of 3 colours.

    Args:
        selector: (C, 3), which of a cell's numbers a colour takes.
    """
    return np.kron(interpolation_weights(PIXELS_PER_CELL * FINEST_STRIDE).T, selector)


def _selectors(channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(C, 3) each: which of a cell's numbers are a colour's gain and its bias.

    A cell holds one gain, or one for each colour, and then three biases.
    """
    gains = channels - 3
    colours = np.eye(3, dtype=np.float32)
    gain = np.zeros((channels, 3), np.float32)
    bias = np.zeros((channels, 3), np.float32)
    gain[:gains] = colours if gains == 3 else np.ones((1, 3))
    bias[gains:] = colours
    return gain, bias


def _with_multiple(text: str, multiple: int) -> str:
    return text.replace("MULTIPLE", str(multiple)).replace("LESS_ONE", str(multiple - 1))


def _piece(text: str, prefix: str, constants: dict[str, NDArray[Any]]) -> ModelProto:
    model = parser.parse_model(_HEADER + text)
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    return _prefixed(model, prefix)


def model_from_estimator(estimator: ModelProto, *, tensorrt: bool) -> ModelProto:
    """Image to image around a graph from `thumbnail` to `estimate`.

    Inputs `image` and, optional, `strength`; outputs `clear` and `grid`.

    Args:
        tensorrt: write the border as TensorRT takes it; ONNX Runtime is slower then by some passes
            over the frame.
    """
    padded = _PADDED_FLOATS if tensorrt else _PADDED_BYTES
    text = _with_multiple(_THUMBNAIL.replace("PADDED", padded), THUMBNAIL_MULTIPLE * FINEST_STRIDE)
    text = text.replace("STRIDE", str(FINEST_STRIDE))
    text = text.replace("COLUMNS", str(3 * FINEST_STRIDE))
    head = _piece(text, "in_", {"window": _thumbnail_window()})
    channels = estimator.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    gain, bias = _selectors(channels)
    is_gain = gain.any(axis=1)
    constants: dict[str, NDArray[Any]] = {
        "identity": np.where(is_gain, 1, 0).astype(np.float32).reshape(1, -1, 1, 1),
        "units": np.where(is_gain, 1, 255).astype(np.float32).reshape(1, -1, 1, 1),
        "to_rows": interpolation_weights(PIXELS_PER_CELL * FINEST_STRIDE),
        "to_gain": _horizontal(gain),
        "to_bias": _horizontal(bias),
    }
    if tensorrt:
        constants |= _LIMITS
    else:
        constants |= {"one": np.array(1, np.float32), "zero": np.array(0, np.uint8)}
    tail = _APPLY.replace("CLEAR", _CLEAR_FLOATS if tensorrt else _CLEAR_BYTES)
    tail = tail.replace("THREE_CELLS", str(3 * channels)).replace("CHANNELS", str(channels))
    model = _joined(head, _prefixed(estimator, NETWORK), "thumbnail")
    model = _joined(model, _piece(tail, "out_", constants), "estimate", "pixels", "size")
    # An initializer with an input's name is that input's default.
    model.graph.initializer.append(helper.make_tensor("strength", TensorProto.FLOAT, [], [1.0]))
    return _finished(model, "edge")


def model_from_image_network(network: ModelProto, name: str, multiple: int) -> ModelProto:
    """Image to image around a graph from `input` to `output`, both (N, 3, H, W) in [0, 1].

    Args:
        multiple: of pixels, that the graph takes; frames are padded to it.
    """
    unit = {"unit": np.array(1 / 255, np.float32)}
    head = _piece(_with_multiple(_FLOAT_IN, multiple), "in_", unit)
    model = _joined(head, _prefixed(network, NETWORK), "input")
    model = _joined(model, _piece(_BYTES_OUT, "out_", _LIMITS), "output", "size")
    return _finished(model, name)


def _joined(first: ModelProto, second: ModelProto, *tensors: str) -> ModelProto:
    """The second graph after the first, by the tensors of these names."""
    return compose.merge_models(first, second, [(name, name) for name in tensors])


def in_network(node: NodeProto) -> bool:
    """Returns whether a node belongs to the network, not to the pixels' way in and out."""
    return node.name.startswith(NETWORK)


def _prefixed(model: ModelProto, prefix: str) -> ModelProto:
    model.ir_version = IR_VERSION
    return compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=False)


def _finished(model: ModelProto, name: str) -> ModelProto:
    """Named, free of the exporter's own metadata and intermediate shapes, and checked."""
    model.graph.name = name
    model.producer_name = "dehaze-export"
    model.doc_string = ""
    del model.metadata_props[:]
    del model.opset_import[1:]  # merging repeats it
    del model.graph.value_info[:]  # shapes of a smaller graph; engines infer them anew
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model
