"""What a folder holds, and what of it is for training and what for validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dehaze.runtime.errors import InputError, UsageError

from .pairs import open_pairs
from .recipe import Recipe
from .reside import depth_pairs
from .scenes import (
    INDOOR_SCATTERING,
    Scenes,
    load_frida2,
    load_nyu,
    load_scenes,
    share_of_largest,
)
from .sources import Share, Source
from .validation import (
    Example,
    Validation,
    clear_examples,
    doubling_examples,
    indoor_examples,
    pair_examples,
    road_examples,
)

NYU_HELD_OUT = 50
"""The last scenes of the training half: a sequence of rooms that training never sees."""
FRIDA2_HELD_OUT = 10
OTHERS_HELD_OUT = 0.05
"""Share of the clear scenes of any other data."""


@dataclass
class Data:
    """What is trained on and what is held out, gathered folder by folder."""

    shares: list[Share] = field(default_factory=list)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def hold_out(self, kind: str, examples: list[Example]) -> None:
        """Adds pictures to score; those of a kind from several folders are scored as one."""
        self.examples.setdefault(kind, []).extend(examples)

    def validation(self) -> Validation:
        """All that is held out."""
        return Validation(self.examples)


def open_data(folders: Sequence[str], recipe: Recipe) -> Data:
    """Opens each `FOLDER` or `FOLDER=SHARE` of a batch, whatever layout it has.

    That is a folder with `nyu/` or `frida2/`, clear pictures in `image/` or `clear/` with `depth/`,
    or hazy and clear ones as in RESIDE and the NTIRE sets (see `reside.find_pairs`).

    Raises:
        InputError: nothing to train on.
        UsageError: a share that is no positive number.
    """
    data = Data()
    for entry in folders:
        name, equals, number = entry.rpartition("=")
        folder, share = (Path(name), _positive(number, entry)) if equals else (Path(entry), 1.0)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: expected a folder of training data, found none; see --data"
            )
        if (folder / "nyu").is_dir() or (folder / "frida2").is_dir():
            _add_rooms_and_roads(data, folder, share, recipe)
        elif recipe.super_resolution or _has_depth_alone(folder):
            _add_scenes(data, folder, share, recipe)
        else:
            _add_pairs(data, folder, share, recipe)
    return data


def _positive(number: str, entry: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(f"--data {entry}: expected FOLDER=SHARE, the share a positive number")
    return value


def _add_rooms_and_roads(data: Data, folder: Path, share: float, recipe: Recipe) -> None:
    """NYU Depth v2 and FRIDA2, of which roads are `road_share` of the samples."""
    roads = (folder / "frida2").is_dir() and recipe.road_share > 0
    if (folder / "nyu").is_dir():
        rooms, held_out = load_nyu(folder / "nyu", recipe.scale).split(NYU_HELD_OUT)
        data.shares.append(Share(rooms, share * (1 - recipe.road_share * roads)))
        _hold_out_scenes(data, held_out, recipe)
    if roads:
        trained, held_out = load_frida2(folder / "frida2", recipe.scale).split(FRIDA2_HELD_OUT)
        data.shares.append(Share(trained, share * recipe.road_share))
        if not recipe.super_resolution:
            data.hold_out("road", road_examples(held_out, recipe.validation_pictures))


def _add_scenes(data: Data, folder: Path, share: float, recipe: Recipe) -> None:
    files = depth_pairs(folder)
    scenes = load_scenes(files, recipe.scale, share_of_largest, INDOOR_SCATTERING, folder)
    trained, held_out = scenes.split(_held_out(len(scenes)))
    data.shares.append(Share(trained, share))
    _hold_out_scenes(data, held_out, recipe)


def _add_pairs(data: Data, folder: Path, share: float, recipe: Recipe) -> None:
    pairs = open_pairs(folder, recipe.scale)
    trained, held_out = pairs.split(_held_out(len({pair.clear for pair in pairs.pairs})))
    data.shares.append(Share(trained, share))
    data.hold_out("pairs", pair_examples(held_out, recipe.validation_pictures))


def _hold_out_scenes(data: Data, scenes: Scenes | Source, recipe: Recipe) -> None:
    limit = recipe.validation_pictures
    if recipe.super_resolution:
        data.hold_out("doubled", doubling_examples(scenes, limit))
    else:
        data.hold_out("indoor", indoor_examples(scenes, limit))
        data.hold_out("clear", clear_examples(scenes, limit))


def _has_depth_alone(folder: Path) -> bool:
    """Depth and nothing hazy: OTS has both, and its depth is Matlab's."""
    names = {path.name.lower() for path in folder.iterdir()}
    return "depth" in names and not names & {"hazy", "haze", "input"}


def _held_out(scenes: int) -> int:
    return max(1, round(scenes * OTHERS_HELD_OUT))
