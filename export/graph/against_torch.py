"""An export is unfinished until compared with what it came from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dehaze.runtime.errors import GateError
from dehaze.train.networks.deform import DeformConv2d

from .comparison import compared_frames, session_of
from .image import NETWORK, in_network
from .passes import LAYERS, consumers, copied

MAXIMUM_DIFFERENCE = 1
"""Largest difference in steps of 1/255: both sides round, and not always the same way."""
LAYER_TOLERANCE = 1e-3
"""Tolerance as a share of a layer's largest value; float32 sums in another order differ by 1e-6."""


@dataclass(frozen=True)
class Comparison:
    """The difference between an ONNX model and the network that it came from."""

    largest: int
    """Largest difference of a byte over all compared frames."""
    differing: float
    """Share of the bytes that differ."""


def compare(model: onnx.ModelProto, network: nn.Module) -> Comparison:
    """Runs both on the same frames.

    Raises:
        GateError: they differ by more than rounding; it names the layer where that starts.
    """
    session = session_of(model)
    differences = []
    for frames in compared_frames():
        expected = _run_torch(network, frames)
        got = session.run(["clear"], {"image": frames})[0]
        differences.append(np.abs(got.astype(int) - expected).ravel())
        if differences[-1].max() > MAXIMUM_DIFFERENCE:
            height, width = frames.shape[1:3]
            raise GateError(
                f"expected the exported model within {MAXIMUM_DIFFERENCE}/255 of torch at "
                f"{width}x{height}, got {differences[-1].max()}/255; "
                f"{_where(model, network, frames)}; the export is not usable"
            )
    joined = np.concatenate(differences)
    return Comparison(int(joined.max()), float((joined > 0).mean()))


@torch.no_grad()
def _run_torch(network: nn.Module, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    image = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    clear = (network(image).clamp(0, 1) * 255).round()
    return clear.permute(0, 2, 3, 1).long().numpy()


def _where(model: onnx.ModelProto, network: nn.Module, frames: NDArray[np.uint8]) -> str:
    """The first layer whose result differs."""
    with _recorded(network) as expected:
        _run_torch(network, frames)
    probed = copied(model)
    taps = _taps(model.graph)
    del probed.graph.output[:]
    probed.graph.output.extend(onnx.helper.make_empty_tensor_value_info(t) for t in taps.values())
    results = session_of(probed).run(list(taps.values()), {"image": frames})
    for name, got in zip(taps, results, strict=True):
        wanted = expected.get(name)
        if wanted is None or wanted.shape != got.shape:
            return f"{name} has no counterpart in torch"
        error = float(np.abs(got - wanted).max()) / max(float(np.abs(wanted).max()), 1e-6)
        if not error <= LAYER_TOLERANCE:
            return f"the difference starts at {name} ({error:.2g} of its largest value)"
    return "all layers agree, so it starts after the last one"


def _taps(graph: onnx.GraphProto) -> dict[str, str]:
    """The result of each layer, after the norm that follows it: name to tensor, in order."""
    taps = {}
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in LAYERS and in_network(node) and node.input[1] in weights:
            after = consumers(graph, node.output[0])
            normed = len(after) == 1 and after[0].op_type == "BatchNormalization"
            taps[node.name.removeprefix(NETWORK)] = (after[0] if normed else node).output[0]
    return taps


@contextmanager
def _recorded(network: nn.Module) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Records the output of each layer while the context is open, by the names of `name_layers`."""
    results: dict[str, NDArray[np.float32]] = {}
    times: Counter[str] = Counter()
    of_tensor: dict[int, str] = defaultdict(str)

    def record(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.BatchNorm2d):
            key = of_tensor[inputs[0].data_ptr()]
        else:
            times[name] += 1
            key = name if times[name] == 1 else f"{name}#{times[name]}"
        of_tensor[output.data_ptr()] = key
        if isinstance(module, DeformConv2d) and module.bias is not None:
            output = output - module.bias  # the graph adds it apart
        results[key] = output.numpy().copy()

    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, DeformConv2d)
    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: record(name, m, i, o))
        for name, module in network.named_modules()
        if isinstance(module, kinds)
    ]
    try:
        yield results
    finally:
        for hook in hooks:
            hook.remove()
