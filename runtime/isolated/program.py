"""The command that starts another Python with a module of ours."""

from __future__ import annotations

import sys

__all__ = ["python_program"]


def python_program(module: str, function: str = "main") -> list[str]:
    """The beginning of a command that calls a function of a module, which finds what follows in
    `sys.argv`; what it returns is the exit code.

    Not `python -m`, which looks for modules in the working folder first: a stranger's `av.py` that
    lies there would be run.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import {function}; "
    return [sys.executable, "-c", f"{code}sys.exit({function}())"]
