"""Chooses the library that runs a model, ONNX Runtime, TensorRT or TensorRT-RTX, and says why.

an .engine file                          the TensorRT that built it; an error where it is not here
a model for TensorRT                     TensorRT or TensorRT-RTX; an error where neither is here
`backend` onnxruntime, tensorrt, rtx     that one; an error where that cannot be
auto                                     TensorRT, else TensorRT-RTX, where there is a GPU and an
                                         engine or a model for it beside this one; else ONNX Runtime
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from .errors import DehazeError, ModelError, OperatorError, UsageError, one_line
from .model.model_file import ModelFile, read_model
from .model.shipped import TWIN_SUFFIX
from .session import Session
from .trt.engine_file import ENGINE_SUFFIX, read_engine
from .trt.engine_search import tensorrt_form_of
from .trt.host import tensorrt_host
from .trt.options import LIBRARIES, using_library

if TYPE_CHECKING:
    from .trt.options import TensorRTOptions

__all__ = ["Backend", "OpenedSession", "open_session"]

RTX = LIBRARIES["rtx"].title
Backend: TypeAlias = Literal["auto", "onnxruntime", "tensorrt", "rtx"]


class OpenedSession(NamedTuple):
    """A session, what runs it, and how that was chosen."""

    session: Session
    backend: str
    """`onnxruntime`, `onnxruntime with cuda` or `tensorrt`."""
    reason: str
    """The reason, in one line: `expected an NVIDIA GPU, got none (...)`."""

    @property
    def why(self) -> str:
        """Backend and reason, for people: `onnxruntime: as asked`."""
        return f"{self.backend}: {self.reason}"


def open_session(
    path: Path,
    backend: Backend = "auto",
    *,
    threads: int | None = None,
    provider: str = "cpu",
    tensorrt: TensorRTOptions | None = None,
) -> OpenedSession:
    """Opens a model or engine file with the backend that it, the machine and the caller want.

    Args:
        threads, provider: of ONNX Runtime; a provider other than the CPU asks for ONNX Runtime.
            `auto` is the fastest one that is installed, see `fastest_provider`.
        tensorrt: how TensorRT opens it; None for the defaults.

    Raises:
        ModelError, EngineMismatchError: the backend that was asked for, or that the file needs,
            cannot open it.
        UsageError: no such backend, or one that cannot take such a file at all.
    """
    if backend not in get_args(Backend):
        raise UsageError(f"expected backend {' or '.join(get_args(Backend))}, got {backend}")
    if backend in ("tensorrt", "rtx") and provider != "cpu":
        raise UsageError(f"provider {provider} is one of ONNX Runtime's; leave the backend to it")
    if path.suffix == ENGINE_SUFFIX:
        if backend == "onnxruntime" or provider != "cpu":
            raise UsageError(f"{path}: an engine runs in TensorRT alone; open the ONNX file")
        with using_library("rtx" if read_engine(path)[0].host.title == RTX else "tensorrt"):
            return _only_tensorrt(path, tensorrt, f"{path.name} is an engine")
    if backend == "onnxruntime" or provider != "cpu":
        return _onnxruntime(read_model(path), threads, provider, "as asked")
    file = read_model(path)
    with using_library(None if backend == "auto" else backend):
        if file.contract.target == "tensorrt":
            return _only_tensorrt(path, tensorrt, f"{path.name} was exported for it")
        if backend != "auto":
            form = tensorrt_form_of(path, trust=_trusts(tensorrt))
            return _tensorrt(form or path, tensorrt, "as asked")
        return _best(file, threads, tensorrt)


def _best(file: ModelFile, threads: int | None, options: TensorRTOptions | None) -> OpenedSession:
    """TensorRT where it can run this model, else ONNX Runtime and what TensorRT lacks."""
    try:
        host = tensorrt_host()
        form = tensorrt_form_of(file.path, trust=_trusts(options))
        if form is None:
            raise ModelError(
                f"beside {file.path.name} expected an engine or a model for TensorRT of the same "
                f"weights, got none; make one with `dehaze-export --fp16 --target tensorrt`"
            )
        return _tensorrt(form, options, f"{host.gpu}, {host.tensorrt}")
    except DehazeError as error:
        return _onnxruntime(file, threads, "cpu", one_line(error))


def _trusts(options: TensorRTOptions | None) -> bool:
    return options is not None and options.trust_engine


def _only_tensorrt(path: Path, options: TensorRTOptions | None, why: str) -> OpenedSession:
    """Opens a file that nothing else can run."""
    try:
        tensorrt_host()
    except ModelError as error:
        raise ModelError(
            f"{path}: it is for TensorRT, which cannot run here: {error}; take a model for ONNX "
            f"Runtime (`dehaze-export --target onnxruntime`)"
        ) from error
    return _tensorrt(path, options, why)


def _tensorrt(path: Path, options: TensorRTOptions | None, why: str) -> OpenedSession:
    # Counts the devices: importing what follows must not touch TensorRT before.
    name = "rtx" if tensorrt_host().title == RTX else "tensorrt"
    from .trt.session import TensorRTSession

    session = TensorRTSession(path, options)
    return OpenedSession(session, name, f"{why}; runs {session.engine_path.name}")


def _onnxruntime(file: ModelFile, threads: int | None, provider: str, reason: str) -> OpenedSession:
    """Opens the model, or the one without DeformConv beside it where ONNX Runtime is older.

    ONNX Runtime has DeformConv since 1.25, and Python 3.10 stops at 1.23. The other file has the
    same weights and gives the same picture; its deformable convolution is made of GridSample.
    """
    from .onnxruntime_session import OnnxRuntimeOptions, OnnxRuntimeSession
    from .providers.fastest import fastest_provider

    if provider == "auto":
        provider, reason = fastest_provider(
            hashlib.sha256(file.content).hexdigest(),
            lambda name: OnnxRuntimeSession(file, OnnxRuntimeOptions(threads, name)),
        )
    options = OnnxRuntimeOptions(threads=threads, provider=provider)
    backend = "onnxruntime" if provider == "cpu" else f"onnxruntime with {provider}"
    try:
        return OpenedSession(OnnxRuntimeSession(file, options), backend, reason)
    except OperatorError:
        twin = file.path.with_stem(file.path.stem + TWIN_SUFFIX)
        if not twin.is_file():
            raise
        session = OnnxRuntimeSession(read_model(twin), options)
        return OpenedSession(session, backend, f"{reason}; runs {twin.name}")
