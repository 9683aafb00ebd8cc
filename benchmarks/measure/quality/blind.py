"""PIQE and BRISQUE of a picture alone, by the packages that have them, where these are installed.

Neither knows of haze: both look for noise, blocks and blur, and a hazy photograph may score better
than a dehazed one. So the score of the hazy picture stands beside, and nothing is ranked by them.
"""

from __future__ import annotations

import importlib.metadata
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import one_line

from ...results.figures import FIGURES

__all__ = ["BlindScores"]

Picture = NDArray[np.uint8]
_INSTALL = {
    # pypiqe asks for opencv-python, whose files would replace those of opencv-python-headless.
    "piqe": ("pypiqe", "pip install --no-deps pypiqe"),
    "brisque": ("brisque", "pip install brisque, which compiles libsvm"),
}
"""The package of each figure, and how to get it."""


class BlindScores:
    """Scores pictures without any reference; those of the hazy ones are measured once.

    Attributes:
        missing: why a figure is not measured, one line each.
        protocol: what was measured by which version.
    """

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.protocol: dict[str, str] = {}
        self._scorers: dict[str, Callable[[Picture], float]] = {}
        self._hazy: dict[Path, Mapping[str, float]] = {}
        for name, (package, command) in _INSTALL.items():
            figure = FIGURES[name]
            try:
                self._scorers[name] = _OPENERS[name]()
                version = importlib.metadata.version(package)
            except ImportError as error:
                self.missing.append(f"{figure.name} is not measured ({one_line(error)}): {command}")
            else:
                words = f"{figure.explanation}; grey, at full size ({package} {version})"
                self.protocol[figure.name] = words

    def __call__(self, path: Path, hazy: Picture, result: Picture) -> dict[str, float]:
        """The scores of a result and of its hazy picture: `piqe`, `hazy_piqe` and so on.

        Args:
            path: the file of the hazy picture, by which it is known again.
            hazy, result: (H, W, 3) uint8 RGB.

        Returns:
            The figures that can be measured here; NaN where a picture has none.
        """
        if path not in self._hazy:
            self._hazy[path] = self._scores(hazy)
        before = self._hazy[path]
        found: dict[str, float] = {}
        for name, score in self._scores(result).items():
            found |= {name: score, f"hazy_{name}": before[name]}
        return found

    def _scores(self, picture: Picture) -> dict[str, float]:
        with warnings.catch_warnings():  # a picture of one colour divides by 0 in both packages
            warnings.simplefilter("ignore")
            return {name: score(picture) for name, score in self._scorers.items()}


def _piqe() -> Callable[[Picture], float]:
    from pypiqe import piqe

    return lambda picture: float(piqe(np.ascontiguousarray(picture[..., ::-1]))[0])


def _brisque() -> Callable[[Picture], float]:
    from brisque import BRISQUE

    scorer = BRISQUE(url=False)

    def score(picture: Picture) -> float:
        value = float(scorer.score(picture))
        return value if math.isfinite(value) else math.nan

    return score


_OPENERS = {"piqe": _piqe, "brisque": _brisque}
