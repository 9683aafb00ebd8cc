"""Loops over pixels, compiled by numba at their first call for the machine's own vector units.

Importing this imports numba, which takes half a second: what needs no compiled loop, such as one
picture, must not.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .cache import locked_cache

__all__ = ["compiled", "inlined"]

_lock = threading.Lock()
"""numba may compile in one thread at a time."""


@contextmanager
def _without_configuration_file() -> Iterator[None]:
    """numba reads `.numba_config.yaml` of the working folder where it finds PyYAML.

    A folder of pictures from a stranger may hold one. Without PyYAML numba only warns of it.
    """
    there = sys.modules.get("yaml")
    sys.modules["yaml"] = None  # type: ignore[assignment]  # `import yaml` raises ImportError
    try:
        with _quiet():
            yield
    finally:
        if there is None:
            del sys.modules["yaml"]
        else:
            sys.modules["yaml"] = there


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A Numba config file is found")
        yield


with _without_configuration_file():
    import numba

_OPTIONS = {"nogil": True, "fastmath": {"nnan", "nsz"}}
"""Outside of Python's lock; a minimum need not care for NaN. Multiplications and additions are not
fused, so that NumPy gives the same pixels."""


def inlined(function: Callable[..., None]) -> Any:
    """A function that a compiled one calls."""
    return numba.njit(function, **_OPTIONS)


class compiled:  # noqa: N801  # a decorator
    """A function that numba compiles at its first call and keeps on disk where that is possible.

    Whatever is wrong with the cache, the function is compiled and runs.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._ready: dict[Any, Any] = {}
        """Compiled functions by the types of their arguments."""

    def __call__(self, *arguments: Any) -> None:
        kind = tuple(map(_kind, arguments))
        if kind not in self._ready:
            with _lock, _quiet():
                if kind not in self._ready:
                    self._ready[kind] = self._compile(tuple(map(numba.typeof, arguments)))
        self._ready[kind](*arguments)

    def _compile(self, types: tuple[Any, ...]) -> Any:
        with locked_cache() as cache:
            if cache:
                found = self._compile_kept(types, cache.folder)
                if found is not None:
                    return found
                cache.empty()
        dispatcher = numba.njit(self._function, **_OPTIONS)
        dispatcher.compile(types)
        return dispatcher

    def _compile_kept(self, types: tuple[Any, ...], folder: Path) -> Any:
        """Loads the function from the cache or stores it there; None where that fails."""
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(folder)
        dispatcher: Any = None
        try:
            dispatcher = numba.njit(self._function, cache=True, **_OPTIONS)
            dispatcher.compile(types)
        except Exception:  # what the disk, pickle and numba raise
            # A full disk is met when all is compiled and only to be stored.
            if dispatcher is None or types not in dispatcher.signatures:
                return None
        finally:
            numba.config.CACHE_DIR = before
        return dispatcher


def _kind(argument: Any) -> Any:
    """What numba tells types apart by, of the arguments that are passed here."""
    flags = getattr(argument, "flags", None)
    if flags is None:
        return type(argument)
    return argument.dtype.str, argument.ndim, flags.c_contiguous, flags.writeable
