"""JSON and TOML as dataclasses: every value is checked, and what is wrong is named by its place."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["WrongValueError", "decode"]


class WrongValueError(Exception):
    """`machine.cores: expected a whole number, got 'two'`."""

    def __init__(self, where: str, expected: str, got: Any) -> None:
        shown = repr(got)
        place = f"{where}: " if where else ""
        super().__init__(f"{place}expected {expected}, got {shown[:60]}{'…' * (len(shown) > 60)}")


_LARGEST = 1e15
"""More than any figure of ours: nanoseconds of a week, bytes of all memory. NaN is not below it."""
_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def decode(value: Any, wanted: Any, where: str = "", *, strict: bool = False) -> Any:
    """`value` as the type `wanted`: a dataclass, list, tuple, dict, union, Literal or plain type.

    Args:
        where: what the value is called in an error; empty for a whole file.
        strict: refuse names that a dataclass does not have, as a typing mistake; else they are a
            newer writer's, and left out.

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
        # Where none fits the first says what is wrong.
        return decode(value, (fitting or inner)[0], where, strict=strict)
    if origin is list:
        if not isinstance(value, list):
            raise WrongValueError(where, "a list", value)
        return [
            decode(v, inner[0], f"{where}[{index}]", strict=strict) for index, v in enumerate(value)
        ]
    if origin is tuple:
        return _tuple(value, inner, where, strict=strict)
    if origin is dict:
        return {
            name: decode(v, inner[1], _below(where, name), strict=strict)
            for name, v in _object(value, where).items()
        }
    if dataclasses.is_dataclass(wanted):
        return _record(value, wanted, where, strict=strict)
    if not _fits(value, wanted):
        raise WrongValueError(where, _WORDS[wanted], value)
    return float(value) if wanted is float else value


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WrongValueError(where, "fields with values", value)
    return value


def _tuple(value: Any, inner: tuple[Any, ...], where: str, *, strict: bool) -> tuple[Any, ...]:
    """A list of any length where the tuple's type ends in `...`, else of its length."""
    if not isinstance(value, list):
        raise WrongValueError(where, "a list", value)
    kinds = inner[:1] * len(value) if inner[-1:] == (Ellipsis,) else inner
    if len(kinds) != len(value):
        raise WrongValueError(where, f"{len(kinds)} values", value)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(decode(v, kind, f"{where}[{n}]", strict=strict) for n, (kind, v) in pairs)


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, (int, float)) and -_LARGEST < value < _LARGEST
    if wanted is int:
        return isinstance(value, int) and -_LARGEST < value < _LARGEST
    return isinstance(value, wanted) if isinstance(wanted, type) else False


def _record(value: Any, wanted: Any, where: str, *, strict: bool) -> Any:
    fields = dataclasses.fields(wanted)
    unknown = sorted(_object(value, where).keys() - {f.name for f in fields})
    if strict and unknown:
        raise WrongValueError(
            where, f"one of {', '.join(sorted(f.name for f in fields))}", unknown[0]
        )
    needed = [
        f.name
        for f in fields
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing := [name for name in needed if name not in value]:
        plural = "a field" if len(missing) == 1 else "fields"
        raise WrongValueError(where, f"{plural} {' and '.join(missing)}", sorted(value))
    hints = get_type_hints(wanted)
    given = {f.name: value[f.name] for f in fields if f.name in value}
    return wanted(
        **{n: decode(v, hints[n], _below(where, n), strict=strict) for n, v in given.items()}
    )
