"""Finds our TensorRT plugin, the library that `make plugin` builds, and the models that need it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ModelError
from ..model.shipped import TWIN_SUFFIX, contract_of, model_bytes

__all__ = [
    "ENVIRONMENT",
    "LIBRARY",
    "find_plugin",
    "form_without_plugin",
    "needs_plugin",
    "required_plugin",
]

LIBRARY = "libhaze_deform_conv2d.so"
_BUILT = Path("build") / "plugin" / LIBRARY
"""The place in the checkout where `make plugin` puts it."""
ENVIRONMENT = "DEHAZE_PLUGIN"
"""The library's absolute path, where it is not in `build/plugin` of the installed checkout."""

_OPERATOR = b"HazeDeformConv2d"
"""The operator's name as it stands in an ONNX file."""


def needs_plugin(model: Path) -> bool:
    """Returns whether an ONNX file has the plugin's node; raises ModelError if unreadable."""
    return _OPERATOR in model_bytes(model)


def find_plugin() -> Path | None:
    """The library that the environment names or that was built in the installed checkout, or None.

    A library is code, so none is taken from the working folder, which may be a stranger's.

    Raises:
        ModelError: the environment names a file that is none, or one of the working folder.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        if not Path(named).is_absolute():
            raise ModelError(f"{ENVIRONMENT}: expected an absolute path, got {named}")
        if not Path(named).is_file():
            raise ModelError(f"{ENVIRONMENT}: expected the plugin library, got no file {named}")
        return Path(named)
    built = Path(__file__).parents[2] / _BUILT
    return built if built.is_file() else None


def required_plugin(model: Path) -> Path:
    """The library for a model or engine that cannot do without; raises ModelError without one."""
    found = find_plugin()
    if found is not None:
        return found
    remedy = f"build it with `make plugin`, or name it in {ENVIRONMENT}"
    if _BUILT.is_file():
        remedy = (
            f"none is taken from the working folder by itself: `--plugin {_BUILT}` loads this one"
        )
    raise ModelError(f"{model}: expected its plugin library {LIBRARY}, got none; {remedy}")


def form_without_plugin(model: Path) -> Path:
    """The file beside a model with the same weights and no plugin's node.

    Raises:
        ModelError: there is none.
    """
    twin = model.with_stem(model.stem + TWIN_SUFFIX)
    contract = contract_of(model)
    if twin.is_file() and contract_of(twin).source_sha256 == contract.source_sha256:
        return twin
    precision = "" if contract.precision == "fp32" else f"--{contract.precision} "
    raise ModelError(
        f"{model}: TensorRT-RTX takes no plugins, and the model has the node {_OPERATOR.decode()}; "
        f"expected {twin.name} beside it, got none; make it with "
        f"`dehaze-export {precision}--target tensorrt --deform gridsample`"
    )
