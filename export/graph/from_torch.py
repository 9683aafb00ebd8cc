"""The torch part of an export: a network as a plain ONNX graph, float in and out."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import onnx
import torch
from onnxscript import opset20 as op
from torch import Tensor, nn

from dehaze.runtime.errors import GateError
from dehaze.train.networks.edge import EdgeEstimator

from .image import OPSET
from .passes import name_layers, pool_globally


def deform_conv(
    x: Any,
    offset: Any,
    mask: Any,
    weight: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Any:
    """`dehaze::deform_conv2d` as the standard operator."""
    _, group_channels, *kernel = weight.shape
    return op.DeformConv(
        x,
        weight,
        offset,
        None,
        mask,
        strides=stride,
        pads=(*padding, *padding),
        dilations=dilation,
        group=x.shape[1] // group_channels,
        offset_group=mask.shape[1] // (kernel[0] * kernel[1]),
    )


class GridEstimator(nn.Module):
    """The estimator with the grid as its only output."""

    def __init__(self, estimator: EdgeEstimator) -> None:
        super().__init__()
        self.estimator = estimator

    def forward(self, thumbnail: Tensor) -> Tensor:
        """(N, 3, h, w) RGB in [0, 1] to (N, C, h / 2, w / 2), the gains and biases of a cell."""
        return self.estimator.grid(thumbnail)


def onnx_from_network(
    network: nn.Module, source: str, target: str, multiple: int
) -> onnx.ModelProto:
    """Exports `network`: one (N, 3, h, w) input named `source`, one output named `target`.

    Args:
        multiple: height and width are multiples of this many pixels.
    """
    height, width = (torch.export.Dim(name, min=2, max=4096) for name in ("height", "width"))
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.rand(2, 3, 8 * multiple, 12 * multiple)
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[source],
            output_names=[target],
            dynamic_shapes=({0: batch, 2: multiple * height, 3: multiple * width},),
            custom_translation_table={torch.ops.dehaze.deform_conv2d.default: deform_conv},
        )
    assert program is not None
    return program.model_proto


def simplified(model: onnx.ModelProto, multiple: int) -> onnx.ModelProto:
    """onnxsim's version, checked by onnxsim against the original on random input.

    Norms stay unfused: a shared convolution has one per application, and fusing would store its
    weights once for each.

    Raises:
        GateError: the simplified graph gives something else.
    """
    import onnxsim  # here: the tests of the kernel run on GPU machines that do not have it

    source = model.graph.input[0].name
    sample = {source: [1, 3, 8 * multiple, 10 * multiple]}
    with _quiet():
        result, same = onnxsim.simplify(
            model, check_n=1, test_input_shapes=sample, skip_fuse_bn=True
        )
    if not same:
        raise GateError("onnxsim changed the graph's result; report it with the checkpoint")
    simple: onnx.ModelProto = result
    name_layers(simple)
    pool_globally(simple)
    return simple


@contextlib.contextmanager
def _quiet() -> Any:
    """torch.onnx prints its progress, and warns of what does not concern us."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
