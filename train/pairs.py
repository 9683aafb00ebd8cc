"""Hazy pictures with clear ones, as a data set gives them, decoded one at a time.

For data whose haze cannot be made here: the published hazy files of RESIDE, or photographs such as
those of NH-HAZE. OTS has 313,950 of them, too many for memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError

from .pictures import decoded, scaled_down, tensor_from_pixels
from .reside import HazyPair, find_pairs
from .sources import Item

MOST_BORDER = 20
"""Rows or columns that a clear picture may have more than its hazy one, in all: RESIDE cuts 10
pixels off each side of NYU's 640x480, in some releases from the hazy pictures alone."""


@dataclass(frozen=True)
class PairFolder:
    """Pairs on disk; a `Source`."""

    pairs: Sequence[HazyPair]
    """All hazy pictures of a clear scene side by side, as `find_pairs` gives them."""
    scale: int
    """Pixels of the files per training pixel, along each axis."""

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Item:
        """Decodes a pair.

        Raises:
            InputError: one of the files is no picture, or their sizes do not agree.
        """
        pair = self.pairs[index]
        hazy, clear = decoded(pair.hazy), decoded(pair.clear)
        clear = _without_border(clear, hazy.shape, pair)
        if min(hazy.shape[:2]) < self.scale:
            height, width = hazy.shape[:2]
            raise InputError(
                f"{pair.hazy}: expected {self.scale} pixels a side or more, got {width}x{height}"
            )
        clear, hazy = scaled_down(clear, self.scale), scaled_down(hazy, self.scale)
        return Item(tensor_from_pixels(clear), None, tensor_from_pixels(hazy))

    def split(self, held_out: int) -> tuple[PairFolder, PairFolder]:
        """(all but the last `held_out` clear scenes, those), each scene with all of its haze.

        Raises:
            InputError: not that many scenes.
        """
        scenes = list(dict.fromkeys(pair.clear for pair in self.pairs))
        if held_out >= len(scenes):
            raise InputError(
                f"expected more than {held_out} clear scenes, of which to hold out {held_out}, "
                f"got {len(scenes)}"
            )
        last = set(scenes[len(scenes) - held_out :])
        return (
            PairFolder([pair for pair in self.pairs if pair.clear not in last], self.scale),
            PairFolder([pair for pair in self.pairs if pair.clear in last], self.scale),
        )


def open_pairs(folder: Path, scale: int) -> PairFolder:
    """The pairs in `folder`; see `find_pairs`. Nothing is decoded yet.

    Raises:
        InputError: no pairs, several data sets, or a hazy picture without its clear one.
    """
    return PairFolder(find_pairs(folder), scale)


def _without_border(
    clear: NDArray[np.uint8], size: Sequence[int], pair: HazyPair
) -> NDArray[np.uint8]:
    """The middle of `clear`, as large as the hazy picture."""
    rows, columns = clear.shape[0] - size[0], clear.shape[1] - size[1]
    if any(extra % 2 or not 0 <= extra <= MOST_BORDER for extra in (rows, columns)):
        raise InputError(
            f"{pair.hazy}: expected the size of {pair.clear}, {clear.shape[1]}x{clear.shape[0]}, "
            f"got {size[1]}x{size[0]}"
        )
    top, left = rows // 2, columns // 2
    return clear[top : top + size[0], left : left + size[1]]
