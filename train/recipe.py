"""Reads a recipe from a TOML file: everything about a training but the data and the machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dehaze.runtime.decoding import WrongValueError, decode
from dehaze.runtime.errors import UsageError

from .data.haze import Haze

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]  # of Python 3.10 only

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Losses:
    """The weights of the losses; those of weight 0 are not computed."""

    image: Literal["l1", "mse", "log-mse"] = "l1"
    transmission: float = 0.0
    """L1 on the transmission, of networks that estimate it."""
    affinity: float = 0.0
    """RFD's Feature Affinity Module; needs a guide."""
    contrast: float = 0.0
    """AECR-Net's contrastive regularisation; needs VGG19 or a dehazing teacher."""
    teacher_image: float = 0.0
    """L1 to the dehazing teacher's result."""
    teacher_features: float = 0.0
    """L1 to the dehazing teacher's last features, through a trained 1x1 convolution."""


@dataclass(frozen=True)
class Recipe:
    """A recipe; its defaults are in the dataclass, so a file only says what it changes."""

    network: str
    steps: int
    """Number of steps, unless the command line says otherwise."""
    scale: int = 1
    """Pixels of the files per training pixel, along each axis; `edge` sees thumbnails of 1/4."""
    super_resolution: bool = False
    """True to learn doubling clear pictures, as the guide of RFD does, in place of dehazing."""
    batch: int = 16
    """Samples over all processes."""
    crops: tuple[tuple[float, int], ...] = ((0.0, 240),)
    """(from this share of the run on, side in training pixels)."""
    rotate: bool = False
    half_share: float = 0.0
    """Share of batches that are seen at half the size, as a picture taken from farther away."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon trains the kernels by Muon and everything else by AdamW."""
    learning_rate: float = 1e-4
    """The learning rate of AdamW."""
    muon_learning_rate: float = 0.02
    adam_betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    weight_decay: float = 0.0
    gradient_norm: float = 1.0
    average_decay: float = 0.999
    """Decay of the moving average of the weights; 0 keeps the last weights."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 on a GPU, float32 on a CPU, where bfloat16 pays only with AVX-512 or AMX."""
    quantised: bool = False
    """True to learn for INT8: convolutions round as they will after the export."""
    validate_every: int = 1000
    """Steps between scores, log lines and checkpoints."""
    validation_pictures: int = 100
    """Number of pictures to score of each kind, at most."""
    losses: Losses = field(default_factory=Losses)
    mixture: dict[str, Haze] = field(default_factory=lambda: {"rooms": Haze()})
    """The parts of a batch: kinds of pictures and their haze, under names of your own."""

    def __post_init__(self) -> None:
        """Raises UsageError where a run of this recipe could not begin."""
        for name in ("steps", "scale", "batch", "validate_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if not any(start <= 0 for start, _ in self.crops):
            raise UsageError(f"crops: expected one from 0 on, as in [[0, 80]], got {self.crops}")

    def crop(self, elapsed: float) -> int:
        """The side of the crops when this share of the run is over."""
        return max((start, side) for start, side in self.crops if start <= elapsed)[1]


def load_recipe(name: str, changes: list[str]) -> Recipe:
    """A recipe by the name of a shipped one or by its path, with `KEY=VALUE` changes.

    Raises:
        UsageError: no such recipe, key or value.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise UsageError(f"no recipe {name!r}; there are {shipped}, or give a path of a .toml file")
    table = _parsed(path.read_text("utf-8"), str(path))
    for change in changes:
        _merge(table, _parsed(_quoted(change), f"--set {change}"))
    try:
        recipe: Recipe = decode(table, Recipe, strict=True)
    except WrongValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return recipe


def _quoted(change: str) -> str:
    """`a.b=word` as TOML, where a word would need quotes."""
    key, _, value = change.partition("=")
    try:
        tomllib.loads(f"x = {value}")
    except tomllib.TOMLDecodeError:
        return f'{key} = "{value}"' if value else change
    return change


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: expected KEY = VALUE as in TOML; {error}") from error


def _merge(table: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _merge(table[key], value)
        else:
            table[key] = value
