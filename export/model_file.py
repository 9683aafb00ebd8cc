"""From a checkpoint to a model file of ours: exported, simplified, compared, described."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from dehaze.runtime.contract import ModelContract
from dehaze.runtime.errors import GateError, UsageError
from dehaze.runtime.models import TWIN_SUFFIX
from dehaze.runtime.onnxruntime_session import import_onnxruntime
from dehaze.runtime.output_file import finished_output
from dehaze.train.checkpoint import load_network
from dehaze.train.deform import DeformConv2d
from dehaze.train.edge import GRID_STRIDE, MINIMUM_SIZE, THUMBNAIL_STRIDE, Edge
from dehaze.train.networks import build_network, parameter_count
from dehaze.train.sr_teacher import SrTeacher

from .estimator_graph import GridEstimator, onnx_from_network, simplified
from .image_graph import model_from_estimator, model_from_image_network

COMPARED_SIZES = ((64, 64), (123, 201), (480, 640))
"""(height, width): the smallest, an odd one, a common one."""
MAXIMUM_DIFFERENCE = 1
"""In steps of 1/255: both round, and not always the same way."""


@dataclass(frozen=True)
class Comparison:
    """How far an ONNX model is from the network that it came from."""

    largest: int
    """Largest difference of a byte over all compared frames."""
    differing: float
    """Share of the bytes that differ."""


def onnx_from_checkpoint(
    checkpoint: Path, out: Path, *, gridsample: bool = False
) -> tuple[Path, Comparison]:
    """Writes `NAME.onnx` into the folder `out`.

    Args:
        gridsample: make deformable convolution of GridSample, for ONNX Runtime before 1.25, and
            write `NAME-gridsample.onnx`.

    Raises:
        ModelError: not a checkpoint of ours.
        GateError: the exported model gives something else than the network.
        OutputError: `out` cannot be written.
    """
    network, provenance = load_network(checkpoint)
    source = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    return _write(network, provenance["network"], source, _card(provenance), out, gridsample)


def onnx_from_random_weights(
    name: str, out: Path, *, gridsample: bool = False
) -> tuple[Path, Comparison]:
    """Writes an untrained network, to measure its speed; the rest as `onnx_from_checkpoint`."""
    torch.manual_seed(0)
    card = "random weights: for timing only"
    return _write(build_network(name).eval(), name, "", card, out, gridsample)


def _write(
    network: nn.Module, name: str, source: str, card: str, out: Path, gridsample: bool
) -> tuple[Path, Comparison]:
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            module.decomposed = gridsample
    path = out / f"{name}{TWIN_SUFFIX if gridsample else ''}.onnx"
    model = _image_model(network, name)
    contract = ModelContract(
        name=name,
        precision="fp32",
        target="onnxruntime",
        minimum_size=MINIMUM_SIZE,
        parameters=parameter_count(network),
        source_sha256=source,
        grid_stride=GRID_STRIDE if isinstance(network, Edge) else 0,
        card=card,
    )
    onnx.helper.set_model_props(model, contract.to_metadata())
    comparison = compare(model, network)
    with finished_output(path, overwrite=True) as unfinished:
        unfinished.write_bytes(model.SerializeToString())
    return path, comparison


def _image_model(network: nn.Module, name: str) -> onnx.ModelProto:
    if isinstance(network, Edge):
        multiple = 8  # of thumbnail pixels: three halvings
        graph = onnx_from_network(
            GridEstimator(network.estimator), "thumbnail", "estimate", multiple
        )
        return model_from_estimator(simplified(graph, multiple))
    if isinstance(network, SrTeacher):
        raise UsageError(f"{name} doubles clear pictures for training; it is not exported")
    graph = onnx_from_network(network, "input", "output", THUMBNAIL_STRIDE)
    return model_from_image_network(simplified(graph, THUMBNAIL_STRIDE), name)


def compare(model: onnx.ModelProto, network: nn.Module) -> Comparison:
    """Runs both on the same frames.

    Raises:
        GateError: they differ by more than rounding.
    """
    onnxruntime = import_onnxruntime()
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3  # it warns that `strength` has a default; that is its purpose
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    generator = np.random.default_rng(0)
    differences = []
    for height, width in COMPARED_SIZES:
        frames = _test_frames(height, width, generator)
        expected = _run_torch(network, frames)
        got = session.run(["clear"], {"image": frames})[0]
        differences.append(np.abs(got.astype(int) - expected).ravel())
        if differences[-1].max() > MAXIMUM_DIFFERENCE:
            raise GateError(
                f"expected the exported model within {MAXIMUM_DIFFERENCE}/255 of torch at "
                f"{width}x{height}, got {differences[-1].max()}/255; the export is not usable"
            )
    joined = np.concatenate(differences)
    return Comparison(int(joined.max()), float((joined > 0).mean()))


def _test_frames(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """(2, H, W, 3): noise, and a smooth picture like a hazy one."""
    noise = generator.integers(0, 256, (height, width, 3), np.uint8)
    ramp = np.linspace(90, 230, height * width * 3).reshape(height, width, 3).astype(np.uint8)
    return np.stack((noise, ramp))


@torch.no_grad()
def _run_torch(network: nn.Module, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    image = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    clear = (network(image).clamp(0, 1) * 255).round()
    return clear.permute(0, 2, 3, 1).long().numpy()


def _machine(provenance: dict[str, Any]) -> str:
    device = provenance["device"]
    return f"{provenance['threads']} CPU threads" if device == "cpu" else f"a {device}"


def _card(provenance: dict[str, Any]) -> str:
    """One line from what dehaze-train wrote into the checkpoint."""
    if not provenance.keys() >= {"step", "seconds", "threads", "device"}:
        return "trained elsewhere: the checkpoint does not say how"
    scores = [f"{k[:-3]} {v:.2f} dB" for k, v in provenance.items() if k.endswith("_db")]
    origin = provenance.get("origins", {}).get("init")
    return (
        f"{provenance['step']} steps in {provenance['seconds'] / 60:.0f} minutes on "
        f"{_machine(provenance)}"
        + (f", from {origin}" if origin else "")
        + f"; held-out scenes at the training scale: {', '.join(scores)}; data for research"
    )
