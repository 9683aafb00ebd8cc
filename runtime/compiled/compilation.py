"""Compiles a function over arrays to machine code. Importing this imports numba."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from . import machine_code
from .inlining import inlined
from .kinds import Kind

__all__ = ["object_code"]


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

_OPTIONS = {"fastmath": {"nnan", "nsz"}, "error_model": "numpy"}
"""A minimum need not care for NaN, and a division by zero raises nothing. Multiplications and
additions are not fused, so that NumPy gives the same pixels."""
_UNWRAPPED = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Nothing but compiled code calls these: without entries for Python a tenth less is compiled."""


def object_code(function: Callable[..., None], kinds: tuple[Kind, ...]) -> bytes:
    """The machine code of `function`, which takes an array as its address and its shape."""
    types: list[Any] = []
    for number, dimensions in kinds:
        kind = numba.from_dtype(number)
        types += [numba.types.CPointer(kind)] if dimensions else [kind]
        types += [numba.types.int64] * dimensions
    with _quiet():
        made = numba.cfunc(numba.types.void(*types), **_OPTIONS)(_of_addresses(function, kinds))
        return machine_code.object_of(made.inspect_llvm(), made.native_name)


def _of_addresses(function: Callable[..., None], kinds: tuple[Kind, ...]) -> Any:
    """A function of addresses and shapes that calls the one of arrays."""
    parameters, arguments = [], []
    for index, (_, dimensions) in enumerate(kinds):
        name = f"a{index}"
        sizes = [f"{name}_{axis}" for axis in range(dimensions)]
        parameters += [name, *sizes]
        arguments.append(f"array({name}, ({', '.join(sizes)},))" if dimensions else name)
    source = f"def call({', '.join(parameters)}):\n    function({', '.join(arguments)})\n"
    names: dict[str, Any] = {"array": numba.carray, "function": _for_numba(function)}
    exec(source, names)  # numba takes no function of any number of arguments
    return names["call"]


def _for_numba(function: Callable[..., Any]) -> Any:
    """The function, with the inlined ones that it calls, as numba's."""
    assert isinstance(function, FunctionType)
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        if isinstance(called := scope.get(name), inlined):
            scope[name] = _for_numba(called.function)
    return numba.njit(
        FunctionType(function.__code__, scope, function.__name__), **_OPTIONS, **_UNWRAPPED
    )
