"""Frames of a video in the planes in which they are coded, on their way without RGB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from .frame_pixels import EncoderPixels, mark_colours
from .pixel_layout import layout_of, planar_name
from .planes import plane_array

__all__ = ["CodedFrame", "coded_frame"]


@dataclass(frozen=True)
class CodedFrame:
    """A frame of planar YUV, in the format that the encoder takes."""

    frame: VideoFrame
    """The frame of FFmpeg's that holds the memory."""
    pixels: EncoderPixels
    is_decoded: bool = True
    """True if it came from a decoder, which may need it again; such a one must not change."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), as that of the same frame in RGB."""
        return self.frame.height, self.frame.width, 3

    @cached_property
    def planes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Y, Cb and Cr: (rows, columns and padding) uint8 or uint16 codes."""
        luma, blue, red = (
            plane_array(plane, self.pixels.layout.depth > 8) for plane in self.frame.planes[:3]
        )
        return luma, blue, red

    @property
    def halves(self) -> tuple[int, int]:
        """The number of times that chroma is halved along x and along y."""
        return self.pixels.layout.chroma

    @property
    def depth(self) -> int:
        """Bits of a code."""
        return self.pixels.layout.depth

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(3, 4): RGB in [0, 1] and 1 to codes."""
        return self.pixels.colours.from_rgb(self.depth, white=1)

    def blank(self) -> CodedFrame:
        """A new frame of the same size and format, to be filled."""
        frame = VideoFrame(self.frame.width, self.frame.height, self.pixels.name)
        return replace(self, frame=frame, is_decoded=False)

    def for_encoder(self) -> VideoFrame:
        """The frame, or a copy without what a decoder has noted in it, such as its picture type."""
        if self.is_decoded:
            fresh = self.blank()
            for plane, mine in zip(fresh.planes, self.planes, strict=True):
                columns = min(plane.shape[1], mine.shape[1])  # padded by each as it likes
                plane[:, :columns] = mine[:, :columns]
            return fresh.for_encoder()
        mark_colours(self.frame, self.pixels)
        return self.frame


def coded_frame(frame: VideoFrame, size: tuple[int, int], pixels: EncoderPixels) -> CodedFrame:
    """A decoded frame for its planes; one of another size (W, H) or layout is converted.

    Raises:
        ValueError, av.FFmpegError: it cannot be converted.
    """
    same = (frame.width, frame.height) == size
    if not same or layout_of(frame.format) != layout_of(VideoFormat(pixels.name)):
        frame = frame.reformat(width=size[0], height=size[1], format=planar_name(pixels.layout))
    return CodedFrame(frame, pixels)
