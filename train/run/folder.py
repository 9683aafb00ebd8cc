"""Writes and reads the folder of a run, so that a stopped run can go on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dehaze.runtime.errors import UsageError
from dehaze.runtime.output_file import finished_output

from ..recipe import Recipe
from .checkpoint import load_state, save_network, save_state

MAY_CHANGE = {"steps", "validate_every", "validation_pictures"}
"""The keys of a recipe that may change when a run is resumed."""


class RunFolder:
    """`NETWORK.safetensors`, `NETWORK.state.safetensors`, `log.csv` and `samples.jpg`."""

    def __init__(self, path: Path, recipe: Recipe, origins: Mapping[str, Any]) -> None:
        self.path = path
        self._name = recipe.network
        self._state = path / f"{recipe.network}.state.safetensors"
        # Through JSON, as it comes back from a checkpoint: lists, not tuples.
        self._identity = json.loads(json.dumps({"recipe": asdict(recipe), "origins": origins}))

    def resume(
        self, parts: Mapping[str, nn.Module | None], optimizers: Sequence[torch.optim.Optimizer]
    ) -> tuple[int, float]:
        """Restores the last state; returns its step and seconds of training, 0 if there is none.

        Raises:
            UsageError: it is the state of another recipe, other data or other teachers.
            ModelError: it is damaged.
        """
        if not self._state.exists():
            return 0, 0.0
        progress = load_state(self._state, parts, optimizers)
        self._require_same(progress)
        self._forget_rows_after(progress["step"])
        return progress["step"], progress["seconds"]

    def save(
        self,
        parts: Mapping[str, nn.Module | None],
        optimizers: Sequence[torch.optim.Optimizer],
        step: int,
        seconds: float,
    ) -> None:
        """Writes the state to resume from."""
        progress = {"step": step, "seconds": seconds, **self._identity}
        save_state(self._state, parts, optimizers, progress)

    def save_network(self, average: nn.Module, provenance: Mapping[str, Any]) -> None:
        """Writes the averaged weights, with their recipe, where they come from and `provenance`."""
        path = self.path / f"{self._name}.safetensors"
        save_network(path, self._name, average, {**self._identity, **provenance})

    def log(self, row: Mapping[str, Any]) -> None:
        """Adds a row to the log."""
        path = self.path / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _require_same(self, progress: Mapping[str, Any]) -> None:
        for kind, now in self._identity.items():
            before = progress.get(kind, {})
            for key in sorted(now.keys() - MAY_CHANGE):
                if before.get(key) != now[key]:
                    raise UsageError(
                        f"{self.path} was begun with {key} = {before.get(key)}, this run has "
                        f"{now[key]}; give another --out, or the same command"
                    )

    def _forget_rows_after(self, step: int) -> None:
        """Removes the rows of steps that a killed run will make again."""
        path = self.path / "log.csv"
        if not path.exists():
            return
        header, *rows = path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if int(row.partition(",")[0]) <= step]
        if len(kept) < len(rows):
            with finished_output(path, overwrite=True) as unfinished:
                unfinished.write_text(header + "".join(kept))
