"""ONNX Runtime's execution providers that are installed here, and their devices.

cpu             always there
cuda, tensorrt  built into the wheel onnxruntime-gpu; so are coreml, dml and others into theirs
openvino-npu    a device of a plugin: a package such as onnxruntime-ep-openvino, which brings a
                library that ONNX Runtime loads and asks for devices
"""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import ModelError, UsageError, one_line

__all__ = [
    "Provider",
    "import_onnxruntime",
    "installed_providers",
    "provider_named",
    "why_no_plugin",
]

_PLUGIN_PACKAGES = "onnxruntime_ep_"
"""Prefixes of the plugins' modules; each has `get_ep_name` and `get_library_path`."""
_ADVICE = {
    "cuda": "`pip uninstall onnxruntime` and `pip install onnxruntime-gpu`",
    "tensorrt": "`pip uninstall onnxruntime` and `pip install onnxruntime-gpu`",
}
_NOT_FOR_MODELS = ("AzureExecutionProvider",)
"""Runs nothing on this machine."""


class Provider(NamedTuple):
    """Something that ONNX Runtime can run a model on."""

    name: str
    """The name that `--provider` takes: `cpu`, `cuda`, `openvino-npu`."""
    ep_names: tuple[str, ...]
    """ONNX Runtime's names, the one asked for first; what it lacks is left to the next."""
    devices: tuple[Any, ...] = ()
    """ONNX Runtime's OrtEpDevice of a plugin; empty for a provider that is built in."""


_CPU = Provider("cpu", ("CPUExecutionProvider",))


def import_onnxruntime() -> Any:
    """Imports ONNX Runtime, late and with its telemetry off.

    Its wheels collect usage into ~/.cache and hold an address to send it to (seen in 1.31); a
    camera must not do that unasked. Whoever wants it sets ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def installed_providers() -> list[Provider]:
    """The providers that are installed; the CPU first."""
    onnxruntime = import_onnxruntime()
    built_in: list[str] = onnxruntime.get_available_providers()
    found = {"cpu": _CPU}
    for ep_name in built_in:
        if ep_name not in _NOT_FOR_MODELS:
            # TensorRT leaves to CUDA what it lacks, and every one to the CPU.
            rest = ["CUDAExecutionProvider"] if ep_name.startswith("Tensorrt") else []
            names = dict.fromkeys((ep_name, *rest, "CPUExecutionProvider"))
            found[_short(ep_name)] = Provider(_short(ep_name), tuple(names))
    _register_plugins()
    devices: list[Any] = getattr(onnxruntime, "get_ep_devices", list)()
    for device in devices:
        if device.ep_name not in built_in:
            name = f"{_short(device.ep_name)}-{device.device.type.name.lower()}"
            before = found.get(name)
            both = (*(before.devices if before else ()), device)
            found[name] = Provider(name, (device.ep_name, "CPUExecutionProvider"), both)
    return list(found.values())


def provider_named(name: str) -> Provider:
    """The installed provider of this name.

    Raises:
        ModelError: ONNX Runtime has such a provider, but not here.
        UsageError: no such provider.
    """
    if name == "cpu":  # without loading plugins, which takes half a second
        return _CPU
    providers = {provider.name: provider for provider in installed_providers()}
    if name in providers:
        return providers[name]
    there = ", ".join(providers)
    if name in _ADVICE:
        raise ModelError(
            f"expected ONNX Runtime with {name}, got one with {there}; {_ADVICE[name]}, or use "
            f"--provider cpu"
        )
    why = "".join(f"; {line}" for line in why_no_plugin())
    raise UsageError(f"expected a provider that is installed here ({there}), got {name}{why}")


def why_no_plugin() -> list[str]:
    """A line for each plugin that is installed without a device here."""
    failures = _register_plugins()
    onnxruntime = import_onnxruntime()
    found = {device.ep_name for device in getattr(onnxruntime, "get_ep_devices", list)()}
    lines = []
    for package, (ep_name, failure) in failures.items():
        if failure:
            lines.append(f"{package} cannot be loaded ({failure})")
        elif ep_name not in found:
            lines.append(f"{package} is installed and finds no device here")
    return lines


@cache
def _register_plugins() -> dict[str, tuple[str, str]]:
    """Has ONNX Runtime load every plugin, once: package to its provider and what failed."""
    onnxruntime = import_onnxruntime()
    register = getattr(onnxruntime, "register_execution_provider_library", None)
    registered: dict[str, tuple[str, str]] = {}
    for module in pkgutil.iter_modules():
        if register is None or not module.name.startswith(_PLUGIN_PACKAGES):
            continue
        package, ep_name, failure = module.name.replace("_", "-"), "", ""
        try:
            plugin = import_module(module.name)
            ep_name = plugin.get_ep_name()
            register(ep_name, plugin.get_library_path())
        except Exception as error:  # a stranger's package, and ONNX Runtime's own exceptions
            failure = one_line(error)[:160]
        registered[package] = (ep_name, failure)
    return registered


def _short(ep_name: str) -> str:
    return ep_name.removesuffix("ExecutionProvider").lower()
