"""`dehaze-bench` takes models of ours and ONNX files made here in the ways of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import picture

from dehaze.benchmarks.measure.methods import OurModel, open_method
from dehaze.runtime import ModelError, UsageError, open_dehazer
from dehaze.runtime.errors import InputError
from dehaze.runtime.model.shipped import MODELS_FOLDER

onnx = pytest.importorskip("onnx")


def write_onnx(
    path: Path,
    *nodes: tuple[str, list[str], list[str], dict[str, Any]],
    constants: dict[str, Any] | None = None,
    shape: tuple[Any, ...] = (1, 3, "h", "w"),
    type_: int = 1,
) -> Path:
    """A graph from `x` to `y`, of float32 (1) or float16 (10)."""
    helper = onnx.helper
    values = [
        onnx.numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs, **rest) for kind, inputs, outputs, rest in nodes],
        "other",
        [helper.make_tensor_value_info("x", type_, list(shape))],
        [helper.make_tensor_value_info("y", type_, None)],
        values,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "other.onnx", ("Identity", ["x"], ["y"], {}))


@pytest.mark.parametrize("argument", ["edge", str(MODELS_FOLDER / "edge.onnx")])
def test_our_models_run_as_the_runtime_runs_them(argument: str) -> None:
    frame = picture(70, 99)
    with open_method(argument, threads=1) as method, open_dehazer("edge", threads=1) as dehazer:
        np.testing.assert_array_equal(method(frame), dehazer(frame))


def test_with_auto_a_nearly_clear_picture_stays_as_it_is() -> None:
    tiles = np.random.default_rng(0).integers(0, 255, (24, 32, 3)) * 0.7 + 255 * 0.3
    frame = np.rint(tiles).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with OurModel("edge", threads=1) as method:
        assert method.has_auto
        assert np.abs(method(frame).astype(int) - frame).mean() > 0.1
        np.testing.assert_array_equal(method.with_auto(frame), frame)


@pytest.mark.parametrize("name", ["dcp", "clahe", "none"])
def test_baselines_keep_the_size(name: str) -> None:
    with open_method(name, threads=1) as method:
        assert method(picture(40, 50)).shape == (40, 50, 3)


@pytest.mark.parametrize(
    "adapter",
    [
        "input=0..1",
        "mean=0.5,std=0.5,output=-1..1",
        "input=-1..1,output=-1..1,layout=nhwc",
        "input=0..255,output=0..255,order=bgr",
        "multiple=16,input=0..1",
    ],
)
def test_through_an_adapter_a_picture_comes_back_as_it_was(identity: Path, adapter: str) -> None:
    if "nhwc" in adapter:
        write_onnx(identity, ("Identity", ["x"], ["y"], {}), shape=(1, "h", "w", 3))
    frame = picture(70, 99)
    with open_method(f"{identity}@{adapter}", threads=1) as method:
        np.testing.assert_array_equal(method(frame), frame)


def test_each_channel_has_its_mean_and_its_place(tmp_path: Path) -> None:
    """The model adds to its first channel, which is blue, and undoes the three means."""
    path = write_onnx(
        tmp_path / "bgr.onnx",
        ("Mul", ["x", "std"], ["scaled"], {}),
        ("Add", ["scaled", "mean"], ["y"], {}),
        constants={
            "std": np.reshape([0.5, 0.25, 0.2], (1, 3, 1, 1)),
            "mean": np.reshape([0.1 + 0.2, 0.2, 0.3], (1, 3, 1, 1)),
        },
    )
    frame = np.full((20, 30, 3), (10, 60, 110), np.uint8)
    with open_method(f"{path}@mean=0.1/0.2/0.3,std=0.5/0.25/0.2,order=bgr") as method:
        assert method(frame)[0, 0].tolist() == [10, 60, 110 + 51]


def test_the_size_is_a_multiple_and_the_padding_a_reflection(tmp_path: Path) -> None:
    """A model that turns the picture upside down: what it pads at the bottom comes on top."""
    path = write_onnx(
        tmp_path / "flip.onnx",
        ("Slice", ["x", "first", "last", "axis", "step"], ["y"], {}),
    )
    model = onnx.load(path)
    for name, value in {"first": -1, "last": -(2**31), "axis": 2, "step": -1}.items():
        tensor = onnx.numpy_helper.from_array(np.array([value], np.int64), name)
        model.graph.initializer.append(tensor)
    onnx.save(model, path)
    frame = picture(30, 32)
    with open_method(f"{path}@multiple=16") as method:
        expected = np.concatenate((frame[27:29], frame[::-1]))[:30]
        np.testing.assert_array_equal(method(frame), expected)
        with pytest.raises(InputError, match="more than half of 16"):
            method(picture(8, 40))


def test_half_precision_and_clipping(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "half.onnx", ("Add", ["x", "x"], ["y"], {}), type_=10)
    frame = picture(20, 20)
    with open_method(f"{path}@input=0..1") as method:
        expected = np.minimum(frame.astype(int) * 2, 255)
        assert np.abs(method(frame) - expected).max() <= 1


def test_a_model_from_elsewhere_needs_a_word_about_its_pixels(identity: Path) -> None:
    with pytest.raises(ModelError) as raised:
        open_method(str(identity))
    assert f"{identity}@input=0..1,multiple=16 for example" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("adapter", "expected"),
    [
        ("", "expected each of input, mean"),
        ("range=0..1", "expected each of input, mean"),
        ("mean=0.5,mean=0.5", "at most once"),
        ("input=0-1", "a range such as 0..1"),
        ("input=1..0", "a range such as 0..1"),
        ("input=0..1e400", "a range such as 0..1"),
        ("mean=1/2", "one number, or three"),
        ("mean=nan", "one number, or three"),
        ("std=0", "numbers above 0"),
        ("order=grb", "rgb or bgr"),
        ("layout=chw", "nchw or nhwc"),
        ("multiple=0", "a whole number above 0"),
    ],
)
def test_an_adapter_that_makes_no_sense_is_told(
    identity: Path, adapter: str, expected: str
) -> None:
    with pytest.raises(UsageError) as raised:
        open_method(f"{identity}@{adapter}")
    assert expected in str(raised.value)


def test_files_that_cannot_be_measured_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither a file nor one of .*edge.* dcp, clahe, none"):
        open_method("egde")
    with pytest.raises(ModelError, match="found no such file"):
        open_method(f"{tmp_path}/no.onnx@input=0..1")
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="cannot load it"):
        open_method(f"{tmp_path}/text.onnx@input=0..1")
    fixed = write_onnx(
        tmp_path / "fixed.onnx", ("Identity", ["x"], ["y"], {}), shape=(1, 3, 64, 64)
    )
    with (
        open_method(f"{fixed}@input=0..1") as method,
        pytest.raises(ModelError, match=r"the model says \[1, 3, 64, 64\]"),
    ):
        method(picture(70, 99))
    small = write_onnx(
        tmp_path / "small.onnx",
        ("MaxPool", ["x"], ["y"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    )
    with (
        open_method(f"{small}@input=0..1") as method,
        pytest.raises(ModelError, match="expected a picture of 99x70 as nchw"),
    ):
        method(picture(70, 99))


def test_a_larger_picture_is_not_cut_to_the_size_of_the_frame(tmp_path: Path) -> None:
    doubled = write_onnx(
        tmp_path / "doubled.onnx",
        ("Resize", ["x", "", "scales"], ["y"], {"mode": "nearest"}),
        constants={"scales": [1, 1, 2, 2]},
    )
    twice = write_onnx(tmp_path / "twice.onnx", ("Concat", ["x", "x"], ["y"], {"axis": 0}))
    for path in (doubled, twice):
        with (
            open_method(f"{path}@multiple=16") as method,
            pytest.raises(ModelError, match="expected a picture of 99x70"),
        ):
            method(picture(70, 99))
