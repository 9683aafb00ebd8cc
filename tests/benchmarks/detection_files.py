"""A detector and a labelled set made on the spot, small enough to work out by hand.

The detector fires on blocks of 8x8 pixels that are red, green or blue beyond a limit. So the limit
decides what haze hides, and each object of one block is found exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BLOCK, SIDE = 8, 64
"""Pixels along a block and along the detector's input: 8x8 = 64 candidates."""
COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}
GREY = 90
LIMIT = 0.5
"""The share of 255 by which a colour must stand out: 0.82 in clear pictures, 0.82 (1 - haze) else;
so a haze of 0.4 or more hides every block."""
Head = Literal["v8", "v5", "end to end", "rt-detr", "rt-detr end to end", "two outputs"]


def save_detector(
    path: Path,
    head: Head = "v8",
    *,
    side: int | None = SIDE,
    names: Sequence[str] | None = tuple(COLOURS),
    unseen: int = 0,
) -> Path:
    """A detector of coloured blocks; the score of a colour is how far it stands out beyond LIMIT.

    Args:
        head: the form of its outputs, see `heads`.
        side: pixels along its input; None leaves it open and writes 64 into the metadata.
        names: class names for the metadata, None for none.
        unseen: number of further classes, which it never finds.
    """
    kernel = np.zeros((3 + unseen, 3, BLOCK, BLOCK), np.float32)
    for colour in range(3):
        kernel[colour] = -0.5 / BLOCK**2
        kernel[colour, colour] = 1 / BLOCK**2
    cells = SIDE // BLOCK
    y, x = np.mgrid[0:cells, 0:cells].reshape(2, -1) * BLOCK + BLOCK / 2
    boxes = np.stack([x, y, np.full_like(x, BLOCK), np.full_like(x, BLOCK)]).astype(np.float32)
    corners = np.stack([x - 4, y - 4, x + 4, y + 4]).astype(np.float32)
    constants: dict[str, NDArray[Any]] = {
        "kernel": kernel,
        "bias": np.full(3 + unseen, -LIMIT, np.float32),
        "shape": np.array([1, 3 + unseen, cells * cells]),
        "boxes": boxes[None],
        "shares": boxes.T[None] / SIDE,
        "corners": corners.T[None],
        "ones": np.ones((1, cells * cells, 1), np.float32),
        "last": np.array([2]),
    }
    nodes = [
        helper.make_node("Conv", ["images", "kernel", "bias"], ["colours"], strides=[BLOCK, BLOCK]),
        helper.make_node("Relu", ["colours"], ["positive"]),
        helper.make_node("Reshape", ["positive", "shape"], ["scores"]),
        helper.make_node("Transpose", ["scores"], ["by_cell"], perm=[0, 2, 1]),
    ]
    outputs = ["output0"]
    if head == "v8":
        nodes.append(helper.make_node("Concat", ["boxes", "scores"], outputs, axis=1))
    elif head == "v5":
        nodes.append(helper.make_node("Transpose", ["boxes"], ["rows"], perm=[0, 2, 1]))
        nodes.append(helper.make_node("Concat", ["rows", "ones", "by_cell"], outputs, axis=2))
    elif head in ("end to end", "rt-detr end to end"):
        sides = "corners" if head == "end to end" else "shares"
        nodes += [
            helper.make_node("ReduceMax", ["by_cell", "last"], ["best"], keepdims=1),
            helper.make_node("ArgMax", ["by_cell"], ["number"], axis=2, keepdims=1),
            helper.make_node("Cast", ["number"], ["class"], to=TensorProto.FLOAT),
            helper.make_node("Concat", [sides, "best", "class"], outputs, axis=2),
        ]
    elif head == "rt-detr":
        nodes.append(helper.make_node("Concat", ["shares", "by_cell"], outputs, axis=2))
    else:
        outputs = ["logits", "pred_boxes"]
        nodes.append(helper.make_node("Identity", ["by_cell"], ["logits"]))
        nodes.append(helper.make_node("Identity", ["shares"], ["pred_boxes"]))
    shape = [1, 3, side or "height", side or "width"]
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {} if side else {"imgsz": str([SIDE, SIDE])}
    if head == "rt-detr end to end":
        metadata["head"] = "RTDETRDecoder"
    if names is not None:
        metadata["names"] = str(dict(enumerate(names)))
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


Object = tuple[str, int, int]
"""A colour, and the column and row of its block."""


def scene(objects: Sequence[Object], haze: float = 0.0) -> NDArray[np.uint8]:
    """(64, 64, 3) uint8 RGB: coloured blocks on grey, behind a white veil of `haze`, 0 to 1."""
    clear = np.full((SIDE, SIDE, 3), GREY, np.float64)
    for colour, column, row in objects:
        top, left = row * BLOCK, column * BLOCK
        clear[top : top + BLOCK, left : left + BLOCK] = COLOURS[colour]
    return np.rint(clear * (1 - haze) + 235 * haze).astype(np.uint8)


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1])


def write_voc(path: Path, objects: Sequence[Object], difficult: Sequence[Object] = ()) -> None:
    """Boxes in VOC's form: pixels from 1, the last ones inside."""
    parts = [
        f"<object><name>{colour}</name><difficult>{int((colour, column, row) in difficult)}"
        f"</difficult><bndbox><xmin>{column * 8 + 1}</xmin><ymin>{row * 8 + 1}</ymin>"
        f"<xmax>{column * 8 + 8}</xmax><ymax>{row * 8 + 8}</ymax></bndbox></object>"
        for colour, column, row in objects
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation>{''.join(parts)}</annotation>")
