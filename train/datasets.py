"""What a folder holds, and what of it is for training and what for validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dehaze.runtime.errors import InputError, UsageError

from .pairs import PairFolder, open_pairs
from .recipe import Recipe
from .reside import depth_pairs, match_pairs
from .scenes import (
    EVERY,
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


def open_data(folders: Sequence[str], recipe: Recipe, *, training: bool = True) -> Data:
    """Opens each `FOLDER` or `FOLDER=SHARE` of a batch, whatever layout it has.

    That is a folder with `nyu/` or `frida2/`, clear pictures in `image/` or `clear/` with `depth/`,
    or hazy and clear ones as in RESIDE and the NTIRE sets (see `reside.find_pairs`). `HAZY:CLEAR`
    are any two folders whose files have the same names.

    Args:
        training: whether to load clear scenes to train on, too: of NYU 2 GB at full size.

    Raises:
        InputError: no such folder, nothing in it to train on, or too little.
        UsageError: a share that is no positive number.
    """
    data = Data()
    for entry in folders:
        name, equals, number = entry.rpartition("=")
        name, share = (name, _positive(number, entry)) if equals else (entry, 1.0)
        hazy, colon, clear = name.partition(":")
        if colon:
            _add_pairs(data, PairFolder(match_pairs(hazy, clear), recipe.scale), share, recipe)
        else:
            _add(data, Path(name), share, recipe, training)
    return data


def _add(data: Data, folder: Path, share: float, recipe: Recipe, training: bool) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of training data; see --data")
    if (folder / "nyu").is_dir() or (folder / "frida2").is_dir():
        _add_rooms_and_roads(data, folder, share, recipe, training)
    elif _has_depth_alone(folder):
        _add_scenes(data, folder, share, recipe, training)
    else:
        _add_pairs(data, open_pairs(folder, recipe.scale), share, recipe)


def _positive(number: str, entry: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(f"--data {entry}: expected FOLDER=SHARE, the share a positive number")
    return value


def _add_rooms_and_roads(
    data: Data, folder: Path, share: float, recipe: Recipe, training: bool
) -> None:
    """NYU Depth v2 and FRIDA2, of which roads are `road_share` of the samples."""
    rooms, roads = (folder / "nyu").is_dir(), (folder / "frida2").is_dir()
    road_share = recipe.road_share if rooms and roads else float(roads)
    if rooms:
        trained, held_out = _split(load_nyu, folder / "nyu", NYU_HELD_OUT, recipe, training)
        data.shares += [Share(scenes, share * (1 - road_share)) for scenes in trained]
        _hold_out_scenes(data, held_out, recipe)
    if road_share:
        trained, held_out = _split(
            load_frida2, folder / "frida2", FRIDA2_HELD_OUT, recipe, training
        )
        data.shares += [Share(scenes, share * road_share) for scenes in trained]
        if not recipe.super_resolution:
            data.hold_out("road", road_examples(held_out, recipe.validation_pictures))


def _split(
    load: Callable[[Path, int, slice], Scenes],
    folder: Path,
    held_out: int,
    recipe: Recipe,
    training: bool,
) -> tuple[list[Scenes], Scenes]:
    """What is trained on, if it is wanted, and the last scenes, which never are."""
    if not training:
        return [], load(folder, recipe.scale, slice(-held_out, None))
    trained, last = load(folder, recipe.scale, EVERY).split(held_out)
    return [trained], last


def _add_scenes(data: Data, folder: Path, share: float, recipe: Recipe, training: bool) -> None:
    def load(folder: Path, scale: int, which: slice) -> Scenes:
        files = depth_pairs(folder)[which]
        return load_scenes(files, scale, share_of_largest, INDOOR_SCATTERING)

    trained, held_out = _split(load, folder, _held_out(len(depth_pairs(folder))), recipe, training)
    data.shares += [Share(scenes, share) for scenes in trained]
    _hold_out_scenes(data, held_out, recipe)


def _add_pairs(data: Data, pairs: PairFolder, share: float, recipe: Recipe) -> None:
    trained, held_out = pairs.split(_held_out(len({pair.clear for pair in pairs.pairs})))
    data.shares.append(Share(trained, share))
    limit = recipe.validation_pictures
    if recipe.super_resolution:
        data.hold_out("doubled", doubling_examples(held_out, limit))
    else:
        data.hold_out("pairs", pair_examples(held_out, limit))


def _hold_out_scenes(data: Data, scenes: Source, recipe: Recipe) -> None:
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
