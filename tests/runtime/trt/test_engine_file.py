from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dehaze.runtime import EngineMismatchError, ModelError, UsageError
from dehaze.runtime.model.metadata import metadata_from_onnx
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.trt.engine_file import EngineHeader, engine_bytes, read_engine
from dehaze.runtime.trt.host import TensorRTHost
from dehaze.runtime.trt.options import EngineOptions, ShapeRange

ORIN = TensorRTHost("Orin", (8, 7), "10.3.0")
THOR = TensorRTHost("Thor", (11, 0), "10.13.3.9")
RTX = TensorRTHost("NVIDIA GeForce RTX 3060", (8, 6), "10.3.0")
HEADER = EngineHeader(
    host=ORIN,
    shapes=ShapeRange.fixed(720, 1280),
    model_sha256="ab" * 32,
    plugin_sha256="",
    version_compatible=False,
    exclude_lean_runtime=False,
    hardware_compatibility="none",
    metadata=metadata_from_onnx((MODELS_FOLDER / "edge.onnx").read_bytes(), "edge.onnx"),
)
PLAN = bytes(range(256)) * 8


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "edge.engine"
    path.write_bytes(engine_bytes(HEADER, PLAN))
    return path


def test_an_engine_comes_back_as_it_was_written(engine: Path) -> None:
    assert read_engine(engine) == (HEADER, PLAN)


def test_an_engine_needs_no_onnx_file(engine: Path) -> None:
    header, _ = read_engine(engine)
    contract = header.contract("edge.engine")
    assert (contract.name, contract.precision, contract.minimum_size) == ("edge", "fp32", 64)


def test_the_header_reads_as_text(engine: Path) -> None:
    """`head -c 2000 edge.engine` answers what an engine is."""
    kind, _, rest = engine.read_bytes().partition(b"\n")
    assert kind == b"dehaze-engine"
    header, end = json.JSONDecoder().raw_decode(rest[4:].decode("latin1"))
    assert header["host"] == {
        "gpu": "Orin",
        "compute_capability": [8, 7],
        "tensorrt_version": "10.3.0",
        "title": "TensorRT",
    }
    assert header["shapes"]["maximum"] == [1, 720, 1280, 3]
    assert header["metadata"]["dehaze.precision"] == "fp32"
    assert rest[4 + end :] == PLAN


def test_every_cut_through_an_engine_is_told(engine: Path) -> None:
    content = engine.read_bytes()
    for kept in range(0, len(content), 97):
        engine.write_bytes(content[:kept])
        with pytest.raises(ModelError, match=r"damaged|another kind of file"):
            read_engine(engine)


def rewritten(engine: Path, header: bytes) -> None:
    """Puts another header into the file."""
    engine.write_bytes(b"dehaze-engine\n" + len(header).to_bytes(4, "little") + header + PLAN)


def test_a_header_nested_beyond_reason_is_told(engine: Path) -> None:
    rewritten(engine, b"[" * 50_000 + b"]" * 50_000)
    with pytest.raises(ModelError, match="header is nested too deeply") as caught:
        read_engine(engine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", {"gpu": "Orin", "compute_capability": [8, 7], "tensorrt_version": 10.3}),
        ("host", {"gpu": ["Orin"], "compute_capability": [8, 7], "tensorrt_version": "10.3.0"}),
        ("model_sha256", None),
        ("version_compatible", "yes"),
        ("hardware_compatibility", "all"),
        ("metadata", {"dehaze.name": 1}),
        ("shapes", 7),
    ],
)
def test_a_header_of_other_types_is_told(engine: Path, field: str, value: object) -> None:
    content = engine.read_bytes()
    header = json.loads(content[18 : len(content) - len(PLAN)])
    rewritten(engine, json.dumps({**header, field: value}).encode())
    with pytest.raises(ModelError, match=rf"damaged .*{field}.*expected"):
        read_engine(engine)


@pytest.mark.parametrize("position", [0, 15, 17, 20, 60, -1, -2000])
def test_a_changed_byte_is_told(engine: Path, position: int) -> None:
    content = bytearray(engine.read_bytes())
    content[position] ^= 0x80
    engine.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged|another kind of file"):
        read_engine(engine)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", None),
        ("shapes", {}),
        ("shapes", {"minimum": [2], "optimum": [1], "maximum": [1]}),
        ("shapes", {key: [1, 0, 64, 3] for key in ("minimum", "optimum", "maximum")}),
        ("metadata", 3),
        ("plan_sha256", "00"),
    ],
)
def test_a_damaged_header_is_told(engine: Path, field: str, value: object) -> None:
    header = {**json.loads(header_text(engine)), field: value}
    engine.write_bytes(with_header(header))
    with pytest.raises(ModelError, match="the engine file is damaged"):
        read_engine(engine)


