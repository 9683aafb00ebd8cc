"""Joins the processes that `torchrun` starts, or a single one; each has its device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dehaze.runtime.errors import UsageError

PATIENCE = timedelta(hours=6)
"""The others wait while the first one validates."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """True for the process that validates, writes and prints."""
        return self.rank == 0

    def largest(self, value: float) -> float:
        """The largest of all processes' values."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
        return tensor.item()

    def require_equal(self, step: int) -> None:
        """Checks that all processes are about to make the same step.

        Raises:
            UsageError: they are not.
        """
        if self.largest(step) != -self.largest(-step):
            raise UsageError(
                "the processes found different states; --out has to be a folder that they share"
            )

    def wait(self) -> None:
        """Waits until all processes are here."""
        if self.count > 1:
            distributed.barrier()

    def joined(self, module: nn.Module) -> nn.Module:
        """`module` with gradients averaged over the processes, and norms on a GPU too."""
        if self.count == 1:
            return module
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return DistributedDataParallel(module)


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    if count == 1:
        yield Processes(0, 1, device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(rank, count, device)
    finally:
        distributed.destroy_process_group()
