"""The marks of panoramas and of stereoscopic videos, and how Matroska and MP4 write them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["STEREO_NAMES", "Sphere", "sphere_of", "stereo_box", "stereo_of"]

_EQUIRECTANGULAR, _CUBES = 0, 1
STEREO_NAMES = {1: "left_right", 2: "top_bottom"}
"""FFmpeg's kinds of stereoscopy (AVStereo3DType) in its words for Matroska."""
_MP4_STEREO = {1: 2, 2: 1}


@dataclass(frozen=True)
class Sphere:
    """A projection of a sphere (FFmpeg's AVSphericalMapping)."""

    projection: int
    angles: tuple[int, int, int]
    """Yaw, pitch and roll in degrees, 16 bits before and 16 behind the point."""
    bounds: tuple[int, int, int, int]
    """Left, top, right and bottom, as shares of 2^32."""
    padding: int

    def matroska_element(self) -> bytes:
        """The Projection element."""
        cubes = self.projection == _CUBES
        left, top, right, bottom = self.bounds
        private = struct.pack(">5I", 0, top, bottom, left, right)
        if cubes:
            private = struct.pack(">3I", 0, 0, self.padding)
        parts = b"\x76\x71\x81" + (b"\x02" if cubes else b"\x01")
        parts += b"\x76\x72" + bytes([0x80 | len(private)]) + private
        for name, angle in zip((b"\x76\x73", b"\x76\x74", b"\x76\x75"), self.angles, strict=True):
            parts += name + b"\x84" + struct.pack(">f", angle / 65536)
        return b"\x76\x70" + bytes([0x80 | len(parts)]) + parts

    def mp4_box(self) -> bytes:
        """The sv3d box (Spherical Video V2)."""
        left, top, right, bottom = self.bounds
        if self.projection == _CUBES:
            shape = _box(b"cbmp", struct.pack(">3I", 0, 0, self.padding))
        else:
            shape = _box(b"equi", struct.pack(">5I", 0, top, bottom, left, right))
        header = _box(b"prhd", struct.pack(">I3i", 0, *self.angles))
        about = _box(b"svhd", bytes(4) + b"dehaze-edge\0")
        return _box(b"sv3d", about + _box(b"proj", header + shape))


def sphere_of(data: bytes) -> Sphere | None:
    """Reads FFmpeg's structure; None for a projection that is written by none of the two."""
    if len(data) < 36:
        return None
    projection, yaw, pitch, roll, left, top, right, bottom, padding = struct.unpack_from(
        "=4i5I", data
    )
    if projection not in (_EQUIRECTANGULAR, _CUBES, 2):
        return None
    return Sphere(projection, (yaw, pitch, roll), (left, top, right, bottom), padding)


def stereo_of(data: bytes) -> int | None:
    """Reads the kind of FFmpeg's AVStereo3D; None for one that is not side by side."""
    kind = struct.unpack_from("=i", data)[0] if len(data) >= 4 else 0
    return kind if kind in STEREO_NAMES else None


def stereo_box(kind: int) -> bytes:
    """The st3d box of MP4."""
    return _box(b"st3d", bytes(4) + bytes([_MP4_STEREO[kind]]))


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body