def test_a_later_format_is_told_with_both_sides(engine: Path) -> None:
    engine.write_bytes(with_header({**json.loads(header_text(engine)), "format": 99}))
    with pytest.raises(EngineMismatchError, match="expected engine format 1, got 99") as caught:
        read_engine(engine)
    assert caught.value.exit_code == 4


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_engine(tmp_path / "none.engine")


def header_text(engine: Path) -> str:
    rest = engine.read_bytes().split(b"\n", 1)[1]
    return rest[4 : 4 + int.from_bytes(rest[:4], "little")].decode()


def with_header(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return b"dehaze-engine\n" + len(text).to_bytes(4, "little") + text + PLAN


def test_an_engine_stands_in_for_itself() -> None:
    assert HEADER.mismatch(HEADER) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"host": replace(ORIN, tensorrt_version="10.13.3.9")},
            "expected TensorRT 10.13.3.9, got 10.3.0",
        ),
        (
            {"host": RTX},
            "expected GPU NVIDIA GeForce RTX 3060 (compute capability 8.6), "
            "got Orin (compute capability 8.7)",
        ),
        (
            {"host": replace(ORIN, gpu="Orin Nano")},
            "expected GPU Orin Nano (compute capability 8.7), got Orin (compute capability 8.7)",
        ),
        (
            {"model_sha256": "cd" * 32},
            "expected model sha256 cdcdcdcdcdcd, got sha256 abababababab",
        ),
        ({"plugin_sha256": "ef" * 32}, "expected plugin library sha256 efefefefefef, got none"),
        (
            {"shapes": ShapeRange((1, 64, 64, 3), (1, 720, 1280, 3), (2, 720, 1280, 3))},
            "expected shapes 1x64x64_1x720x1280_2x720x1280, got 1x720x1280",
        ),
        (
            {"version_compatible": True},
            "expected an engine for later versions, hardware none, got one version, hardware none",
        ),
    ],
)
def test_a_mismatch_names_both_sides(change: dict[str, object], words: str) -> None:
    assert HEADER.mismatch(replace(HEADER, **change)) == words


@pytest.mark.parametrize(
    ("built", "runs", "fits"),
    [
        ("10.3.0", "10.3.0", True),
        ("10.3.0", "10.3.0.30", True),
        ("10.3.0", "10.13.3.9.post1", True),
        ("10.3.0", "11.4.0.106", True),
        ("10.13.3.9", "10.3.0", False),
        ("11.0.0", "10.16.1", False),
        ("10.3.0", "12.0.0", False),
    ],
)
def test_version_compatible_engines_run_on_later_versions(
    built: str, runs: str, fits: bool
) -> None:
    engine = replace(HEADER, version_compatible=True, host=replace(ORIN, tensorrt_version=built))
    wanted = replace(engine, host=replace(ORIN, tensorrt_version=runs))
    assert engine.mismatch(wanted) == ("" if fits else f"expected TensorRT {runs}, got {built}")


def test_without_their_lean_runtime_they_run_on_their_own_version() -> None:
    engine = replace(HEADER, version_compatible=True, exclude_lean_runtime=True)
    assert engine.mismatch(engine) == ""
    later = replace(engine, host=replace(ORIN, tensorrt_version="10.13.3.9"))
    assert engine.mismatch(later) == "expected TensorRT 10.13.3.9, got 10.3.0"


@pytest.mark.parametrize(
    ("level", "fitting"),
    [
        ("none", []),
        ("same_compute_capability", ["Orin Nano"]),
        ("ampere_plus", ["Orin Nano", "NVIDIA GeForce RTX 3060", "Thor", "NVIDIA A100"]),
    ],
)
def test_hardware_compatible_engines_run_on_other_gpus(level: str, fitting: list[str]) -> None:
    engine = replace(HEADER, hardware_compatibility=level)
    others = [
        replace(ORIN, gpu="Orin Nano"),
        RTX,
        replace(THOR, tensorrt_version="10.3.0"),
        TensorRTHost("NVIDIA A100", (8, 0), "10.3.0"),
        TensorRTHost("Xavier", (7, 2), "10.3.0"),
    ]
    fit = [host.gpu for host in others if not engine.mismatch(replace(engine, host=host))]
    assert fit == fitting


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 64, 64, 3), (1, 32, 64, 3), (1, 128, 128, 3)),
        ((1, 64, 64, 3), (1, 64, 64, 3), (0, 64, 64, 3)),
        ((1, 3, 64, 64), (1, 3, 64, 64), (1, 3, 64, 64)),
        ((64, 64, 3), (64, 64, 3), (64, 64, 3)),
    ],
)
def test_shapes_that_make_no_sense_are_told(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(UsageError, match="expected"):
        ShapeRange(*shapes)


def test_options_that_make_no_sense_are_told() -> None:
    with pytest.raises(UsageError, match="1 MiB or more, got 0"):
        EngineOptions(workspace_mib=0)
    with pytest.raises(UsageError, match="only a version-compatible engine"):
        EngineOptions(exclude_lean_runtime=True)
