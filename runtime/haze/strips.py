"""Work on strips of a frame in several threads, and how many of them this process may have."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

__all__ = ["CORES", "in_strips"]


def _cores() -> int:
    """The cores that this process may run on: a container or `taskset` may leave it but some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CORES = _cores()


def in_strips(work: Callable[[int, int], None], length: int, threads: int) -> None:
    """Calls work(first, last) for as many parts of range(length) as there are threads."""
    ends = [length * part // threads for part in range(threads + 1)]
    others = [_pool().submit(work, *ends[part : part + 2]) for part in range(1, threads)]
    work(*ends[:2])
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that wait without spinning; numba's own would need libgomp or TBB."""
    return ThreadPoolExecutor(CORES, thread_name_prefix="pixels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of the threads
