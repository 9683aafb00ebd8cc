"""The TensorRT backend: an NVIDIA GPU, on a desktop or a Jetson, by TensorRT or TensorRT-RTX.

Not run on a GPU yet. Its names are checked against the bindings of TensorRT 10.3 to 11.4 and of
the lean runtime, its order of copies, graphs and waits against fakes of TensorRT and CUDA.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..cuda.open import open_cuda
from ..errors import EngineMismatchError, ModelError, UsageError
from ..haze.grid import Grid, Thumbnail
from ..haze.pixel_passes import reduced
from ..model.contract import ModelContract
from ..output_file import cache_folder
from ..session import DeepFrames, DeviceTimes, Frames
from .engine_cache import build_command, buildable_form, cached_engine, load_engine
from .engine_file import ENGINE_SUFFIX, EngineHeader, read_engine
from .engine_search import engine_built_from
from .loaded_engine import TensorRTEngine
from .options import EngineOptions, Shape, ShapeRange, TensorRTOptions
from .pipeline import DEPTH, Pipeline
from .plugin_library import needs_plugin, required_plugin

__all__ = ["TensorRTSession"]


class TensorRTSession:
    """A model opened in TensorRT, or in its lean runtime where that alone is installed.

    Args:
        path: an engine, or an ONNX file: its engine for this machine is opened, and built before
            where there is none, which takes minutes.

    Raises:
        EngineMismatchError: an engine for another GPU, TensorRT version or plugin library.
        ModelError: no GPU, no TensorRT or no CUDA binding here; the model cannot be opened, or is
            an engine that was not built here.
        UsageError, OutputError: as for `cached_engine`.
    """

    def __init__(self, path: Path, options: TensorRTOptions | None = None) -> None:
        options = options or TensorRTOptions()
        if path.suffix != ENGINE_SUFFIX:
            path = buildable_form(path)
        self._options = options
        self._model = path if path.suffix != ENGINE_SUFFIX else None
        self.engine_path, plugin = _engine_of(path, options)
        self._header, plan = load_engine(
            self.engine_path, model=self._model, plugin=plugin, trust=options.trust_engine
        )
        self.contract: ModelContract = self._header.contract(str(path))
        self.takes_thumbnails = False
        self.device_times: DeviceTimes | None = None
        """The times of the batch that `run`, `run_many` or `estimate` handed out last."""
        self._cuda = open_cuda(options.cuda_binding)
        host_code = self._header.version_compatible
        with self._cuda.current():
            self._engine: TensorRTEngine | None = TensorRTEngine(
                plan,
                self.engine_path,
                plugin,
                host_code=host_code,
                notice=options.notice,
            )
        self._pipeline: Pipeline | None = None

    @property
    def shapes(self) -> ShapeRange:
        """The frames that the engine takes."""
        return self._header.shapes

    def run(self, frames: Frames, strength: float) -> Frames:
        """Dehazes a batch; one that is larger than the engine takes goes in parts."""
        clear: Frames = _joined(self.run_many(self._parts(frames), strength))
        return clear

    def run_many(self, frames: Iterable[Frames], strength: float) -> Iterator[Frames]:
        """Dehazes batches one after the other, each of which may have another shape.

        While the device computes a batch, the next one is copied to it and the one before it back.
        So a result comes once the next batch was taken from `frames`, or when they end.

        Raises:
            EngineMismatchError: the engine does not take a batch of this shape.
            ModelError: TensorRT or CUDA failed.
        """
        for results in self._results(frames, strength, "clear"):
            clear: Frames = results
            yield clear

    def estimate(self, frames: DeepFrames | None, thumbnail: Thumbnail | None = None) -> Grid:  # noqa: ARG002  # the engine makes its own
        assert frames is not None
        small, factor = reduced(frames)
        values = _joined(self._results(self._parts(small), 1.0, "grid"))
        return Grid(values, self.contract.grid_stride * factor)

    def _results(self, batches: Iterable[Frames], strength: float, output: str) -> Iterator[Any]:
        """The output of every batch, in order."""
        if self._pipeline is not None and self._pipeline.pending:
            raise UsageError("another run_many is not finished; take all its frames or close it")
        try:
            for batch in batches:
                self._check_shape(batch.shape)
                if self._pipeline is None or self._pipeline.shape != batch.shape:
                    yield from self._collect(output, leave=0)
                    self._open_pipeline(batch.shape)
                with self._cuda.current():
                    self._opened_pipeline().submit(batch, strength, [output])
                yield from self._collect(output, leave=DEPTH - 1)
            yield from self._collect(output, leave=0)
        finally:  # with something pending where the caller stopped early or an error came
            if self._pipeline is not None and self._pipeline.pending:
                self._close_pipeline()

    def _collect(self, output: str, *, leave: int) -> Iterator[Any]:
        while self._pipeline is not None and self._pipeline.pending > leave:
            with self._cuda.current():
                results, self.device_times = self._pipeline.collect()
            yield results[output]

    def _parts(self, frames: Frames) -> Sequence[Frames]:
        """Batches of as many frames as the engine takes at once."""
        most = self.shapes.maximum[0]
        return [frames[start : start + most] for start in range(0, len(frames), most)]

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        shapes = self.shapes
        if shapes.takes(shape):
            return
        raise EngineMismatchError(
            f"{self.engine_path}: the engine takes {_span(shapes)}, got {_size(shape)}; "
            f"{build_command(self._model, _shapes_option(shapes, shape))}"
        )

    def _open_pipeline(self, shape: tuple[int, ...]) -> None:
        self._close_pipeline()
        if self._engine is None:
            raise ModelError("the model was closed; open it again")
        with self._cuda.current():
            self._pipeline = Pipeline(
                self._engine.context,
                self._cuda,
                self._engine.tensors,
                shape,
                graphs=self._options.cuda_graphs,
                notice=self._options.notice,
            )

    def _opened_pipeline(self) -> Pipeline:
        if self._pipeline is None:
            raise ModelError("the model was closed; open it again")
        return self._pipeline

    def _close_pipeline(self) -> None:
        if self._pipeline is not None:
            pipeline, self._pipeline = self._pipeline, None
            with self._cuda.current():
                pipeline.close()

    def close(self) -> None:
        self._close_pipeline()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            with self._cuda.current():
                engine.close()


def _joined(parts: Iterable[Any]) -> Any:
    """The parts of a batch in one array; most batches are one part, which is not copied."""
    arrays = list(parts)
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _engine_of(path: Path, options: TensorRTOptions) -> tuple[Path, Path | None]:
    """The engine to open, built where there is none, and the plugin library it needs."""
    build = options.build or EngineOptions()
    plugin = options.plugin or build.plugin
    if path.suffix == ENGINE_SUFFIX:
        header: EngineHeader = read_engine(path)[0]
        if plugin is None and header.plugin_sha256 and not header.version_compatible:
            plugin = required_plugin(path)
        return path, plugin
    if plugin is None and needs_plugin(path):
        plugin = required_plugin(path)
    folder = options.engine_folder or _writable_folder(path)
    if (
        options.build is None
        and (found := engine_built_from(path, folder, trust=options.trust_engine)) is not None
    ):
        return found, plugin

    def before_build(why: str) -> None:
        options.notice(f"building an engine of {path.name}, which takes minutes, once ({why})")

    build = replace(build, plugin=plugin)
    cached = cached_engine(
        path,
        build,
        folder,
        rebuild=options.may_build,
        trust=options.trust_engine,
        before_build=before_build,
    )
    return cached.path, plugin


def _writable_folder(model: Path) -> Path:
    """The model's own; the user's cache where that is read-only, as an installed package may be."""
    return model.parent if os.access(model.parent, os.W_OK) else cache_folder()


def _span(shapes: ShapeRange) -> str:
    if shapes.minimum == shapes.maximum:
        return _size(shapes.maximum)
    return f"{_size(shapes.minimum)} to {_size(shapes.maximum)}"


def _size(shape: tuple[int, ...]) -> str:
    """`2 frames of 1280x720 pixels`."""
    frames, height, width = shape[:3]
    return f"{frames} frame{'s' * (frames != 1)} of {width}x{height} pixels"


def _shapes_option(shapes: ShapeRange, shape: tuple[int, ...]) -> str:
    """The --shapes of an engine that takes these frames and the ones before."""
    least: Shape = shapes.minimum
    low = (min(least[1], shape[1]), min(least[2], shape[2]))
    high = (max(shapes.maximum[1], shape[1]), max(shapes.maximum[2], shape[2]))
    sizes = (low, (shape[1], shape[2]), high)
    return " --shapes " + " ".join(f"{width}x{height}" for height, width in sizes)
