"""Loops over pixels, compiled by numba at their first call for the machine's own vector units."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled", "inlined"]

_OPTIONS = {"nogil": True, "fastmath": True}
"""Outside of Python's lock; fused multiply-adds, and a minimum that need not care for NaN."""


def inlined(function: Callable[..., None]) -> Any:
    """A function that a compiled one calls."""
    return numba.njit(function, **_OPTIONS)


class compiled:  # noqa: N801  # a decorator
    """A function that numba compiles at its first call and keeps on disk where that is possible."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._kept: Any = None
        self._unkept: Any = None

    def __call__(self, *arguments: Any) -> None:
        if self._unkept is None:
            try:
                with self._lock:
                    if self._kept is None:
                        self._kept = numba.njit(self._function, cache=True, **_OPTIONS)
                self._kept(*arguments)
                return
            except Exception:  # what the disk, pickle and numba raise, before the function has run
                # The cache cannot be written, its disk is full, or a power cut has damaged it;
                # another thread may have found that out meanwhile.
                with self._lock:
                    if self._unkept is None:
                        self._unkept = numba.njit(self._function, **_OPTIONS)
        self._unkept(*arguments)
