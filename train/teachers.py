"""Loads the frozen networks that a run's losses need."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dehaze.runtime.errors import UsageError

from .networks.network import Network
from .networks.sr_teacher import SrTeacher
from .networks.vgg19 import vgg19_from_file
from .objective import Teachers
from .recipe import Losses, Recipe
from .run.checkpoint import load_network
from .shipped import shipped_or_path


def load_teachers(
    recipe: Recipe, guide: str | None, teacher: str | None, vgg: Path | None
) -> tuple[Teachers, dict[str, str]]:
    """Loads what the options of dehaze-train name.

    Args:
        guide: the super-resolution teacher; a checkpoint or the name of shipped weights.
        teacher: the dehazing teacher; the same.
        vgg: torchvision's VGG19.

    Returns:
        The networks, and which files they came from.

    Raises:
        UsageError: a network that no loss of the recipe uses, or of the wrong kind; or a dehazing
            teacher of another scale.
        ModelError: a file that is no checkpoint of ours, or no VGG19.
    """
    _require_use(recipe.losses, guide, teacher, vgg)
    origins: dict[str, str] = {}
    if guide:
        origins["guide"] = described(shipped_or_path(guide))
    if teacher:
        origins["teacher"] = described(shipped_or_path(teacher))
    teachers = Teachers(
        guide=_guide(guide) if guide else None,
        teacher=_teacher(teacher, recipe) if teacher else None,
        space=vgg19_from_file(vgg) if vgg else None,
    )
    if vgg:
        origins["vgg"] = described(vgg)
    return teachers, origins


def first_weights(recipe: Recipe, weights: str) -> tuple[Network, str]:
    """The network to start from, and which file it came from.

    Raises:
        UsageError: the weights are of another network than the recipe's.
        ModelError: the file is no checkpoint of ours.
    """
    path = shipped_or_path(weights)
    network, metadata = load_network(path)
    if metadata["network"] != recipe.network:
        raise UsageError(
            f"--init {weights}: expected weights of {recipe.network}, got {metadata['network']}"
        )
    return network, f"{described(path)}, {metadata.get('step')} steps"


def described(path: Path) -> str:
    """The name of a file and the hash of its content."""
    return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _require_use(losses: Losses, guide: str | None, teacher: str | None, vgg: Path | None) -> None:
    teaches = losses.teacher_image or losses.teacher_features or (losses.contrast and not vgg)
    for given, used, option, change in (
        (guide, losses.affinity, "--guide", "losses.affinity=0.25"),
        (teacher, teaches, "--teacher", "losses.teacher_image=1"),
        (vgg, losses.contrast, "--vgg", "losses.contrast=0.1"),
    ):
        if given and not used:
            raise UsageError(f"no loss of this run uses {option}; add --set {change}, for example")


def _guide(weights: str) -> Network:
    network, metadata = load_network(shipped_or_path(weights))
    if not isinstance(network, SrTeacher):
        raise UsageError(
            f"--guide {weights}: expected a super-resolution teacher (sr-teacher), "
            f"got {metadata['network']}"
        )
    return network


def _teacher(weights: str, recipe: Recipe) -> Network:
    network, metadata = load_network(shipped_or_path(weights))
    if isinstance(network, SrTeacher):
        raise UsageError(f"--teacher {weights}: expected a dehazing network, got sr-teacher")
    scale = _scale(metadata)
    if scale != recipe.scale:
        raise UsageError(
            f"--teacher {weights}: it was trained at 1/{scale} of the files' size, this recipe is "
            f"at 1/{recipe.scale}; --set scale={scale}, or another teacher"
        )
    return network


def _scale(metadata: dict[str, Any]) -> int:
    """Pixels per training pixel; the first weights of `edge` do not say theirs."""
    scale: int = metadata.get("recipe", {}).get("scale", 4 if metadata["network"] == "edge" else 1)
    return scale
