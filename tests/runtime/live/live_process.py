"""Starts `live_program.py` as a process and reads what it says and records."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, str(Path(__file__).parent / "live_program.py")]


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def figures_in(errors: bytes) -> dict[str, Any]:
    lines = [line for line in errors.decode().splitlines() if line.startswith("FIGURES ")]
    assert len(lines) == 1, errors.decode()
    found: dict[str, Any] = json.loads(lines[0].removeprefix("FIGURES "))
    return found


def unfinished_in(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part*"))


def wait_for_recording(folder: Path, size: int = 1, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not any(path.stat().st_size >= size for path in unfinished_in(folder)):
        assert time.monotonic() < deadline, f"nothing was recorded within {seconds:g} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
