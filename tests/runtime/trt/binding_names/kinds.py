"""The kinds of expressions, as far as TensorRT is concerned."""

from __future__ import annotations

from dataclasses import dataclass

from bindings import bindings
from signatures import Signature, returned_class, signatures


@dataclass(frozen=True)
class Module:
    """TensorRT itself."""


@dataclass(frozen=True)
class Class:
    """A class of TensorRT."""

    of: type


@dataclass(frozen=True)
class Instance:
    """An object of TensorRT; `own` are the names that a subclass of ours adds."""

    of: type
    own: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Function:
    """A function or bound method of TensorRT."""

    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Unclear:
    """Something of TensorRT whose class nobody says."""


PLAIN = None
"""Kind of everything that is not TensorRT's."""
Kind = Module | Class | Instance | Function | Unclear | None


def kind_of(value: object) -> Kind:
    """The kind of an attribute found in the bindings."""
    if isinstance(value, property):
        return kind_returned(signatures(value.fget.__doc__, bound=True))
    if isinstance(value, type):
        return Class(value)
    if callable(value):
        return Function(signatures(value.__doc__, bound="self:" in (value.__doc__ or "")))
    return Instance(type(value)) if "tensorrt" in type(value).__module__ else PLAIN


def kind_returned(options: tuple[Signature, ...]) -> Kind:
    try:
        found = returned_class(options, bindings)
    except LookupError:
        return Unclear()
    return Instance(found) if found else PLAIN


def join(kinds: list[Kind]) -> Kind:
    """The kind of a value that is one of several, or that holds several."""
    kept = {kind for kind in kinds if kind is not PLAIN}
    return kept.pop() if len(kept) == 1 else Unclear() if kept else PLAIN
