"""Decoded frames as RGB, and RGB as frames for an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from .colour import Colours, colours_of
from .pixel_layout import PixelLayout, layout_of, planar_name
from .planes import fill_planes, plane_array, rgb_of_planes

__all__ = ["EncoderPixels", "alpha_of", "colours_of_frame", "frame_of", "mark_colours", "rgb_of"]

_FULL, _LIMITED = int(ColorRange.JPEG), int(ColorRange.MPEG)


def colours_of_frame(frame: VideoFrame, height: int) -> tuple[Colours, bool]:
    """The colours of a decoded frame, and whether its matrix had to be guessed.

    Args:
        height: of the stream's frames, which tells HD from SD where nothing else does.
    """
    layout = layout_of(frame.format)
    said = frame.color_range in (_FULL, _LIMITED)
    full = frame.color_range == _FULL if said else "yuvj" in frame.format.name or layout.is_rgb
    return colours_of(
        frame.colorspace, frame.color_primaries, frame.color_trc, height, full_range=full
    )


def rgb_of(
    frame: VideoFrame, size: tuple[int, int], colours: Colours, *, deep: bool = False
) -> NDArray[Any]:
    """(H, W, 3) RGB of a decoded frame; one of another `size` (W, H) is scaled to it.

    Args:
        deep: whether to return uint16, not uint8.
    """
    layout = layout_of(frame.format)
    scaled = {} if (frame.width, frame.height) == size else {"width": size[0], "height": size[1]}
    if layout.is_rgb:
        rgb: NDArray[Any] = frame.reformat(
            format="rgb48le" if deep else "rgb24", **scaled
        ).to_ndarray()
        return rgb
    name = frame.format.name if layout.is_planar_yuv else planar_name(layout)
    if scaled or not layout.is_planar_yuv:
        frame = frame.reformat(format=name, **scaled)
    depth = layout_of(VideoFormat(name)).depth
    dtype = np.uint16 if deep else np.uint8
    return rgb_of_planes(frame, depth, layout.chroma, colours, dtype)


def alpha_of(frame: VideoFrame, size: tuple[int, int]) -> NDArray[Any] | None:
    """(H, W) uint8 or uint16 alpha of a decoded frame, up to 255 or 65535; None without."""
    layout = layout_of(frame.format)
    if not layout.alpha:
        return None
    scaled = {} if (frame.width, frame.height) == size else {"width": size[0], "height": size[1]}
    whole = layout.depth > 8
    if layout.is_planar_yuv and not scaled:
        plane = plane_array(frame.planes[3], whole)[:, : frame.width]
        if not whole:
            return np.ascontiguousarray(plane)
        most = (1 << layout.depth) - 1
        return ((plane.astype(np.uint32) * 65535 + most // 2) // most).astype(np.uint16)
    name = "rgba64le" if whole else "rgba"
    return np.ascontiguousarray(frame.reformat(format=name, **scaled).to_ndarray()[..., 3])


@dataclass(frozen=True)
class EncoderPixels:
    """The pixels for an encoder."""

    name: str
    """The pixel format's, in FFmpeg's words."""
    layout: PixelLayout
    colours: Colours


def frame_of(pixels: NDArray[Any], alpha: NDArray[Any] | None, target: EncoderPixels) -> VideoFrame:
    """A frame for an encoder from (H, W, 3) uint8 or uint16 RGB and (H, W) alpha."""
    height, width = pixels.shape[:2]
    layout, colours = target.layout, target.colours
    few = len(VideoFormat(target.name).components) < 3
    if layout.is_rgb or few:
        frame = _rgb_frame(pixels, alpha if layout.alpha else None)
        frame = frame if frame.format.name == target.name else frame.reformat(format=target.name)
    else:
        name = target.name if layout.is_planar_yuv else planar_name(layout)
        frame = VideoFrame(width, height, name)
        depth = layout_of(frame.format).depth
        fill_planes(pixels, frame, depth, layout.chroma, colours)
        if layout_of(frame.format).alpha:
            _fill_alpha(frame, alpha, depth)
        if name != target.name:
            frame = frame.reformat(format=target.name)
    mark_colours(frame, target)
    return frame


def mark_colours(frame: VideoFrame, target: EncoderPixels) -> None:
    """Sets the fields of a frame that say what its numbers mean."""
    is_rgb, colours = target.layout.is_rgb, target.colours
    frame.colorspace = 0 if is_rgb else colours.matrix
    frame.color_range = _FULL if is_rgb or colours.full_range else _LIMITED
    frame.color_primaries, frame.color_trc = colours.primaries, colours.transfer


def _rgb_frame(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> VideoFrame:
    deep = pixels.dtype == np.uint16
    if alpha is None:
        return VideoFrame.from_ndarray(pixels, format="rgb48le" if deep else "rgb24")
    alpha = _as_type(alpha, pixels.dtype)
    return VideoFrame.from_ndarray(
        np.dstack((pixels, alpha)), format="rgba64le" if deep else "rgba"
    )


def _as_type(alpha: NDArray[Any], dtype: Any) -> NDArray[Any]:
    if alpha.dtype == dtype:
        return alpha
    if dtype == np.uint16:
        return alpha.astype(np.uint16) * 257
    return ((alpha.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _fill_alpha(frame: VideoFrame, alpha: NDArray[Any] | None, depth: int) -> None:
    most = (1 << depth) - 1
    plane = plane_array(frame.planes[3], depth > 8)[:, : frame.width]
    if alpha is None:
        plane[:] = most
        return
    top = int(np.iinfo(alpha.dtype).max)
    plane[:] = (alpha.astype(np.uint32) * most + top // 2) // top
