"""Runs a command of dehaze-edge and turns an error into one line and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable

from .errors import DehazeError, UsageError, masked, one_line

__all__ = ["positive_float", "positive_int", "printable", "run_command"]

INTERRUPTED = 130
"""The shell's own exit code for Ctrl-C."""


def positive_int(text: str) -> int:
    """An argument's type: a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text}")
    return int(text)


def positive_float(text: str) -> float:
    """An argument's type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


def printable(words: object) -> str:
    """One line, whatever the names in it: a line feed becomes \\n, a terminal's command \\x1b.

    Passwords become ***.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in masked(str(words)))


def run_command(name: str, action: Callable[[], None], interrupted: str, *, extra: str = "") -> int:
    """Runs `action`; returns the exit code of the command `name`.

    Args:
        extra: the extra of dehaze-edge with the packages that the command needs.
        interrupted: words to print after Ctrl-C: what is left behind, and how to go on.
    """
    if sys.stdout is None:  # started with it closed, `>&-`
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names need not be valid UTF-8
    try:
        action()
        sys.stdout.flush()
    except BrokenPipeError:  # as in `dehaze-run ... | head`: nobody reads on
        _discard_output()
        return 1
    except OSError as error:  # standard output on a full disk; files have errors of their own
        _discard_output()
        print(f"{name}: {printable(one_line(error))}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"{name}: not enough memory ({printable(one_line(error))})", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if not extra or str(error.name).startswith("dehaze"):  # ours: a fault of the package
            raise
        print(
            f"{name}: {error.name} is not installed, which this needs: "
            f"pip install 'dehaze-edge[{extra}]'",
            file=sys.stderr,
        )
        return UsageError.exit_code
    except DehazeError as error:
        print(f"{name}: {printable(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{name}: stopped; {interrupted}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _discard_output() -> None:
    """Drops unprinted output; otherwise Python would try to print it at its end, and fail again."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
