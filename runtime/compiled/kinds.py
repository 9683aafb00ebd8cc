"""The types of arguments that compiled code is made for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kind"]

_WHOLE, _FLOAT = np.dtype(np.int64), np.dtype(np.float32)


class Kind(NamedTuple):
    """The type of an argument."""

    number: np.dtype[Any]
    """The type of a number, int64 or float32, or of those in an array."""
    dimensions: int
    """The dimensions of an array; 0 for a number."""

    @classmethod
    def of(cls, argument: Any) -> Kind:
        if isinstance(argument, np.ndarray):
            return cls(argument.dtype, argument.ndim)
        return cls(_FLOAT if isinstance(argument, np.float32) else _WHOLE, 0)
