"""Loops over pixels, compiled at their first call for the machine's own vector units and kept.

numba compiles them, whose import alone takes 0.2 s of CPU. The machine code is kept on disk, from
where LLVM loads it in some milliseconds without numba.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .cache import kept
from .inlining import inlined
from .kinds import Kind

__all__ = ["compiled", "inlined", "tell_of_compiling"]

_lock = threading.Lock()
"""One thread at a time may compile or load."""
_told: list[Callable[[], None]] = []


def tell_of_compiling(tell: Callable[[], None]) -> None:
    """Has `tell` called once, before the first function that is compiled: it takes seconds."""
    _told[:] = [tell]


class compiled:  # noqa: N801  # a decorator
    """A function that is compiled at its first call and kept on disk where that is possible.

    It takes C-contiguous arrays, whole numbers and np.float32, in their order; it allocates nothing
    and raises nothing. Whatever is wrong with the disk, it is compiled and runs.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._ready: dict[tuple[Kind, ...], Callable[..., None]] = {}

    def __call__(self, *arguments: Any) -> None:
        kinds = tuple(map(Kind.of, arguments))
        call = self._ready.get(kinds) or self._prepared(kinds)
        call(*(word for argument in arguments for word in _words(argument)))

    def _prepared(self, kinds: tuple[Kind, ...]) -> Callable[..., None]:
        with _lock:
            if kinds not in self._ready:
                from . import machine_code

                name = f"{self._function.__name__}-{self._fingerprint(kinds)}.o"
                code = kept(name, lambda: self._compile(kinds))
                self._ready[kinds] = machine_code.loaded(code, kinds)
            return self._ready[kinds]

    def _compile(self, kinds: tuple[Kind, ...]) -> bytes:
        from . import compilation

        while _told:
            _told.pop()()
        return compilation.object_code(self._function, kinds)

    def _fingerprint(self, kinds: tuple[Kind, ...]) -> str:
        """A number for all that the machine code depends on."""
        parts = (
            self._function.__qualname__,
            str(kinds),
            _basis(self._function.__code__.co_filename),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@lru_cache
def _basis(file: str) -> str:
    """What all machine code of a source file depends on: that, this room and the machine."""
    from . import machine_code

    sources = (Path(file), *Path(__file__).parent.glob("*.py"))
    return "\n".join((machine_code.host(), *sorted(path.read_text("utf-8") for path in sources)))


def _words(argument: Any) -> tuple[Any, ...]:
    """An argument as it is passed: an array as its address and its shape."""
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return (argument.__array_interface__["data"][0], *argument.shape)
    return (argument.item() if isinstance(argument, np.generic) else argument,)
