"""The pictures to train on, in one block of memory on the training device.

A batch is then cut out by a single indexed read: there is no loop over samples, no process that
prepares batches, and nothing that crosses from the CPU to a GPU but a few numbers a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dehaze.runtime.errors import InputError

LEVELS = 255
"""Depth is kept in 8 bits, as the square root of its share of the unit: fine steps near by."""

Pixels = NDArray[np.uint8]


class Picture(NamedTuple):
    """A scene at the training scale."""

    clear: Pixels
    """(h, w, 3) uint8 RGB."""
    hazy: Pixels | None = None
    """(h, w, 3) uint8 RGB, where the data set gives it."""
    depth: Pixels | None = None
    """(h, w) uint8: the depth is `depth_unit * (depth / 255)^2`."""
    depth_unit: float = 1.0
    """1 for a share of the scene's largest depth, else metres."""


@dataclass
class Collection:
    """Pictures of one kind, before they are laid out on a device."""

    kind: str
    """The kind of pictures: `rooms`, `roads`, `streets`, `photographs`, `pairs`, or `unpaired` for
    hazy ones that nothing is learnt from."""
    pictures: list[Picture]
    share: float = 1.0
    """Share with which this collection is drawn, against others of its kind."""
    name: str = ""
    """The data set, for tables of scores."""


def coded_depth(depth: NDArray[Any], unit: float) -> Pixels:
    """(h, w) depth in any unit to the 8 bits of `Picture.depth`; beyond `unit` it is cut."""
    share = np.clip(depth / unit, 0, 1)
    coded: Pixels = np.rint(LEVELS * np.sqrt(share)).astype(np.uint8)
    return coded


class Crops(NamedTuple):
    """Windows of the same size, cut out of several pictures."""

    clear: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]."""
    hazy: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]; another picture's pixels where `paired` is False."""
    depth: Tensor
    """(N, 1, h, w) float32; meaningless where `deep` is False."""
    paired: Tensor
    """(N, 1, 1, 1) bool: the data set gives the hazy picture."""
    deep: Tensor
    """(N, 1, 1, 1) bool: the depth is known."""


@dataclass
class Store:
    """The pictures of all kinds; every tensor lies on one device."""

    clear: Tensor
    """(P, 3) uint8 RGB, row by row, picture after picture."""
    hazy: Tensor
    """(Q, 3) uint8 RGB of those that have it."""
    depth: Tensor
    """(R,) uint8 of those that have it."""
    start: Tensor
    """(M, 3) int64: where a picture begins in `clear`, `hazy` and `depth`; -1 where it is not."""
    size: Tensor
    """(M, 2) int64: height and width."""
    unit: Tensor
    """(M,) float32: unit of the depth."""
    weight: Tensor
    """(M,) float64: how often a picture is drawn, against others of its kind."""
    kind: list[str] = field(default_factory=list)
    """M kinds."""

    def __len__(self) -> int:
        return len(self.kind)

    def to(self, device: torch.device) -> Store:
        """The same on another device; the table of weights stays on the CPU, where it is used."""
        names = ("clear", "hazy", "depth", "start", "size", "unit")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def picture(self, index: int) -> Picture:
        """A whole picture, on the CPU."""
        height, width = self.size[index].tolist()
        clear, hazy, depth = self.start[index].tolist()
        area = height * width

        def pixels(values: Tensor, first: int) -> Pixels | None:
            if first < 0:
                return None
            part = values[first : first + area].cpu().numpy()
            whole: Pixels = part.reshape(height, width, *part.shape[1:])
            return whole

        whole = pixels(self.clear, clear)
        assert whole is not None
        unit = float(self.unit[index])
        return Picture(whole, pixels(self.hazy, hazy), pixels(self.depth, depth), unit)

    def crops(self, which: Tensor, places: Tensor, side: tuple[int, int], *, rotate: bool) -> Crops:
        """Cuts a window out of each of N pictures; what lies outside one is its mirror image.

        Args:
            which: (N,) int64, numbers of pictures.
            places: (N, 5) in [0, 1): top, left, mirrored left to right, upside down, turned.
            side: height and width of the windows; equal where `rotate`.
            rotate: whether to turn windows, beside mirroring them left to right.
        """
        size = self.size[which]
        rows = _window(places[:, 0], size[:, 0], side[0])
        columns = _window(places[:, 1], size[:, 1], side[1])
        columns = torch.where(places[:, 2:3] < 0.5, columns.flip(1), columns)
        if rotate:
            rows = torch.where(places[:, 3:4] < 0.5, rows.flip(1), rows)
        inside = rows[:, :, None] * size[:, 1].view(-1, 1, 1) + columns[:, None]
        if rotate:
            inside = torch.where(places[:, 4].view(-1, 1, 1) < 0.5, inside.mT, inside)
        start = self.start[which].view(-1, 3, 1, 1)
        present = start >= 0
        index = (start + inside[:, None]) * present  # pixel 0 stands for what is not there
        depth = self.depth[index[:, 2]].float() / LEVELS if len(self.depth) else inside.float() * 0
        return Crops(
            _planes(self.clear[index[:, 0]]),
            _planes(self.hazy[index[:, 1]]) if len(self.hazy) else torch.zeros(0),
            (self.unit[which].view(-1, 1, 1) * depth.square())[:, None],
            present[:, 1:2],
            present[:, 2:3],
        )


def _window(place: Tensor, length: Tensor, side: int) -> Tensor:
    """(N, side) int64 positions in [0, length): a random window, mirrored at both ends."""
    first = (place * (length - side + 1)).floor().long()
    position = first[:, None] + torch.arange(side, device=place.device)
    position = position % (2 * length[:, None])
    return torch.minimum(position, 2 * length[:, None] - 1 - position)


def _planes(pixels: Tensor) -> Tensor:
    """(N, h, w, 3) uint8 to (N, 3, h, w) float32 in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def store_from_collections(collections: Sequence[Collection]) -> Store:
    """Lays pictures out one after the other, on the CPU.

    Raises:
        InputError: there are none.
    """
    pictures = [picture for some in collections for picture in some.pictures]
    if not pictures:
        raise InputError("expected pictures to train on, got none; see --data")
    layers = [[getattr(p, name) for p in pictures] for name in ("clear", "hazy", "depth")]
    starts = [_starts(layer) for layer in layers]
    flat = [_flat(layer, channels) for layer, channels in zip(layers, (3, 3, 1), strict=True)]
    return Store(
        clear=flat[0],
        hazy=flat[1],
        depth=flat[2].flatten(),
        start=torch.tensor(starts).T.contiguous(),
        size=torch.tensor([picture.clear.shape[:2] for picture in pictures]),
        unit=torch.tensor([picture.depth_unit for picture in pictures]),
        weight=torch.tensor(
            [some.share / len(some.pictures) for some in collections for _ in some.pictures],
            dtype=torch.float64,
        ),
        kind=[some.kind for some in collections for _ in some.pictures],
    )


def _starts(layer: Sequence[Pixels | None]) -> list[int]:
    starts, total = [], 0
    for pixels in layer:
        starts.append(-1 if pixels is None else total)
        total += 0 if pixels is None else pixels.shape[0] * pixels.shape[1]
    return starts


def _flat(layer: Sequence[Pixels | None], channels: int) -> Tensor:
    present = [pixels.reshape(-1, channels) for pixels in layer if pixels is not None]
    return torch.from_numpy(np.concatenate(present or [np.zeros((0, channels), np.uint8)]))
