"""What every command of dehaze-edge does with an error: one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from .errors import DehazeError

__all__ = ["run_command"]

INTERRUPTED = 130
"""The shell's own exit code for Ctrl-C."""


def run_command(name: str, action: Callable[[], None], interrupted: str) -> int:
    """Runs `action`; returns the exit code of the command `name`.

    Args:
        interrupted: what to say after Ctrl-C: what is left behind, and how to go on.
    """
    try:
        action()
    except DehazeError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{name}: stopped; {interrupted}", file=sys.stderr)
        return INTERRUPTED
    return 0
