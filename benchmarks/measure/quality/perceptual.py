"""LPIPS (Zhang et al. 2018, arXiv:1801.03924), where torch, torchmetrics and AlexNet's weights are.

The published figure: torchmetrics brings the learned weights of AlexNet's channels, and torchvision
the weights of AlexNet itself. Its layers are written out here, since PyPI has no torchvision for a
torch without CUDA.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import InputError, one_line

from ...results.figures import FIGURES

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["PerceptualScores"]

Picture = NDArray[np.uint8]
_FILE = "alexnet-owt-7be5be79.pth"
_ADDRESS = f"https://download.pytorch.org/models/{_FILE}"
_CHANNEL_WEIGHTS = "functional/image/lpips_models/alex.pth"
"""In torchmetrics: one weight for each channel of each of the five layers."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""The colours that AlexNet was trained on, as of values in [-1, 1]."""


class PerceptualScores:
    """LPIPS of results against clear pictures; that of the hazy pictures is measured once.

    Attributes:
        missing: why it is not measured, one line; empty where it is.
        protocol: what is measured by which version.

    Raises:
        InputError: a file that holds no weights of AlexNet.
    """

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.protocol: dict[str, str] = {}
        self._network: _Lpips | None = None
        self._hazy: dict[Path, float] = {}
        path, torchmetrics = _weights_file(), find_spec("torchmetrics")
        if torchmetrics is None or torchmetrics.origin is None or find_spec("torch") is None:
            self._miss("no torch or torchmetrics", "pip install 'dehaze-edge[train]'")
        elif not path.is_file():
            self._miss(f"no {path}", f"curl --create-dirs -o {path} {_ADDRESS} (233 MB)")
        else:
            self._network = _Lpips(path, Path(torchmetrics.origin).parent / _CHANNEL_WEIGHTS)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            words = f"AlexNet, SHA-256 {digest[:8]}, at full size"
            self.protocol[FIGURES["lpips"].name] = f"{FIGURES['lpips'].explanation}; {words}"

    def _miss(self, found: str, advice: str) -> None:
        self.missing.append(f"LPIPS is not measured ({found}): {advice}")

    def __call__(
        self, path: Path, hazy: Picture, result: Picture, clear: Picture
    ) -> Mapping[str, float]:
        """`lpips` and `hazy_lpips`; empty where it is not measured.

        Args:
            path: the file of the hazy picture, by which it is known again.
            hazy, result, clear: (H, W, 3) uint8 RGB.
        """
        if self._network is None:
            return {}
        if path not in self._hazy:
            self._hazy[path] = self._network.distance(hazy, clear)
        return {"lpips": self._network.distance(result, clear), "hazy_lpips": self._hazy[path]}


def _weights_file() -> Path:
    """AlexNet's weights where torch keeps downloads (torch.hub.get_dir)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(os.environ.get("TORCH_HOME", cache), "hub", "checkpoints", _FILE).expanduser()


class _Lpips:
    """The network of LPIPS.

    Args:
        weights: a state of torchvision's AlexNet.
        channel_weights: torchmetrics' file, with a (1, C, 1, 1) weight for each layer.
    """

    def __init__(self, weights: Path, channel_weights: Path) -> None:
        import torch

        features = _features()
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            mark = "features."
            features.load_state_dict(
                {name.removeprefix(mark): state[name] for name in state if name.startswith(mark)}
            )
        except Exception as error:  # torch.load raises of every kind
            raise InputError(
                f"{weights}: expected AlexNet's weights ({one_line(error)[:80]}); "
                f"get them again: {_ADDRESS}"
            ) from error
        self._features = features.eval()
        by_name = torch.load(channel_weights, map_location="cpu", weights_only=True)
        self._channels: list[Tensor] = [by_name[name] for name in sorted(by_name)]
        self._shift, self._scale = (torch.tensor(v)[:, None, None] for v in (_SHIFT, _SCALE))

    def distance(self, one: Picture, other: Picture) -> float:
        """LPIPS of two pictures, (H, W, 3) uint8 RGB; 0 where they are equal."""
        import torch

        with torch.inference_mode():
            layers = zip(self._layers(one), self._layers(other), self._channels, strict=True)
            return sum(float(((a - b) ** 2 * w).sum(1).mean()) for a, b, w in layers)

    def _layers(self, picture: Picture) -> Iterator[Tensor]:
        """The five layers' activations, (1, C, h, w), of length 1 at each place."""
        import torch

        values = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float()
        values = ((values / 127.5 - 1 - self._shift) / self._scale)[None]
        for layer in self._features:
            values = layer(values)
            if isinstance(layer, torch.nn.ReLU):
                yield values / torch.sqrt(1e-8 + (values**2).sum(1, keepdim=True))


def _features() -> nn.Sequential:
    """AlexNet up to its last ReLU (Krizhevsky 2014, arXiv:1404.5997), as torchvision numbers it."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    )
