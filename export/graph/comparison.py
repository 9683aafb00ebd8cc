"""An export is unfinished until compared with what it came from."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dehaze.runtime.errors import GateError
from dehaze.runtime.haze.grid import THUMBNAIL_MULTIPLE, thumbnail_stride
from dehaze.runtime.model.subgraph import GRID, THUMBNAIL, estimator_from_model
from dehaze.runtime.onnxruntime_session import import_onnxruntime
from dehaze.train.networks.deform import DeformConv2d

from .image import NETWORK, in_network
from .passes import LAYERS, consumers, copied

COMPARED_SIZES = ((64, 64), (123, 201), (480, 640))
"""(height, width): the smallest, an odd one, a common one."""
MAXIMUM_DIFFERENCE = 1
"""Largest difference in steps of 1/255: both sides round, and not always the same way."""
LAYER_TOLERANCE = 1e-3
"""Tolerance as a share of a layer's largest value; float32 sums in another order differ by 1e-6."""
TIMED_SIZE = (720, 1280)
"""(height, width)."""
TIMED_SECONDS = 3.0


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


def psnr_between(model: onnx.ModelProto, reference: onnx.ModelProto) -> float:
    """PSNR in dB of all test frames together: how far one model's result is from another's."""
    session, other = session_of(model), session_of(reference)
    squares = []
    for frames in compared_frames():
        got = session.run(["clear"], {"image": frames})[0]
        expected = other.run(["clear"], {"image": frames})[0]
        squares.append((got.astype(np.float64) - expected).ravel() ** 2)
    mean = float(np.concatenate(squares).mean())
    return 10 * float(np.log10(255**2 / mean)) if mean else float("inf")


def speed_ratio(model: onnx.ModelProto, reference: onnx.ModelProto) -> float:
    """The speed of a model as a multiple of that of `reference`, measured in turns on this machine.

    Of a model with a grid the estimator alone, which is what the runtime runs.
    """
    if any(output.name == GRID for output in model.graph.output):
        block = THUMBNAIL_MULTIPLE * thumbnail_stride(*TIMED_SIZE)
        rows, columns = (-(-size // block) * THUMBNAIL_MULTIPLE for size in TIMED_SIZE)
        random = np.random.default_rng(0)
        feeds: dict[str, Any] = {THUMBNAIL: random.random((1, 3, rows, columns), np.float32)}
        model, reference = _estimator(model), _estimator(reference)
    else:
        feeds = {"image": np.random.default_rng(0).integers(0, 256, (1, *TIMED_SIZE, 3), np.uint8)}
    sessions = [session_of(graph) for graph in (reference, model)]
    times: list[list[float]] = [[], []]
    deadline = time.perf_counter() + TIMED_SECONDS
    while len(times[0]) < 4 or time.perf_counter() < deadline:  # the first ones warm up
        for session, collected in zip(sessions, times, strict=True):
            started = time.perf_counter()
            session.run(None, feeds)
            collected.append(time.perf_counter() - started)
    slow, fast = (float(np.median(collected[1:])) for collected in times)
    return slow / fast


def _estimator(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.load_from_string(estimator_from_model(model.SerializeToString(), "the model"))


def session_of(model: onnx.ModelProto, *, as_written: bool = False) -> Any:
    """The model in ONNX Runtime, on the CPU.

    Args:
        as_written: operator by operator, without ONNX Runtime's rewriting, which another engine
            does not do.
    """
    onnxruntime = import_onnxruntime()
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3  # it warns that `strength` has a default; that is its purpose
    # Two sessions in turns must not spin on each other's cores.
    quiet.add_session_config_entry("session.force_spinning_stop", "1")
    if as_written:
        quiet.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )


def compared_frames() -> Iterator[NDArray[np.uint8]]:
    """(2, H, W, 3) of each size: noise, and a smooth picture like a hazy one."""
    generator = np.random.default_rng(0)
    for height, width in COMPARED_SIZES:
        noise = generator.integers(0, 256, (height, width, 3), np.uint8)
        ramp = np.linspace(90, 230, height * width * 3).reshape(height, width, 3)
        yield np.stack((noise, ramp.astype(np.uint8)))


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
