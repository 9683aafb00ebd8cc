"""Opens what the command line names as a method: a model, a classical method or a foreign model.

edge                      a model that ships
PATH.onnx, PATH.engine    a model of ours
dcp, clahe, none          dark channel prior, contrast equalisation, the picture as it is
PATH.onnx@input=0..1      a model from elsewhere and its pixels, see foreign_onnx
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.backends import OpenedSession
from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.errors import ModelError, UsageError
from dehaze.runtime.model.metadata import metadata_from_onnx
from dehaze.runtime.model.shipped import list_models
from dehaze.runtime.stream import Stream, StreamOptions

from ..results.records import Model
from .baselines import BASELINES
from .foreign_onnx import ADAPTER_EXAMPLE, ForeignOnnx, parse_adapter
from .surroundings import model_of

__all__ = [
    "Baseline", "Method", "OurModel",
    "about_method", "check_ours", "expect_different", "is_ours", "open_method",
]  # fmt: skip


class Method(Protocol):
    """Takes the haze out of pictures; a context manager."""

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB to the same."""
        ...

    def __enter__(self) -> Method: ...

    def __exit__(self, *error: object) -> None: ...


def open_method(argument: str, threads: int | None = None) -> Method:
    """Opens whatever an argument stands for; see the top of this module.

    Args:
        threads: CPU threads; None for every core.

    Raises:
        ModelError: no such model, one that cannot be opened, or one from elsewhere without a word
            about its pixels.
        UsageError: a word about them that cannot be understood.
    """
    if is_ours(argument):
        check_ours(argument)
        return OurModel(argument, threads)
    if argument in BASELINES:
        return Baseline(argument, threads)
    path, _, adapter = argument.rpartition("@")
    return ForeignOnnx(Path(path), parse_adapter(adapter), threads)


def is_ours(argument: str) -> bool:
    """Returns whether an argument is a model of dehaze-edge, not a baseline or a foreign one."""
    path, separator, _ = argument.rpartition("@")
    return argument not in BASELINES and not (separator and path.lower().endswith(".onnx"))


def about_method(argument: str, method: Method) -> Model:
    """The description of an opened method, for the file of results."""
    if isinstance(method, OurModel):
        return model_of(argument, method.opened)
    if isinstance(method, ForeignOnnx):
        path, _, adapter = argument.rpartition("@")
        content = Path(path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return Model(argument, path, digest, "", 0, len(content), "onnxruntime", adapter)
    return Model(argument, "", "", "", 0, 0, "opencv", "a classical method")


def expect_different(arguments: Sequence[str]) -> None:
    """Refuses the same argument twice: rows of results are told apart by it.

    Raises:
        UsageError: an argument is given twice.
    """
    for argument in arguments:
        if arguments.count(argument) > 1:
            raise UsageError(f"expected each METHOD once, got {argument} twice")


def check_ours(argument: str) -> None:
    """Refuses a file with a hint where `open_dehazer` has none to give.

    Raises:
        ModelError: no such file, or one from elsewhere.
    """
    path = Path(argument)
    if argument in list_models():
        return
    if not path.is_file():
        raise ModelError(
            f"{argument!r} is neither a file nor one of {', '.join((*list_models(), *BASELINES))}"
        )
    if path.suffix.lower() != ".onnx":
        return
    if "dehaze.format" not in metadata_from_onnx(path.read_bytes(), str(path)):
        raise ModelError(
            f"{path}: not made by dehaze-export; say what its pixels are like, "
            f"{ADAPTER_EXAMPLE.replace('other.onnx', str(path))} for example"
        )


class OurModel:
    """A model of dehaze-edge, as `open_dehazer` runs it."""

    def __init__(self, model: str, threads: int | None = None) -> None:
        self._dehazer = open_dehazer(model, threads=threads)
        options = StreamOptions(temporal=False, auto=self.has_auto)
        self._stream = Stream(self._dehazer, options)

    @property
    def opened(self) -> OpenedSession:
        """The session, as in `Dehazer.opened`."""
        return self._dehazer.opened

    @property
    def has_auto(self) -> bool:
        """True if the model measures haze, so that `--auto` can leave a clear picture alone."""
        return self._dehazer.contract.has_grid

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._dehazer(frame)

    def with_auto(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Dehazes as `dehaze-run --auto` does."""
        return self._stream(frame).pixels

    def __enter__(self) -> OurModel:
        return self

    def __exit__(self, *error: object) -> None:
        self._dehazer.close()


class Baseline:
    """A classical method; while one is open OpenCV has as many threads as asked for."""

    def __init__(self, name: str, threads: int | None = None) -> None:
        self._apply = BASELINES[name]
        self._threads_before = cv2.getNumThreads()
        if threads is not None:
            cv2.setNumThreads(threads)

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._apply(frame)

    def __enter__(self) -> Baseline:
        return self

    def __exit__(self, *error: object) -> None:
        cv2.setNumThreads(self._threads_before)
