"""CIELab TIFFs of 16 bits, which neither OpenCV nor Pillow reads as what they are."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["bgr_of_deep_lab", "deep_lab_as_rgb"]

_BITS, _PHOTOMETRIC = 258, 262
_RGB, _CIELAB = 2, 8
_WHITE = (0.9642, 1.0, 0.8249)
"""X, Y and Z of D50, which TIFF's CIELab is relative to (TIFF 6.0, section 23)."""
_SRGB_OF_XYZ = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
"""Light relative to D50 to that of sRGB, adapted by Bradford's matrix (IEC 61966-2-1)."""
_ROWS = 64


def deep_lab_as_rgb(data: bytes) -> bytes | None:
    """The same TIFF with its numbers called RGB, so that decoders leave them alone.

    Returns None for what is no classic TIFF in CIELab with 16 bits a channel.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    try:
        start = struct.unpack_from(order + "I", data, 4)[0]
        count = struct.unpack_from(order + "H", data, start)[0]
        at, bits = 0, 0
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, values = struct.unpack_from(order + "HHI", data, entry)
            value = struct.unpack_from(order + "H", data, entry + 8)[0]
            if tag == _PHOTOMETRIC and value == _CIELAB:
                at = entry + 8
            elif tag == _BITS and values == 3:
                outside = struct.unpack_from(order + "I", data, entry + 8)[0]
                bits = struct.unpack_from(order + "H", data, outside)[0]
    except struct.error:
        return None
    if not at or bits != 16:
        return None
    return data[:at] + struct.pack(order + "H", _RGB) + data[at + 2 :]


def bgr_of_deep_lab(numbers: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(H, W, 3) uint16 BGR in sRGB of b*, a* and L*, as a decoder gives them that takes them for
    BGR."""
    result = np.empty_like(numbers)
    for first in range(0, len(numbers), _ROWS):
        rows = numbers[first : first + _ROWS]
        result[first : first + _ROWS] = _converted(rows)
    return result


def _converted(numbers: NDArray[np.uint16]) -> NDArray[Any]:
    y = (numbers[..., 2] * (100 / 65535) + 16) / 116
    x = y + numbers[..., 1].view(np.int16) / (256 * 500)
    z = y - numbers[..., 0].view(np.int16) / (256 * 200)
    roots = np.stack((x, y, z), -1)
    light = np.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (108 / 841)) * _WHITE
    linear = np.clip(light @ np.transpose(_SRGB_OF_XYZ), 0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, curved)
    codes: NDArray[Any] = np.rint(srgb[..., ::-1] * 65535)
    return codes
