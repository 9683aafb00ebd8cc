"""The layouts of pixel formats, and the choice of one for an encoder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from av.video.format import VideoFormat

__all__ = ["PixelLayout", "encoder_format", "layout_of", "planar_name"]

_PLANAR = re.compile(r"yuva?j?(420|422|444|440|411|410)p(9|10|12|14|16)?(le)?")
_HALVES = {
    "420": (1, 1),
    "422": (1, 0),
    "444": (0, 0),
    "440": (0, 1),
    "411": (2, 0),
    "410": (2, 2),
}
_NAMES = {halves: name for name, halves in _HALVES.items()}


@dataclass(frozen=True)
class PixelLayout:
    """The numbers that a pixel format can hold."""

    depth: int = 8
    """Bits of a number."""
    chroma: tuple[int, int] = (1, 1)
    """The number of times that chroma is halved along x and along y; (0, 0) for RGB and grey."""
    is_rgb: bool = False
    alpha: bool = False
    is_planar_yuv: bool = True
    """True if `planes` reads and writes it as it is."""
    has_chroma: bool = True
    """False for grey."""

    @property
    def name(self) -> str:
        """The layout in words, for messages: `4:2:0 at 10 bits`."""
        kind = "RGB" if self.is_rgb else ":".join(_NAMES.get(self.chroma, "444"))
        return f"{kind} at {self.depth} bits"


def layout_of(pixel_format: VideoFormat) -> PixelLayout:
    """The layout of a format of FFmpeg's."""
    components = pixel_format.components
    depth = max((component.bits for component in components), default=8)
    alpha = any(component.is_alpha for component in components)
    if pixel_format.is_rgb or pixel_format.has_palette:
        alpha = alpha or pixel_format.has_palette
        return PixelLayout(max(depth, 8), (0, 0), True, alpha, is_planar_yuv=False)
    found = _PLANAR.fullmatch(pixel_format.name)
    if found:
        return PixelLayout(depth, _HALVES[found[1]], alpha=alpha)
    if len(components) < 3:  # grey, perhaps with alpha, or one bit
        plain = pixel_format.name in ("gray", "gray10le", "gray12le", "gray16le")
        return PixelLayout(
            max(depth, 8), (0, 0), alpha=alpha, is_planar_yuv=plain, has_chroma=False
        )
    chroma = (
        (16 // max(1, pixel_format.chroma_width(16))).bit_length() - 1,
        (16 // max(1, pixel_format.chroma_height(16))).bit_length() - 1,
    )
    return PixelLayout(depth, chroma, alpha=alpha, is_planar_yuv=False)


def planar_name(layout: PixelLayout) -> str:
    """FFmpeg's planar YUV format of this layout; its planes hold at least as much."""
    chroma = _NAMES.get(layout.chroma, "444")
    alpha = "a" if layout.alpha and chroma in ("420", "422", "444") else ""
    depth = next((d for d in (8, 9, 10, 12, 16) if d >= layout.depth), 16)
    if alpha and depth == 12:
        alpha, depth = "a", 16 if chroma == "420" else 12
    return f"yuv{alpha}{chroma}p" + (f"{depth}le" if depth > 8 else "")


def encoder_format(
    offered: Iterable[str], wanted: PixelLayout, *, even: bool, for_players: bool
) -> str:
    """The format of those that an encoder offers that holds `wanted` best.

    Args:
        offered: names; none for an encoder that does not say.
        wanted: the layout of the source.
        even: whether the frame's sides allow chroma of half size.
        for_players: whether the codec is one that players take in 4:2:0 YUV rather than as RGB.
    """
    if wanted.is_rgb and for_players:
        wanted = replace(wanted, chroma=(1, 1))
    names = list(offered) or ["yuv420p"]
    ranked = []
    for place, name in enumerate(names):
        layout = layout_of(VideoFormat(name))
        poor = _POOR.get(name, 2 if len(VideoFormat(name).components) < 3 else 0)
        coarser = sum(max(0, a - b) for a, b in zip(layout.chroma, wanted.chroma, strict=True))
        finer = sum(max(0, b - a) for a, b in zip(layout.chroma, wanted.chroma, strict=True))
        odd = not even and layout.chroma != (0, 0)
        other_kind = layout.is_rgb and (not wanted.is_rgb or for_players)
        other_kind = other_kind or (wanted.is_rgb and not for_players and not layout.is_rgb)
        ranked.append(
            (
                poor,
                odd,
                other_kind,
                layout.alpha != wanted.alpha,
                layout.depth < wanted.depth,
                coarser,
                abs(layout.depth - wanted.depth),
                finer,
                "yuvj" in name,  # deprecated by FFmpeg for a range of its own
                not layout.is_planar_yuv,
                place,
                name,
            )
        )
    return str(min(ranked)[-1])


_POOR = {"rgb555be": 1, "rgb8": 1, "bgr8": 1, "rgb4_byte": 2, "bgr4_byte": 2, "pal8": 3}
"""Formats of fewer colours, from the best; grey comes after 256 colours."""
