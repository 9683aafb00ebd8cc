"""High dynamic range: PQ and HLG codes as values that a display shows, and mastering metadata.

Haze is estimated and removed in values such as those of an SDR picture: the 2.4th root of light.
There 203 cd/m² is white (ITU-R BT.2408), and brighter light lies above it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["DisplayView", "HdrCurve", "Mastering", "curve_of", "mastering_of", "view_of"]

PQ, HLG = 16, 18
_CODES = 65536
_GAMMA = 2.4


@dataclass(frozen=True)
class HdrCurve:
    """Tables between the codes of a transfer characteristic and values of a display."""

    shown: NDArray[np.uint16]
    """(65536,): the value of each code."""
    codes: NDArray[np.uint16]
    """(65536,): the code of each value."""
    white: float
    """The value of diffuse white, as a share of the greatest."""


@cache
def curve_of(transfer: int) -> HdrCurve | None:
    """The curve of a transfer characteristic (ITU-T H.273); None where it is not HDR."""
    codes = np.arange(_CODES) / (_CODES - 1)
    if transfer == PQ:
        values, white = _pq_light(codes) ** (1 / _GAMMA), 0.0203 ** (1 / _GAMMA)
    elif transfer == HLG:
        # A display raises the scene's light to the power of 1.2 (ITU-R BT.2100, table 5).
        values, white = _hlg_light(codes) ** (1.2 / _GAMMA), 0.265 ** (1.2 / _GAMMA)
    else:
        return None
    back = np.interp(codes, values, codes)
    return HdrCurve(_whole(values), _whole(back), float(white))


@dataclass(frozen=True)
class DisplayView:
    """Frames as an SDR display with the primaries of BT.709 shows them."""

    white: float
    """The value that it shows as white, as a share of the greatest."""
    matrix: NDArray[np.float32]
    """(3, 3): light of the frames' primaries to that of BT.709."""

    def __call__(self, frame: NDArray[Any]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 of (H, W, 3) uint8 or uint16 values, such as `HdrCurve.shown`."""
        light = np.take(_light_of_values(frame.dtype.str, self.white), frame)
        converted: NDArray[Any] = cv2.transform(light, self.matrix)
        shown: NDArray[np.uint8] = np.take(_values_of_light(), converted)
        return shown


@cache
def _light_of_values(dtype: str, white: float) -> NDArray[np.uint16]:
    values = np.linspace(0, 1 / white, int(np.iinfo(dtype).max) + 1)
    return _whole(np.minimum(values, 1) ** _GAMMA)


@cache
def _values_of_light() -> NDArray[np.uint8]:
    values = np.linspace(0, 1, _CODES) ** (1 / _GAMMA)
    whole: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
    return whole


def view_of(transfer: int, primaries: int) -> DisplayView | None:
    """The view that haze is estimated on; None where the frames themselves will do."""
    curve = curve_of(transfer)
    if curve is None and primaries not in _TO_BT709:
        return None
    matrix = _TO_BT709.get(primaries, np.eye(3))
    return DisplayView(curve.white if curve else 1.0, np.asarray(matrix, np.float32))


_TO_BT709 = {
    9: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    12: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
}
"""Light of BT.2020's (ITU-R BT.2087) and of Display P3's primaries to that of BT.709."""


def _whole(values: NDArray[Any]) -> NDArray[np.uint16]:
    whole: NDArray[np.uint16] = np.rint(values * (_CODES - 1)).astype(np.uint16)
    return whole


def _pq_light(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light as a share of 10 000 cd/m² (SMPTE ST 2084, equation 4.1)."""
    m1, m2 = 2610 / 16384, 2523 / 32
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    root = codes ** (1 / m2)
    light: NDArray[np.float64] = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light


def _hlg_light(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scene's light, from 0 to 1 (ITU-R BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)


@dataclass(frozen=True)
class Mastering:
    """The display that HDR material was graded on, and its brightest light."""

    primaries: tuple[tuple[float, float], ...] = ()
    """x and y of red, green, blue and white; empty where unknown."""
    luminance: tuple[float, float] = ()  # type: ignore[assignment]
    """Least and greatest, in cd/m²; empty where unknown."""
    light_level: tuple[int, int] | None = None
    """The brightest pixel (MaxCLL) and frame (MaxFALL), in cd/m²."""

    def encoder_options(self, encoder: str) -> dict[str, str]:
        """Parameters that make an encoder write it into the stream; none where it cannot."""
        separators = {
            "libx265": ("x265-params", "master-display", "max-cll"),
            "libx264": ("x264-params", "mastering-display", "cll"),
            "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
        }
        if encoder not in separators:
            return {}
        option, display, light = separators[encoder]
        parts = []
        if self.primaries and self.luminance:
            parts.append(f"{display}={self._display(fractions=encoder == 'libsvtav1')}")
        if self.light_level:
            parts.append(f"{light}={self.light_level[0]},{self.light_level[1]}")
        return {option: ":".join(parts)} if parts else {}

    def _display(self, *, fractions: bool) -> str:
        """`G(x,y)B(x,y)R(x,y)WP(x,y)L(most,least)`, in fractions or in 1/50000 and 1/10000."""

        def point(index: int) -> str:
            x, y = self.primaries[index]
            return f"({x:.5f},{y:.5f})" if fractions else f"({round(x * 5e4)},{round(y * 5e4)})"

        least, most = self.luminance
        light = (
            f"({most:.4f},{least:.4f})"
            if fractions
            else f"({round(most * 1e4)},{round(least * 1e4)})"
        )
        return f"G{point(1)}B{point(2)}R{point(0)}WP{point(3)}L{light}"


def mastering_of(found: Mapping[str, bytes]) -> Mastering | None:
    """The mastering metadata of a decoded frame, by its side data; None where it has none."""
    # The layouts are those of FFmpeg's AVMasteringDisplayMetadata and AVContentLightMetadata.
    display = found.get("MASTERING_DISPLAY_METADATA", b"")
    light = found.get("CONTENT_LIGHT_LEVEL", b"")
    primaries: tuple[tuple[float, float], ...] = ()
    luminance: Any = ()
    if len(display) >= 88:
        numbers = struct.unpack_from("=20i", display)
        values = [n / d if d else 0.0 for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
        has_primaries, has_luminance = struct.unpack_from("=2i", display, 80)
        if has_primaries:
            primaries = tuple((values[i], values[i + 1]) for i in range(0, 8, 2))
        if has_luminance:
            luminance = (values[8], values[9])
    level = struct.unpack_from("=2I", light) if len(light) >= 8 else None
    if not (primaries or luminance or level):
        return None
    return Mastering(primaries, luminance, level)
