"""The file of an engine: what it was built from and for, then TensorRT's plan.

    b"dehaze-engine\\n"   what kind of file this is
    uint32               length of the header in bytes, little-endian
    header               UTF-8 JSON, see EngineHeader
    plan                 what TensorRT deserialises

TensorRT's own answer to a plan of another version or device is an assertion deep in the library.
So the header is compared first, and the difference is told in words.

A plan is machine code, and its header only says what its writer wants. So this user's private
folder has an empty file for every engine that was built here, named by the engine's SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..decoding import WrongValueError, decode
from ..errors import EngineMismatchError, ModelError, UsageError, one_line
from ..model.contract import ModelContract
from ..model.shipped import model_bytes
from ..output_file import cache_folder
from .host import TensorRTHost
from .options import HardwareCompatibility, ShapeRange

__all__ = [
    "ENGINE_SUFFIX",
    "UNKNOWN_ORIGIN",
    "EngineHeader",
    "engine_bytes",
    "note_built_here",
    "parsed_engine",
    "read_engine",
    "was_built_here",
]

ENGINE_SUFFIX = ".engine"
_REFUSALS = (UsageError, WrongValueError, struct.error)
FORMAT_VERSION = 1
"""Raised when an older runtime could no longer read a newer engine file."""

UNKNOWN_ORIGIN = "expected an engine that was built here, got one of unknown origin"
_built: set[str] = set()
"""What this process has built, for a user without a folder to note it in."""
_MAGIC = b"dehaze-engine\n"
_LENGTH = struct.Struct("<I")
_AMPERE = (8, 0)
"""Compute capability from which `ampere_plus` engines run."""


@dataclass(frozen=True)
class EngineHeader:
    """The description of an engine: the model and machine that it was built from and for."""

    host: TensorRTHost
    """GPU and TensorRT version that it was built with."""
    shapes: ShapeRange
    model_sha256: str
    """SHA-256 of the ONNX file."""
    plugin_sha256: str
    """SHA-256 of the plugin library; empty without one."""
    version_compatible: bool
    exclude_lean_runtime: bool
    hardware_compatibility: HardwareCompatibility
    metadata: dict[str, str]
    """The ONNX file's `metadata_props`, so that the engine does not need it."""
    layers: dict[str, int] = field(default_factory=dict)
    """The number of layers with weights by precision; empty where the builder does not say."""

    def contract(self, source: str) -> ModelContract:
        """The model's contract; raises ModelError where `source` has none."""
        return ModelContract.from_metadata(self.metadata, source)

    def mismatch(self, wanted: EngineHeader) -> str:
        """The reason why this engine cannot replace the wanted one, `expected ..., got ...`; or
        empty.

        Of `wanted`, `host` is the machine that is to run it.
        """
        host = wanted.host
        if not self._runs_on(host):
            return f"expected {host.tensorrt}, got {self._built_with(host)}"
        if not self._runs_on_gpu(host):
            return f"expected GPU {_gpu(host)}, got {_gpu(self.host)}"
        for what, expected, got in (
            ("model", _short(wanted.model_sha256), _short(self.model_sha256)),
            ("plugin library", _short(wanted.plugin_sha256), _short(self.plugin_sha256)),
            ("shapes", str(wanted.shapes), str(self.shapes)),
            ("an engine for", wanted._compatibility(), self._compatibility()),
        ):
            if expected != got:
                return f"expected {what} {expected}, got {got}"
        return ""

    def _runs_on(self, host: TensorRTHost) -> bool:
        """NVIDIA's support matrix of 11.4.1: later releases, and 11.x after 10.x; never earlier."""
        built, runs = self.host.tensorrt_release, host.tensorrt_release
        if self.host.title != host.title:
            return False
        if not self.version_compatible:
            return self.host.tensorrt_version == host.tensorrt_version
        if self.exclude_lean_runtime:
            return built == runs
        return built <= runs and runs[0] - built[0] <= 1

    def _runs_on_gpu(self, host: TensorRTHost) -> bool:
        if self.hardware_compatibility == "ampere_plus":
            return host.compute_capability >= _AMPERE
        alike = self.host.compute_capability == host.compute_capability
        if self.hardware_compatibility == "same_compute_capability":
            return alike
        return alike and self.host.gpu == host.gpu

    def _built_with(self, host: TensorRTHost) -> str:
        return self.host.tensorrt if self.host.title != host.title else self.host.tensorrt_version

    def _compatibility(self) -> str:
        versions = "later versions" if self.version_compatible else "one version"
        lean = " without lean runtime" if self.exclude_lean_runtime else ""
        return f"{versions}{lean}, hardware {self.hardware_compatibility}"


