"""Dehazes many files on several machines: each task of Ray takes a few files.

Ray schedules the tasks and repeats those whose worker or machine is lost; this file says what a
task is. Sources and results are read and written by the workers, so the folders must be shared
between the machines under the same names. The model travels with the tasks: every machine computes
with the same weights, whatever files it has.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import socket
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..dehazer import Dehazer, open_dehazer
from ..errors import DehazeError, one_line
from ..model.shipped import TWIN_SUFFIX, model_path
from ..output_file import remove_leftovers
from .batch import Outcome, run_batch
from .job import RunOptions
from .plan import Job
from .ray_cluster import ray_cluster

__all__ = ["ShippedModel", "run_batch_on_ray"]

_PICTURES_A_TASK = 16
"""Pictures for a task, enough that its start, some milliseconds, does not count."""
_REPEATS = 3
"""Number of times that Ray restarts a task whose worker died."""
_TASKS_A_CORE = 8
"""Number of tasks that wait in Ray's queues for each core, so that it need not hold 100 000."""
_CANCEL_SECONDS = 10.0
"""Seconds that a stopped run gives its workers to remove their unfinished files."""


@dataclass(frozen=True)
class ShippedModel:
    """The content of a model, and the options to open it with."""

    files: tuple[tuple[str, bytes], ...]
    """Names and contents: the model and, where there is one, its twin without DeformConv."""
    threads: int
    strength: float

    @classmethod
    def from_name(cls, model: str, threads: int, strength: float) -> ShippedModel:
        """Reads a shipped model or one by path.

        Raises:
            ModelError: no such model.
        """
        path = model_path(model)
        twin = path.with_stem(path.stem + TWIN_SUFFIX)
        found = [path, twin] if twin.is_file() else [path]
        return cls(tuple((p.name, p.read_bytes()) for p in found), threads, strength)

    @functools.cached_property
    def key(self) -> str:
        """A key that is equal for the same content and options."""
        digest = hashlib.sha256(f"{self.threads} {self.strength}".encode())
        for name, content in self.files:
            digest.update(name.encode() + content)
        return digest.hexdigest()


_dehazers: dict[str, Dehazer] = {}
"""The dehazers of this worker process: its first task opens them, the later ones use them."""


def _dehazer_of(model: ShippedModel) -> Dehazer:
    if model.key not in _dehazers:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in model.files:
                (Path(folder) / name).write_bytes(content)
            path = Path(folder) / model.files[0][0]
            _dehazers[model.key] = open_dehazer(
                path, threads=model.threads, strength=model.strength
            )
    return _dehazers[model.key]


def _dehaze_files(jobs: list[Job], model: ShippedModel, options: RunOptions) -> list[Outcome]:
    """Dehazes the files of a task, in a worker's process."""
    host = socket.gethostname()
    return [
        replace(outcome, error=f"{outcome.error} [on {host}]") if outcome.error else outcome
        for outcome in run_batch(jobs, _dehazer_of(model), options)
    ]


def run_batch_on_ray(
    jobs: list[Job], address: str, model: ShippedModel, options: RunOptions
) -> Generator[Outcome, None, None]:
    """Dehazes on the cluster at `address`; yields the outcome of each file as tasks end.

    A file that fails does not stop the others; nor does one that kills its worker: its neighbours
    are done in tasks of their own.

    Args:
        address: `local` for this machine's cores, `auto` for the cluster this machine belongs to,
            `HOST:PORT` or `ray://HOST:PORT` for another.

    Raises:
        DehazeError: no Ray, no such cluster, or a worker without this package.
        UsageError: no machine in the cluster has `model.threads` cores.
        ModelError: a worker cannot open the model.
    """
    jobs = [Job(Path(os.path.abspath(j.source)), Path(os.path.abspath(j.target))) for j in jobs]  # noqa: PTH100  # keeps links
    with ray_cluster(address, model.threads) as ray:
        task = ray.remote(num_cpus=model.threads, max_retries=_REPEATS)(_dehaze_files)
        start = functools.partial(task.remote, model=ray.put(model), options=options)
        cores = int(ray.cluster_resources().get("CPU", 1))
        parts = _parts(jobs, cores)
        waiting: dict[Any, list[Job]] = {}
        try:
            while True:
                for part in itertools.islice(parts, max(0, _TASKS_A_CORE * cores - len(waiting))):
                    waiting[start(part)] = part
                if not waiting:
                    return
                (ready,), _ = ray.wait(list(waiting), num_returns=1)
                part = waiting.pop(ready)
                try:
                    yield from map(_checked, ray.get(ready))
                except ray.exceptions.RayTaskError as error:  # our own code raised
                    raise _cause(error) from error
                except ray.exceptions.RayError as error:  # the worker died each time
                    if len(part) == 1:
                        yield Outcome(part[0], error=_lost(part[0], error))
                    else:
                        waiting |= {start([job]): [job] for job in part}
        finally:
            _cancel(ray, list(waiting))
            for folder in {job.target.parent for job in jobs}:
                remove_leftovers(folder)  # of workers that died here and last


def _parts(jobs: list[Job], cores: int) -> Iterator[list[Job]]:
    """Videos alone; pictures together, but so that every core gets some of them."""
    pictures = [job for job in jobs if job.is_image]
    yield from ([job] for job in jobs if not job.is_image)
    size = max(1, min(_PICTURES_A_TASK, len(pictures) // (4 * max(cores, 1))))
    for start in range(0, len(pictures), size):
        yield pictures[start : start + size]


def _checked(outcome: Outcome) -> Outcome:
    """Checks that a result of a worker is visible from this machine, too."""
    if outcome.error is not None:
        return outcome
    job = outcome.job
    if not _is_visible(job.target):
        return Outcome(
            job,
            error=f"{job.source}: a worker wrote {job.target}, which is not there on this machine; "
            f"name an output folder that all machines share",
        )
    if outcome.figures is None:  # done by a worker that died before it could say so
        return Outcome(job, figures={"input": str(job.source), "output": str(job.target)})
    return outcome


def _is_visible(path: Path) -> bool:
    """Returns whether a file is there; asks a file server anew where its old answer says no."""
    with suppress(OSError):
        return path.exists() or path.name in os.listdir(path.parent)  # noqa: PTH208  # any name
    return False


def _lost(job: Job, error: Exception) -> str:
    reason = one_line(error)[:120]
    return f"{job.source}: the worker died {_REPEATS + 1} times with this file ({reason})"


def _cause(error: Any) -> DehazeError:
    """Turns the exception that a worker raised into an error of ours."""
    cause = error.cause
    if isinstance(cause, DehazeError):
        return type(cause)(str(cause))
    if isinstance(cause, ImportError):
        return DehazeError(
            f"a worker lacks a package ({one_line(cause)}); install the same dehaze-edge[ray] on "
            f"every machine"
        )
    return DehazeError(f"a worker failed ({type(cause).__name__}: {one_line(cause)[:200]})")


def _cancel(ray: Any, tasks: list[Any]) -> None:
    """Interrupts what still runs, as Ctrl-C does, and waits until it has cleaned up."""
    for task in tasks:
        ray.cancel(task, force=False)
    if tasks:
        ray.wait(tasks, num_returns=len(tasks), timeout=_CANCEL_SECONDS)
