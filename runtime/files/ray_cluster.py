"""Joins a cluster of Ray, which is an optional package, without Ray's own lines on the screen."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import DehazeError, UsageError, one_line

__all__ = ["ray_cluster"]

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's own lines would break the progress bar and, on standard output, the JSON.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Environment variables of Ray; those already set stay."""
_LOCAL_SETTINGS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Lets Ray listen on 127.0.0.1 alone: whoever reaches its ports may run code. The variable has no
other effect on Linux; `ray.init` turns the address 127.0.0.1 into that of the network card."""
_REACH_SECONDS = 5.0
"""Seconds to try an address; Ray itself tries a wrong one for two minutes."""
_STORE_BYTES = 2**27
"""Bytes of shared memory for `local`: only the model and a few lines a file travel through it."""


@contextmanager
def ray_cluster(address: str, threads: int) -> Iterator[Any]:
    """Joins or starts a cluster, leaves it at the end; yields the module `ray`.

    Args:
        address: `local` for this machine's cores, `auto` for the cluster this machine belongs to,
            `HOST:PORT` or `ray://HOST:PORT` for another.
        threads: the cores that one machine must have.

    Raises:
        DehazeError: no Ray, or no such cluster.
        UsageError: no machine in the cluster has `threads` cores.
    """
    settings = _SETTINGS | (_LOCAL_SETTINGS if address == "local" else {})
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise DehazeError(
            f"--ray needs Ray ({one_line(error)}); pip install 'dehaze-edge[ray]'"
        ) from error
    _check_reachable(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, ImportError, OSError) as error:
        raise DehazeError(
            f"no Ray cluster at {address!r} ({one_line(error)[:200]}); start one with "
            f"`ray start --head`, or use --ray local"
        ) from error
    try:
        _check_room(ray, threads)
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises DehazeError where nobody listens at HOST:PORT."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdecimal():
        return  # local, auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise DehazeError(
            f"no Ray cluster at {address!r} ({one_line(error)}); start one with "
            f"`ray start --head`, or use --ray local"
        ) from error


def _check_room(ray: Any, threads: int) -> None:
    """Raises UsageError where no machine is large enough, for which Ray would wait for ever."""
    largest = max(
        (node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0
    )
    if largest < threads:
        raise UsageError(
            f"expected a machine with {threads} cores in the cluster, the largest has "
            f"{largest:g}; use --threads {max(1, int(largest))}"
        )
