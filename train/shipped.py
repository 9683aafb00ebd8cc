"""The checkpoints that ship inside this package, found without torch."""

from __future__ import annotations

from pathlib import Path

from dehaze.runtime.errors import UsageError

__all__ = ["WEIGHTS", "shipped_or_path"]

WEIGHTS = Path(__file__).parent / "weights"
"""The folder of the weights that come with the package."""


def shipped_or_path(name: str) -> Path:
    """The checkpoint behind the name of shipped weights, or behind a path.

    Raises:
        UsageError: there is neither such a name nor such a file.
    """
    shipped = WEIGHTS / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    if Path(name).is_file():
        return Path(name)
    names = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
    raise UsageError(
        f"{name!r} is neither a checkpoint nor a network with shipped weights ({names}); "
        f"give the path of a dehaze-train checkpoint"
    )
