"""Says before the device does what TensorRT would refuse in an ONNX graph, or compute wrongly.

For strongly typed networks read by TensorRT's ONNX parser: precision is in the graph, and nothing
is cast behind its back. The limits are in `tensorrt_operators`, with their sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

from dehaze.runtime.errors import UsageError

from . import tensorrt_operators as limits
from .tensorrt_operators import JETPACK_6, NEWEST, TensorRtVersion
from .tensorrt_quantisation_rules import QUANTISATION_RULES
from .tensorrt_rules import NODE_RULES, Problem, error, warning
from .typed_graph import TypedGraph


@dataclass(frozen=True)
class Finding:
    """A problem in a graph: something that TensorRT refuses, or misunderstands."""

    node: str
    """The node's name, or its first output where it has none; empty for the model as a whole."""
    operator: str
    """Empty for the model as a whole."""
    rule: str
    severity: Literal["error", "warning"]
    """error: refused, or a wrong result; warning: works under the condition in the message."""
    message: str
    """Expected, got, what to do."""
    versions: tuple[TensorRtVersion, ...]
    """The TensorRT versions that it concerns, among those asked for."""


def lint(
    model: onnx.ModelProto,
    *versions: TensorRtVersion | tuple[int, int],
) -> list[Finding]:
    """Everything found in `model`, in the order of its nodes.

    Args:
        versions: of TensorRT, (major, minor); by default that of JetPack 6 and the newest known.

    Raises:
        UsageError: a version of TensorRT that the tables do not cover.
    """
    graph = TypedGraph(model, plugin=limits.PLUGIN)
    found: dict[tuple[str, str, Problem], list[TensorRtVersion]] = {}
    for version in map(_known, versions or (JETPACK_6, NEWEST)):
        for problem in _model_problems(model, graph, version):
            found.setdefault(("", "", problem), []).append(version)
        for node in graph.nodes:
            name = node.name or next(iter(node.output), "")
            for rule in (*NODE_RULES, *QUANTISATION_RULES):
                for problem in rule(graph, node, version):
                    seen = found.setdefault((name, node.op_type, problem), [])
                    if version not in seen:
                        seen.append(version)
    return [
        Finding(name, operator, *problem, versions=tuple(seen))
        for (name, operator, problem), seen in found.items()
    ]


def report(findings: Sequence[Finding]) -> list[str]:
    """One line for each finding, errors first."""
    return [
        f"{found.severity} with TensorRT {' and '.join(map(str, found.versions))}: "
        f"{found.operator or 'model'} {found.node}".rstrip()
        + f" [{found.rule}]: {found.message}"
        for found in sorted(findings, key=lambda found: found.severity)
    ]


def _known(version: TensorRtVersion | tuple[int, int]) -> TensorRtVersion:
    known = TensorRtVersion(*version)
    if known < JETPACK_6 or known.major not in limits.OPSETS:
        raise UsageError(
            f"expected TensorRT {JETPACK_6} or newer, up to {max(limits.OPSETS)}.x, got {known}; "
            f"extend export/tensorrt_operators.py"
        )
    return known


def _model_problems(
    model: onnx.ModelProto, graph: TypedGraph, version: TensorRtVersion
) -> Iterator[Problem]:
    allowed = limits.OPSETS[version.major]
    opsets = {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")}
    if len(opsets) != 1 or opsets.isdisjoint(allowed):
        yield error(
            "opset",
            f"expected one opset from {allowed[0]} to {allowed[-1]}, got {sorted(opsets)}; "
            f"export with one of these",
        )
    if graph.inference_error:
        yield error("shapes", f"ONNX cannot infer the shapes: {graph.inference_error}")
    for name in sorted(graph.inputs & graph.constants.keys()):
        # ModelImporter.cpp, importInputs, 10.1 and 11.0
        yield warning(
            "input-default",
            f"expected inputs without a default, got an initializer named {name}; TensorRT makes "
            f"it a constant and the input vanishes: remove the initializer to keep the input",
        )
