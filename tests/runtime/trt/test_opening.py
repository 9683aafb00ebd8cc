"""The TensorRT backend opens the right engine, or says what it needs for that.

TensorRT and the GPU are fakes, as in test_session.py.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tensorrt_inputs import BUILD, TENSORRT_IMPORTERS, pictures, write_model

from dehaze.runtime import EngineMismatchError, ModelError
from dehaze.runtime.output_file import cache_folder
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.options import ShapeRange


def test_frames_outside_of_the_range_are_told_with_what_to_build(open_session: Any) -> None:
    session = open_session()
    with pytest.raises(EngineMismatchError) as caught:
        session.run(pictures(1, 200, 300)[0], 1.0)
    words = str(caught.value)
    assert "takes 1 frame of 64x64 pixels to 2 frames of 160x120 pixels, got 1 frame of" in words
    assert words.endswith(
        "`dehaze-export edge-tensorrt.onnx --engine --shapes 64x64 300x200 300x200`"
    )
    assert "\n" not in words


def test_an_engine_is_built_once_and_said_so(open_session: Any) -> None:
    first = open_session()
    assert len(open_session.notices) == 1
    assert (
        "building an engine of edge-tensorrt.onnx, which takes minutes" in open_session.notices[0]
    )
    again = open_session()
    assert len(open_session.notices) == 1
    alone = open_session(first.engine_path)
    assert again.engine_path == alone.engine_path
    assert alone.contract == first.contract


def test_an_engine_for_other_shapes_is_used_where_none_are_asked_for(open_session: Any) -> None:
    first = open_session()
    any_shapes = open_session(build=None)
    assert any_shapes.engine_path == first.engine_path
    assert len(open_session.notices) == 1
    other = replace(BUILD, shapes=ShapeRange.fixed(64, 96))
    assert open_session(build=other).engine_path != first.engine_path
    assert len(open_session.notices) == 2


def test_a_model_with_plugin_nodes_needs_its_library(
    open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    installed = tmp_path / "runtime" / "trt" / "plugin_library.py"
    monkeypatch.setattr("dehaze.runtime.trt.plugin_library.__file__", str(installed))
    model = write_model(tmp_path, plugin=True)
    with pytest.raises(ModelError, match=r"expected its plugin library .* `make plugin`"):
        open_session(model)
    library = tmp_path / "build" / "plugin" / "libhaze_deform_conv2d.so"  # the checkout's
    library.parent.mkdir(parents=True)
    library.write_bytes(b"\x7fELF")
    hazy = pictures(1)[0]
    session = open_session(model)
    assert np.array_equal(session.run(hazy, 1.0), 255 - hazy)
    assert np.array_equal(open_session(session.engine_path).run(hazy, 1.0), 255 - hazy)
    monkeypatch.setenv("DEHAZE_PLUGIN", str(tmp_path / "none.so"))
    with pytest.raises(ModelError, match=r"DEHAZE_PLUGIN: expected the plugin library, got no"):
        open_session(model)


def test_no_library_comes_from_the_working_folder(
    open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "checkout" / "runtime" / "trt" / "plugin_library.py"
    monkeypatch.setattr("dehaze.runtime.trt.plugin_library.__file__", str(installed))
    library = tmp_path / "build" / "plugin" / "libhaze_deform_conv2d.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"\x7fELF")
    monkeypatch.chdir(tmp_path)
    model = write_model(tmp_path, plugin=True)
    with pytest.raises(ModelError, match=r"none is taken from the working folder by itself: `--pl"):
        open_session(model)
    monkeypatch.setenv("DEHAZE_PLUGIN", "build/plugin/libhaze_deform_conv2d.so")
    with pytest.raises(ModelError, match=r"DEHAZE_PLUGIN: expected an absolute path, got build/"):
        open_session(model)
    monkeypatch.setenv("DEHAZE_PLUGIN", str(library))
    open_session(model)


def forget_what_was_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on another machine, or in the account of another user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("dehaze.runtime.trt.engine_file._built", set())


def test_an_engine_that_was_not_built_here_runs_only_when_asked(
    open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_session(build=replace(BUILD, version_compatible=True)).engine_path
    monkeypatch.setattr("dehaze.runtime.trt.engine_file._built", set())  # another run
    open_session(engine)
    forget_what_was_built(monkeypatch, tmp_path)
    with pytest.raises(ModelError, match=r"was built here, got one of unknown .* --trust-engine"):
        open_session(engine)
    hazy = pictures(1)[0]
    assert np.array_equal(open_session(engine, trust_engine=True).run(hazy, 1.0), 255 - hazy)


def test_an_engine_that_lies_beside_a_model_is_built_again_where_it_is_not_ours(
    open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_session()
    forget_what_was_built(monkeypatch, tmp_path)
    assert len(open_session.notices) == 1
    trusting = open_session(build=None, trust_engine=True)
    assert trusting.engine_path == first.engine_path
    assert len(open_session.notices) == 1
    open_session(build=None)
    assert "takes minutes" in open_session.notices[1]
    open_session()
    assert "got one of unknown origin" in open_session.notices[2]
    monkeypatch.setattr("dehaze.runtime.trt.engine_file._built", set())
    open_session()
    assert len(open_session.notices) == 3


def test_a_record_that_others_may_write_is_not_believed(
    open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_session().engine_path
    monkeypatch.setattr("dehaze.runtime.trt.engine_file._built", set())
    (cache_folder() / "built-here").chmod(0o777)
    with pytest.raises(ModelError, match="of unknown origin"):
        open_session(engine)


def test_a_version_compatible_engine_may_run_its_code(open_session: Any) -> None:
    hazy = pictures(1)[0]
    session = open_session(build=replace(BUILD, version_compatible=True))
    assert np.array_equal(session.run(hazy, 1.0), 255 - hazy)


def test_the_lean_runtime_takes_version_compatible_engines_alone(
    open_session: Any, fake_tensorrt: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path)
    compatible = engine_from_onnx(model, None, replace(BUILD, version_compatible=True))
    one_version = engine_from_onnx(model, None, BUILD)
    for name in TENSORRT_IMPORTERS:
        sys.modules.pop(name, None)  # the fixture puts them back
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as where it is not installed
    monkeypatch.setitem(sys.modules, "tensorrt_lean", fake_tensorrt)
    hazy = pictures(1)[0]
    assert np.array_equal(open_session(compatible).run(hazy, 1.0), 255 - hazy)
    with pytest.raises(EngineMismatchError, match="expected a version-compatible engine"):
        open_session(one_version)
    with pytest.raises(ModelError, match="got the lean runtime alone, which builds nothing"):
        open_session(Path(shutil.copy(model, tmp_path / "other.onnx")))


def test_what_tensorrt_says_goes_wrong_is_one_line(
    open_session: Any, fake_tensorrt: ModuleType
) -> None:
    session = open_session()
    fake_tensorrt.run_errors.append("Cask\n  convolution execution")
    with pytest.raises(ModelError, match=r"failed on frames of .* \(Cask convolution execution\)"):
        session.run(pictures(1)[0], 1.0)
    fake_tensorrt.run_errors.clear()
    fake_tensorrt.load_errors.append("Serialization\nassertion")
    with pytest.raises(ModelError, match=r"cannot load it \(Serialization assertion\)"):
        open_session()


def test_no_binding_is_told_with_what_to_install(
    open_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(ModelError, match=r"expected pycuda or cuda-python, got none .*pip install"):
        open_session(cuda_binding="auto")


@pytest.mark.usefixtures("fake_gpu")
def test_pycuda_comes_first_and_cuda_python_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dehaze.runtime.cuda.open import open_cuda

    assert open_cuda().name == "pycuda 2026.1"
    monkeypatch.setitem(sys.modules, "pycuda", None)
    assert open_cuda().name == "cuda-python 13.5.0"
