"""The fastest provider that computes rightly, measured once on a machine and remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DehazeError, OutputError
from ..output_file import cache_folder, finished_output
from ..session import Session
from .installed import Provider, import_onnxruntime, installed_providers
from .self_test import hazy_picture, self_test

__all__ = ["Choice", "fastest_provider", "memory_file"]

SIZE = (720, 1280)
"""(H, W) of the picture that is timed."""
RUNS = 5


class Choice(NamedTuple):
    """The provider that was chosen."""

    name: str
    why: str
    """The reason, in one line: `the fastest of cpu 9.1 ms, openvino-gpu 4.0 ms`."""


def memory_file() -> Path:
    """The file of measurements, in the user's cache folder."""
    return cache_folder() / "providers.json"


def fastest_provider(model_sha256: str, open_on: Callable[[str], Session]) -> Choice:
    """The provider with the shortest time at 1280x720 among those that pass the self-test.

    With the CPU alone there is nothing to choose, and nothing is measured or written.

    Args:
        model_sha256: what the measurement is remembered for.
        open_on: opens the model on a provider of this name.
    """
    providers = installed_providers()
    if len(providers) == 1:
        return Choice("cpu", "the only provider here")
    key = f"{model_sha256[:16]} {import_onnxruntime().__version__} {' '.join(map(_id, providers))}"
    remembered = _remembered()
    times = remembered.get(key)
    if times is None:
        times = {p.name: ms for p in providers if (ms := _milliseconds(open_on, p.name))}
        with suppress(OutputError), finished_output(memory_file(), overwrite=True) as unfinished:
            unfinished.write_text(json.dumps({**remembered, key: times}, indent=1))
    if not times:
        return Choice("cpu", "no provider passes the self-test")
    figures = ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items())
    return Choice(min(times, key=lambda name: times[name]), f"the fastest of {figures}")


def _milliseconds(open_on: Callable[[str], Session], name: str) -> float | None:
    """The shortest of some runs; None where the provider fails or computes wrongly."""
    try:
        session = open_on(name)
        try:
            if not self_test(session).passed:
                return None
            picture = hazy_picture(*SIZE)
            session.run(picture, 1.0)
            times = []
            for _ in range(RUNS):
                started = time.perf_counter()
                session.run(picture, 1.0)
                times.append(1000 * (time.perf_counter() - started))
        finally:
            session.close()
    except DehazeError:
        return None
    return round(min(times), 2)


def _remembered() -> dict[str, dict[str, float]]:
    """The content of the file; nothing where it is missing or damaged."""
    try:
        content: Any = json.loads(memory_file().read_text())
        return {str(key): {str(n): float(ms) for n, ms in t.items()} for key, t in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _id(provider: Provider) -> str:
    return provider.name
