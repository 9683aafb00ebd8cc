"""Asks the real TensorRT bindings for every name that our sources use; run once per version.

    LD_LIBRARY_PATH=STUBS PYTHONPATH=BINDINGS python check_names.py SOURCE.py ...

A small type inference over our syntax trees. What a variable holds is read from its annotation
or from what it is assigned; what the bindings' functions take and return is read from their
docstrings, which pybind11 writes from the C++ signatures. Nothing of TensorRT is called.

`getattr(x, "NAME", default)` marks a name that may be absent. Prints JSON: `version`, `checked`
(names found), `problems` (lines), `detected` (whether each marked name exists).
"""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bindings import bindings
from kinds import (
    PLAIN,
    Class,
    Function,
    Instance,
    Kind,
    Module,
    Unclear,
    join,
    kind_of,
    kind_returned,
)
from signatures import Signature, signatures


@dataclass
class Report:
    version: str = bindings.__version__
    checked: int = 0
    problems: list[str] = field(default_factory=list)
    detected: dict[str, bool] = field(default_factory=dict)


class SourceCheck:
    """Checks one source file."""

    def __init__(self, path: Path, report: Report, functions: dict[str, ast.expr | None]) -> None:
        self.path, self.report, self.functions = path, report, functions
        self.scope: dict[str, Kind] = {}

    def problem(self, node: ast.AST, words: str) -> Kind:
        self.report.problems.append(f"{self.path.name}:{node.lineno}: {words}")
        return Unclear()

    # Statements

    def run(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def visit(self, node: ast.AST) -> None:
        handler = getattr(self, f"visit_{type(node).__name__}", None)
        if handler is not None:
            handler(node)
        elif isinstance(node, ast.expr):
            self.infer(node)
        else:
            for child in ast.iter_child_nodes(node):
                self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name == "tensorrt":
                self.scope[alias.asname or alias.name] = Module()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "tensorrt":
            self.problem(node, "import the module tensorrt, so that its names can be followed")
        if node.module == "library":  # of ours; its `trt` is the module
            self.scope |= {a.asname or a.name: Module() for a in node.names if a.name == "trt"}

    def visit_FunctionDef(self, node: ast.FunctionDef, owner: Kind = PLAIN) -> None:
        outer, self.scope = self.scope, dict(self.scope)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for argument in arguments:
            self.scope[argument.arg] = self.annotated(argument.annotation)
        if owner is not PLAIN and arguments:
            self.scope[arguments[0].arg] = owner
        self.annotated(node.returns)
        self.run(node.body)
        self.scope = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [base.of for base in map(self.infer, node.bases) if isinstance(base, Class)]
        owner: Kind = PLAIN
        if bases:
            own = {f.name for f in node.body if isinstance(f, ast.FunctionDef)}
            own |= {n.attr for n in ast.walk(node) if _is_own_field(n)}
            owner = Instance(bases[0], frozenset(own))
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                self.visit_FunctionDef(statement, owner)
            else:
                self.visit(statement)

    def visit_Assign(self, node: ast.Assign) -> None:
        kind = self.infer(node.value)
        for target in node.targets:
            self.bind(target, kind)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.infer(node.value)
        self.bind(node.target, self.annotated(node.annotation))

    def visit_For(self, node: ast.For) -> None:
        self.bind(node.target, self.element(node.iter))
        self.run([*node.body, *node.orelse])

    def visit_withitem(self, node: ast.withitem) -> None:
        kind = self.infer(node.context_expr)
        if node.optional_vars is not None:
            self.bind(node.optional_vars, kind)

    def bind(self, target: ast.expr, kind: Kind) -> None:
        if isinstance(target, ast.Name):
            self.scope[target.id] = kind
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self.bind(part, PLAIN if kind is PLAIN else Unclear())
        else:
            self.infer(target)

    def annotated(self, node: ast.expr | None) -> Kind:
        if isinstance(node, ast.BinOp):  # X | None
            return join([self.annotated(node.left), self.annotated(node.right)])
        if isinstance(node, ast.Name) and node.id == "Any":
            return self.problem(node, "annotate with TensorRT's own class, Any hides it")
        kind = self.infer(node) if node is not None else PLAIN
        return Instance(kind.of) if isinstance(kind, Class) else kind

    # Expressions

    def infer(self, node: ast.AST) -> Kind:
        """The kind of an expression; every name in it is checked on the way."""
        if isinstance(node, ast.Name):
            return self.scope.get(node.id, PLAIN)
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.NamedExpr):
            kind = self.infer(node.value)
            self.bind(node.target, kind)
            return kind
        if isinstance(node, ast.IfExp):
            self.infer(node.test)
            return join([self.infer(node.body), self.infer(node.orelse)])
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            for loop in node.generators:
                self.bind(loop.target, self.element(loop.iter))
                for condition in loop.ifs:
                    self.infer(condition)
            parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            return Unclear() if join([self.infer(part) for part in parts]) else PLAIN
        inner = join([self.infer(child) for child in ast.iter_child_nodes(node)])
        holds = isinstance(node, ast.Subscript | ast.Tuple | ast.List | ast.Set | ast.Dict)
        passes = isinstance(node, ast.BoolOp | ast.Starred | ast.Lambda)
        return inner if passes else Unclear() if holds and inner else PLAIN

    def element(self, iterable: ast.expr) -> Kind:
        return PLAIN if self.infer(iterable) is PLAIN else Unclear()

    def attribute(self, node: ast.Attribute) -> Kind:
        owner = self.infer(node.value)
        if owner is PLAIN or (isinstance(owner, Instance) and node.attr in owner.own):
            return PLAIN
        source = ast.unparse(node)
        if isinstance(owner, Unclear | Function):
            return self.problem(node, f"{source}: annotate what holds it with TensorRT's class")
        found = bindings if isinstance(owner, Module) else owner.of
        if not hasattr(found, node.attr):
            return self.problem(node, f"{source}: {found.__name__} has no {node.attr!r}")
        value = getattr(found, node.attr)
        if isinstance(node.ctx, ast.Store) and getattr(value, "fset", None) is None:
            return self.problem(node, f"{source}: cannot be set")
        self.report.checked += 1
        return kind_of(value)

    def call(self, node: ast.Call) -> Kind:
        given = [self.infer(argument) for argument in node.args]
        named = {keyword.arg: self.infer(keyword.value) for keyword in node.keywords}
        if isinstance(node.func, ast.Name):
            if node.func.id in ("getattr", "hasattr") and given and given[0] is not PLAIN:
                return self.detect(node, given[0])
            if node.func.id in self.functions:
                return self.annotated(self.functions[node.func.id])
        function = self.infer(node.func)
        if isinstance(function, Class):
            self.arguments(node, signatures(function.of.__init__.__doc__, bound=True), given, named)
            return Instance(function.of)
        if isinstance(function, Function):
            fits = self.arguments(node, function.signatures, given, named)
            return kind_returned(fits or function.signatures)
        if isinstance(function, Instance | Module):
            return self.problem(node, f"{ast.unparse(node.func)} is not a function")
        return function

    def arguments(
        self,
        node: ast.Call,
        options: tuple[Signature, ...],
        given: list[Kind],
        named: dict[str | None, Kind],
    ) -> tuple[Signature, ...]:
        """The signatures that take these arguments, by number, name and TensorRT class."""
        if any(isinstance(argument, ast.Starred) for argument in node.args) or None in named:
            return options
        classes = [kind.of if isinstance(kind, Instance) else None for kind in given]
        by_name = {n: k.of if isinstance(k, Instance) else None for n, k in named.items()}
        fits = tuple(o for o in options if o.takes(classes, by_name, bindings))
        if options and not fits:
            self.problem(node, f"{ast.unparse(node)}: expected {' or '.join(map(str, options))}")
        return fits

    def detect(self, node: ast.Call, owner: Kind) -> Kind:
        """A name that may be absent: recorded, and checked to exist in some version."""
        name = node.args[1]
        if not isinstance(name, ast.Constant) or not isinstance(owner, Class | Instance | Module):
            return self.problem(node, f"{ast.unparse(node)}: detect a literal name of a class")
        found = bindings if isinstance(owner, Module) else owner.of
        exists = hasattr(found, name.value)
        self.report.detected[f"{found.__name__}.{name.value}"] = exists
        return kind_of(getattr(found, name.value)) if exists else Unclear()


def _is_own_field(node: ast.AST) -> bool:
    """Returns whether `node` sets a field: `self.NAME = ...`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def main(paths: list[Path]) -> None:
    trees = {path: ast.parse(path.read_text()) for path in paths}
    functions = {
        statement.name: statement.returns
        for tree in trees.values()
        for statement in tree.body
        if isinstance(statement, ast.FunctionDef)
    }
    report = Report()
    for path, tree in trees.items():
        SourceCheck(path, report, functions).run(tree.body)
    print(json.dumps(vars(report)))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
