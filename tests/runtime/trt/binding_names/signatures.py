"""The signatures that pybind11 writes into the docstrings of C++ functions.

set_flag(self: tensorrt_bindings.tensorrt.IBuilderConfig, flag: ...BuilderFlag) -> None
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import ModuleType

_LINE = re.compile(r"^(?:\d+\. )?\w*\((?P<parameters>.*)\) -> (?P<returns>.+)$", re.MULTILINE)
_MODULE = r"tensorrt(?:_lean|_rtx)?_bindings\.tensorrt(?:_lean|_rtx)?"
_CLASS = re.compile(rf"(?:Optional\[)?{_MODULE}\.([\w.]+?)\]?(?: \| None)?")
_PLAIN = re.compile(r"(?:[Ll]ist\[)?(?:int|str|bool|float|bytes|None)\]?(?: \| None)?")


@dataclass(frozen=True)
class Signature:
    parameters: tuple[tuple[str, str, bool], ...]
    """Name, type and whether it may be left out."""
    returns: str

    def takes(
        self,
        given: list[type | None],
        named: dict[str | None, type | None],
        module: ModuleType,
    ) -> bool:
        """Returns whether a call fits; an argument is its TensorRT class, None for any other."""
        by_name = dict(zip((name for name, _, _ in self.parameters), given, strict=False))
        if len(given) > len(self.parameters) or by_name.keys() & named.keys():
            return False
        by_name |= named
        required = {name for name, _, optional in self.parameters if not optional}
        if not required <= by_name.keys() <= {name for name, _, _ in self.parameters}:
            return False
        classes = {name: class_named(text, module) for name, text, _ in self.parameters}
        return all(
            argument is None or classes[name] is None or issubclass(argument, classes[name])
            for name, argument in by_name.items()
        )

    def __str__(self) -> str:
        parts = (f"{n}: {t}{' (optional)' if o else ''}" for n, t, o in self.parameters)
        return f"({', '.join(parts)})"


def signatures(docstring: str | None, *, bound: bool) -> tuple[Signature, ...]:
    """The overloads that a docstring lists; `bound` leaves out the first parameter."""
    found = []
    for match in _LINE.finditer(docstring or ""):
        parameters = [_parameter(text) for text in _split(match["parameters"])]
        if not match["parameters"].startswith("*args"):
            found.append(Signature(tuple(parameters[bound:]), match["returns"].strip()))
    return tuple(found)


def class_named(text: str, module: ModuleType) -> type | None:
    """The TensorRT class that a type in a docstring names, if it is one."""
    match = _CLASS.fullmatch(text)
    value: object = module if match else None
    for name in match[1].split(".") if match else ():
        value = getattr(value, name)
    return value if isinstance(value, type) else None


def returned_class(options: tuple[Signature, ...], module: ModuleType) -> type | None:
    """The one class that all return; None for Python's own; raises LookupError for neither."""
    classes = {class_named(option.returns, module) for option in options}
    if classes == {None} and all(_PLAIN.fullmatch(option.returns) for option in options):
        return None
    if None in classes or len(classes) != 1:
        raise LookupError(str({option.returns for option in options}))
    return classes.pop()


def _parameter(text: str) -> tuple[str, str, bool]:
    name, _, rest = text.partition(": ")
    kind, default, _ = rest.partition(" = ")
    return name.strip(), kind.strip(), bool(default)


def _split(text: str) -> list[str]:
    """Splits a text at the commas outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{<") - (character in ")]}>")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]