def _gpu(host: TensorRTHost) -> str:
    major, minor = host.compute_capability
    return f"{host.gpu} (compute capability {major}.{minor})"


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:12]}" if sha256 else "none"


def engine_bytes(header: EngineHeader, plan: bytes) -> bytes:
    """The content of an engine file."""
    plan_sha256 = hashlib.sha256(plan).hexdigest()
    fields = {"format": FORMAT_VERSION, **asdict(header), "plan_sha256": plan_sha256}
    text = json.dumps(fields, indent=1).encode()
    return _MAGIC + _LENGTH.pack(len(text)) + text + plan


def read_engine(path: Path) -> tuple[EngineHeader, bytes]:
    """Header and plan of an engine file, whatever machine it is for.

    Raises:
        ModelError: not an engine file, or a damaged one.
        EngineMismatchError: written by a later dehaze-edge.
    """
    return parsed_engine(model_bytes(path), path)


def parsed_engine(content: bytes, path: Path) -> tuple[EngineHeader, bytes]:
    """Header and plan of the content of an engine file; raises as `read_engine` does."""
    if not content.startswith(_MAGIC):
        raise ModelError(
            f"{path}: expected an engine of dehaze-export, got another kind of file; "
            f"build one with `dehaze-export MODEL.onnx --engine`"
        )
    try:
        (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
        start = len(_MAGIC) + _LENGTH.size
        fields = json.loads(content[start : start + length])
        version = fields["format"]
        if version == FORMAT_VERSION:
            header: EngineHeader = decode(fields, EngineHeader)
            plan = content[start + length :]
            if hashlib.sha256(plan).hexdigest() != fields["plan_sha256"]:
                raise ValueError("the plan does not match its sha256")
            return header, plan
    except (LookupError, TypeError, ValueError, RecursionError, *_REFUSALS) as error:
        deep = isinstance(error, RecursionError)
        why = "its header is nested too deeply" if deep else one_line(error)
        raise ModelError(
            f"{path}: the engine file is damaged ({why}); "
            f"rebuild it with `dehaze-export MODEL.onnx --engine`"
        ) from error
    raise EngineMismatchError(
        f"{path}: expected engine format {FORMAT_VERSION}, got {version}; "
        f"rebuild it with `dehaze-export MODEL.onnx --engine`"
    )


def note_built_here(content: bytes) -> None:
    """Notes that this user built an engine, or what belongs to one, on this machine."""
    name = hashlib.sha256(content).hexdigest()
    _built.add(name)
    with suppress(OSError, RuntimeError):  # no home: it is known to this process alone
        folder = _record()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder):
            (folder / name).touch(mode=0o600)


def was_built_here(content: bytes) -> bool:
    """Returns whether `note_built_here` was told of the very same content."""
    name = hashlib.sha256(content).hexdigest()
    if name in _built:
        return True
    with suppress(OSError, RuntimeError):
        return _is_private(_record()) and (_record() / name).exists()
    return False


def _record() -> Path:
    return cache_folder() / "built-here"


def _is_private(folder: Path) -> bool:
    """Returns whether nobody but this user can have put a file there."""
    status = folder.lstat()
    if os.name != "posix":
        return True
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return mine and not status.st_mode & 0o077
