"""JSON as dataclasses: every value is checked, and what is wrong is named by its place."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["WrongValueError", "from_json"]


class WrongValueError(Exception):
    """`machine.cores: expected a whole number, got 'two'`."""

    def __init__(self, where: str, expected: str, got: Any) -> None:
        shown = repr(got)
        super().__init__(f"{where}: expected {expected}, got {shown[:60]}{'…' * (len(shown) > 60)}")


_LARGEST = 1e15
"""More than any figure of ours: nanoseconds of a week, bytes of all memory. NaN is not below it."""
_WORDS = {str: "text", int: "a whole number", float: "a number", type(None): "null"}


def from_json(value: Any, wanted: Any, where: str) -> Any:
    """`value` as the type `wanted`: a dataclass, list, dict, union, Literal or plain type.

    Args:
        where: the value's name in an error.

    Raises:
        WrongValueError: it is something else.
    """
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        if value not in inner:
            raise WrongValueError(where, " or ".join(map(str, inner)), value)
        return value
    if origin in (Union, types.UnionType):
        fitting = [choice for choice in inner if _fits(value, choice)]
        if len(fitting) == 0 and len(inner) > 2:
            raise WrongValueError(where, " or ".join(_WORDS[choice] for choice in inner), value)
        return from_json(value, (fitting or inner)[0], where)  # the first says what is wrong
    if origin is list:
        if not isinstance(value, list):
            raise WrongValueError(where, "a list", value)
        return [from_json(v, inner[0], f"{where}[{index}]") for index, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise WrongValueError(where, "an object", value)
        return {name: from_json(v, inner[1], f"{where}.{name}") for name, v in value.items()}
    if dataclasses.is_dataclass(wanted):
        return _record(value, wanted, where)
    if not _fits(value, wanted):
        raise WrongValueError(where, _WORDS[wanted], value)
    return float(value) if wanted is float else value


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool):
        return False
    if wanted is float:
        return isinstance(value, (int, float)) and -_LARGEST < value < _LARGEST
    if wanted is int:
        return isinstance(value, int) and -_LARGEST < value < _LARGEST
    return isinstance(value, wanted) if isinstance(wanted, type) else False


def _record(value: Any, wanted: Any, where: str) -> Any:
    """A dataclass; names that it does not know are a newer writer's, and left out."""
    if not isinstance(value, dict):
        raise WrongValueError(where, "an object", value)
    hints = get_type_hints(wanted)
    found = {}
    for f in dataclasses.fields(wanted):
        if f.name in value:
            found[f.name] = from_json(value[f.name], hints[f.name], f"{where}.{f.name}")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise WrongValueError(where, f"a field {f.name}", sorted(value))
    return wanted(**found)
