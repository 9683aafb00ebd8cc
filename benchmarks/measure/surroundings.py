"""Describes the surroundings of a measurement for its file: the machine, the models, the data."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from dehaze.runtime.backends import OpenedSession
from dehaze.runtime.doctor.machine import processor, software, video_card
from dehaze.runtime.errors import InputError, one_line
from dehaze.runtime.haze.strips import CORES
from dehaze.runtime.model.shipped import MODELS_FOLDER, model_path

from ..results.records import Data, Machine, Model

__all__ = ["command_line", "data_of", "machine", "model_of", "now"]


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def command_line(arguments: Sequence[str] | None) -> str:
    """The command as the user typed it, to be typed again."""
    return shlex.join(["dehaze-bench", *(sys.argv[1:] if arguments is None else arguments)])


def machine() -> Machine:
    """Describes this machine, which takes a second, for it asks the libraries."""
    name, instructions = (finding.value for finding in processor())
    python, *libraries = software()
    card = {finding.name: finding.value for finding in video_card()}
    gpu, driver = card.pop("GPU"), card.pop("driver")
    versions = {finding.name: finding.value for finding in libraries} | card
    return Machine(
        processor=name.split(", ")[0],
        cores=os.cpu_count() or 1,
        usable_cores=CORES,
        instructions=instructions,
        memory_mib=_memory_mib(),
        system=platform.platform(),
        python=python.value.split(", ")[0],
        versions={library: version for library, version in versions.items() if version},
        gpu=gpu,
        driver=driver,
        power_mode=_said("nvpmodel", "-q"),
        clocks=_said("jetson_clocks", "--show"),
    )


def _memory_mib() -> int:
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return 0


def _said(program: str, option: str) -> str:
    """The output of a Jetson's program, in one line; empty where it is missing or needs root."""
    path = shutil.which(program)
    if path is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            [path, option], capture_output=True, text=True, timeout=10, check=True
        )
        return "; ".join(line.strip() for line in answer.stdout.splitlines() if line.strip())
    return ""


def model_of(name: str, opened: OpenedSession) -> Model:
    """The description of an opened model."""
    path = model_path(name)
    content = path.read_bytes()
    contract = opened.session.contract
    return Model(
        name=name,
        path=_short(path),
        sha256=hashlib.sha256(content).hexdigest(),
        precision=contract.precision,
        parameters=contract.parameters,
        bytes=len(content),
        backend=opened.backend,
        why=opened.reason,
        weights="trained" if contract.source_sha256 else "random",
    )


def data_of(path: Path, files: Iterable[Path], layout: str) -> Data:
    """Hashes `files`; each is called by its name below `path`, so that folders may move.

    Raises:
        InputError: one cannot be read.
    """
    named = {_below(file, path): file for file in files}
    whole = hashlib.sha256()
    try:
        for name in sorted(named):
            content = hashlib.sha256(named[name].read_bytes()).hexdigest()
            whole.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    return Data(_short(path), layout, len(named), whole.hexdigest())


def _below(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def _short(path: Path) -> str:
    """Shortens a path below the current folder, so that no home folder is in a report."""
    if path.parent == MODELS_FOLDER:
        return f"dehaze/runtime/weights/{path.name}"
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
