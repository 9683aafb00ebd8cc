"""Reads the imports of the code and prints how its modules and folders depend on one another.

    python tests/architecture.py [CHECKOUT]  # this checkout by default

An import counts wherever it stands: at the top, inside a function, or for the type checker alone.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("runtime", "train", "export", "benchmarks")


@dataclass(frozen=True)
class Import:
    """An imported module, by its full name."""

    module: str
    names: tuple[str, ...]
    """The names that are imported from the module; empty for `import module`."""


def imports_of(path: Path, package: str) -> Iterator[Import]:
    """The imports of a file that lies in `package`, such as `dehaze.runtime.media`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = [*(above if node.level else []), *([node.module] if node.module else [])]
            yield Import(".".join(parts), tuple(alias.name for alias in node.names))


@dataclass(frozen=True)
class Code:
    """The modules of a checkout and the arrows between them."""

    files: Mapping[str, Path]
    """Module to its file, e.g. `dehaze.runtime.media.pictures`."""
    arrows: frozenset[tuple[str, str]]
    """(importing module, imported module), both of them ours."""

    def within(self, package: str) -> frozenset[tuple[str, str]]:
        """The arrows that begin and end in a package, e.g. `runtime`."""
        return frozenset(
            (a, b) for a, b in self.arrows if package_of(a) == package == package_of(b)
        )


def read_code(root: Path = ROOT) -> Code:
    files = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(("dehaze", *(part for part in parts if part != "__init__")))] = path
    arrows = set()
    for name, path in files.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for found in imports_of(path, package):
            inner = {f"{found.module}.{taken}" for taken in found.names}
            targets = {module for module in inner if module in files}
            if len(targets) < max(len(inner), 1):
                targets.add(found.module)
            arrows |= {(name, target) for target in targets if target in files and target != name}
    return Code(files, frozenset(arrows))


def package_of(module: str) -> str:
    """`dehaze.runtime.media.pictures` gives `runtime`."""
    return module.split(".")[1]


def room_of(module: str) -> str:
    """The room that a module lies in, or the module itself where it lies outside of any.

    `dehaze.runtime.media.pictures` gives `media`, `dehaze.runtime.cli` gives `cli`.
    """
    return [*module.split("."), "__init__"][2]


def between_rooms(arrows: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    rooms = {(room_of(a), room_of(b)) for a, b in arrows}
    return frozenset((a, b) for a, b in rooms if a != b)


def circles(arrows: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of nodes that reach each other."""
    reached = _reached(arrows)
    groups = {
        frozenset(b for b in reached[a] if a in reached[b]) | {a} for a in reached if reached[a]
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def layers(arrows: Iterable[tuple[str, str]]) -> int:
    """The number of nodes on the longest chain of arrows; a circle counts as one of them."""
    arrows = set(arrows)
    groups = {name: " ".join(group) for group in circles(arrows) for name in group}
    below: dict[str, set[str]] = {}
    for a, b in arrows:
        a, b = groups.get(a, a), groups.get(b, b)
        below.setdefault(a, set()).update({b} - {a})
    heights: dict[str, int] = {}

    def height(node: str) -> int:
        if node not in heights:
            heights[node] = 1 + max((height(other) for other in below.get(node, ())), default=0)
        return heights[node]

    return max((height(node) for node in below), default=1)


def _reached(arrows: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The nodes that can be reached from each node."""
    direct: dict[str, set[str]] = {}
    for a, b in arrows:
        direct.setdefault(a, set()).add(b)
        direct.setdefault(b, set())
    reached: dict[str, set[str]] = {}
    for start in direct:
        seen, waiting = set(), [start]
        while waiting:
            for node in direct[waiting.pop()] - seen:
                seen.add(node)
                waiting.append(node)
        reached[start] = seen
    return reached


def files_per_folder(code: Code, root: Path = ROOT) -> Counter[str]:
    return Counter(str(path.parent.relative_to(root)) for path in code.files.values())


def print_tables(root: Path) -> None:
    code = read_code(root)
    folders = files_per_folder(code, root)
    print("| package | files | folders | most in one | layers | arrows | between rooms | circles |")
    print("|---|---|---|---|---|---|---|---|")
    for package in PACKAGES:
        arrows = code.within(package)
        own = [count for name, count in folders.items() if name.split("/")[0] == package]
        cells = [package, sum(own), len(own), max(own), layers(arrows), len(arrows)]
        cells += [len(between_rooms(arrows)), len(circles(arrows))]
        print("| " + " | ".join(map(str, cells)) + " |")
    for package in PACKAGES:
        arrows = code.within(package)
        rooms = between_rooms(arrows)
        own = [name for name in sorted(folders) if name.split("/")[0] == package]
        print(f"\n{package}: " + ", ".join(f"{name} {folders[name]}" for name in own))
        for room in sorted({room for room, _ in rooms}):
            print(f"  {room} -> " + ", ".join(sorted(b for a, b in rooms if a == room)))
        for circle in circles(arrows) + circles(rooms):
            print("  circle:", ", ".join(circle))


if __name__ == "__main__":
    print_tables(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
