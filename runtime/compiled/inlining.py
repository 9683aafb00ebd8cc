"""Parts of compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["inlined"]


class inlined:  # noqa: N801  # a decorator
    """A function that a compiled one calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)
