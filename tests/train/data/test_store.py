from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dehaze.runtime import InputError
from dehaze.train.data.packed_file import load_collections, save_collections
from dehaze.train.data.store import (
    Collection,
    Picture,
    Store,
    coded_depth,
    store_from_collections,
)

STILL = torch.tensor([[0.0, 0.0, 0.9, 0.9, 0.9]])
"""The place of a window at the upper left, neither mirrored nor turned."""


def numbered(height: int, width: int, colour: int) -> NDArray[np.uint8]:
    """An image whose every pixel says where it lies: (row, column, colour)."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack((rows, columns, np.full_like(rows, colour)), axis=-1).astype(np.uint8)


def store() -> Store:
    """A picture with depth, a pair and a photograph, of three sizes."""
    room = Picture(numbered(30, 40, 1), None, np.full((30, 40), 255, np.uint8), 2.0)
    pair = Picture(numbered(24, 50, 2), numbered(24, 50, 3))
    photograph = Picture(numbered(33, 21, 4))
    return store_from_collections(
        [
            Collection("rooms", [room]),
            Collection("pairs", [pair]),
            Collection("photographs", [photograph]),
        ]
    )


def test_a_window_holds_its_own_picture_at_its_place() -> None:
    places = torch.tensor([[0.5, 0.999, 0.9, 0.9, 0.9]]).repeat(3, 1)
    crops = store().crops(torch.tensor([0, 1, 2]), places, (16, 16), rotate=True)
    levels = (255 * crops.clear).round()
    assert levels[:, 2].flatten(1).unique(dim=1).flatten().tolist() == [1, 2, 4]
    for index, (height, width) in enumerate([(30, 40), (24, 50), (33, 21)]):
        top, left = int(0.5 * (height - 15)), int(0.999 * (width - 15))
        assert levels[index, 0, :, 0].tolist() == list(range(top, top + 16))
        assert levels[index, 1, 0].tolist() == list(range(left, left + 16))


def test_only_pairs_have_a_hazy_picture_and_only_rooms_have_depth() -> None:
    crops = store().crops(torch.tensor([0, 1, 2]), STILL.repeat(3, 1), (8, 8), rotate=False)
    assert crops.paired.flatten().tolist() == [False, True, False]
    assert crops.deep.flatten().tolist() == [True, False, False]
    assert (255 * crops.hazy[1, 2]).round().unique().tolist() == [3]
    assert torch.allclose(crops.hazy[1, :2], crops.clear[1, :2])  # the very same place
    assert crops.depth[0].unique().tolist() == [2.0]  # in its unit


def test_what_lies_outside_a_picture_is_its_mirror_image() -> None:
    crops = store().crops(torch.tensor([2]), STILL, (8, 64), rotate=False)
    columns = (255 * crops.clear[0, 1, 0]).round().int().tolist()
    steps = {abs(a - b) for a, b in pairwise(columns)}
    assert steps == {0, 1}  # back and forth, the border twice
    assert set(columns) == set(range(21))


def test_windows_are_mirrored_and_turned_in_all_eight_ways() -> None:
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(200, 5, generator=generator)
    places[:, :2] = 0
    crops = store().crops(torch.zeros(200, dtype=torch.int64), places, (16, 16), rotate=True)
    first = {tuple(map(float, c[:2, 0, :2].flatten())) for c in crops.clear}
    assert len(first) == 8


def test_depth_of_8_bits_is_finer_near_by() -> None:
    depth = np.array([[0.5, 5.0, 60.0, 499.0, 9999.0]])
    again = 500 * (coded_depth(depth, 500.0) / 255.0) ** 2
    assert np.abs(again - np.minimum(depth, 500))[0].max() < 2
    assert abs(again[0, 1] - 5.0) < 0.2


def test_the_packed_file_holds_the_same_pictures(tmp_path: Path) -> None:
    smooth = np.linspace(20, 200, 40).astype(np.uint8)
    clear = np.stack(np.broadcast_arrays(smooth, smooth[:30, None], 90), axis=-1).astype(np.uint8)
    room = Picture(clear, None, np.arange(1200).reshape(30, 40).astype(np.uint8), 500.0)
    parts = {
        "trained": [Collection("rooms", [room], 0.5, "nyu")],
        "held out": [Collection("pairs", [Picture(clear, clear[:, ::-1].copy())], 1.0, "o-haze")],
    }
    save_collections(tmp_path / "all.npz", parts, 4)
    again = load_collections(tmp_path / "all.npz", 4)
    assert [(c.kind, c.share, c.name) for c in again["trained"]] == [("rooms", 0.5, "nyu")]
    assert [(c.kind, c.name) for c in again["held out"]] == [("pairs", "o-haze")]
    first, pair = again["trained"][0].pictures[0], again["held out"][0].pictures[0]
    assert first.depth is not None
    assert room.depth is not None
    assert np.array_equal(first.depth, room.depth)
    assert first.depth_unit == 500.0
    assert pair.hazy is not None
    assert pair.depth is None
    for one, other in ((first.clear, clear), (pair.hazy, clear[:, ::-1])):
        assert np.abs(one.astype(int) - other).mean() < 1.5  # JPEG


def test_no_pictures_and_foreign_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected pictures to train on, got none"):
        store_from_collections([])
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        load_collections(tmp_path / "none.npz", 4)
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(InputError, match=r"text\.npz: expected a file of packed pictures"):
        load_collections(tmp_path / "text.npz", 4)
