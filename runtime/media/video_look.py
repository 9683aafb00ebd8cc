"""The look of a video's frames: size, layout, colours, orientation, light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from .containers.spherical import Sphere, sphere_of, stereo_of
from .notices import Notices
from .pixels.colour import UNSPECIFIED, Colours, colours_of
from .pixels.frame_pixels import colours_of_frame
from .pixels.hdr import DisplayView, HdrCurve, Mastering, curve_of, mastering_of, view_of
from .pixels.orientation import UPRIGHT, orientation_of_matrix
from .pixels.pixel_layout import PixelLayout, layout_of

__all__ = ["VideoLook", "look_of"]


def _of_unknown_type(kind: type[Type], number: object) -> Any:
    """A type of side data that FFmpeg has and PyAV's list has not."""
    unknown: Any = object.__new__(kind)
    unknown._name_, unknown._value_ = f"TYPE_{number}", number
    return unknown


# PyAV 17.1 raises for the whole frame where one of its data is of such a type: 31 is the EXIF that
# cameras write into the frames of Motion JPEG, 29 tells the eye of a spatial video.
Type._missing_ = classmethod(_of_unknown_type)  # type: ignore[assignment]


_WITH_NAMED_PROFILES = frozenset({"png", "apng"})
"""Decoders that give a frame's colour profile a name. PyAV 17.1 frees the name twice, once with
`frame.side_data`, which ends the process or worse: of their frames, only the angle is read."""
_TURNED = {-90: 6, 90: 8, 180: 3, -180: 3}
"""The orientation as EXIF numbers it, by the angle in degrees that PyAV gives."""


@dataclass(frozen=True)
class VideoLook:
    """The properties that a result takes over from the frames it is made of."""

    size: tuple[int, int] = (0, 0)
    """Width and height of the frames as they are stored."""
    colours: Colours = Colours()  # noqa: RUF009  # frozen
    layout: PixelLayout = PixelLayout()  # noqa: RUF009  # frozen
    orientation: int = UPRIGHT
    """The orientation as EXIF numbers it; frames come upright."""
    curve: HdrCurve | None = None
    """The transfer curve of PQ and HLG."""
    view: DisplayView | None = None
    """The view on an SDR display, for HDR and wide colours."""
    mastering: Mastering | None = None
    stereo: int | None = None
    """FFmpeg's kind of stereoscopy: 1 side by side, 2 one above the other."""
    sphere: Sphere | None = None
    """The projection of a panorama."""

    @property
    def may_stay_planar(self) -> bool:
        """True if frames can be dehazed in their planes: upright SDR YUV of even sides, no alpha.

        HDR and wide colours are dehazed as a display shows them, which is not linear in the codes.
        """
        layout = self.layout
        return (
            layout.has_chroma
            and not (layout.is_rgb or layout.alpha)
            and max(layout.chroma) <= 1
            and not any(side % 2 for side in self.size)
            and self.orientation == UPRIGHT
            and self.curve is None
            and self.view is None
        )

    def on_display(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a `TimedFrame`'s pixels, as an SDR display shows them."""
        if self.view:
            return self.view(pixels)
        if pixels.dtype == np.uint16:
            pixels = np.rint(pixels / 257)
        shown: NDArray[np.uint8] = pixels.astype(np.uint8, copy=False)
        return shown

    def of_display(self, size: tuple[int, int], notices: Notices) -> VideoLook:
        """The look of the frames that `on_display` returns.

        Args:
            size: their width and height.
            notices: takes what such frames do not hold.
        """
        colours = self.colours
        if self.view:
            colours, _ = colours_of(*(UNSPECIFIED,) * 3, size[1])
            notices.add(
                "PQ or HLG is taken as an SDR display shows it: light beyond white, at 203 cd/m², "
                "is cut off, and so are the tags of HDR"
                if self.curve
                else "wide colours are taken as an SDR display with BT.709's primaries shows them"
            )
        if self.layout.depth > 8:
            notices.add(f"{self.layout.depth} bits become 8, as with all live frames")
        return VideoLook(size=size, colours=colours)


def look_of(frame: VideoFrame, codec: str, notices: Notices) -> VideoLook:
    """The look of a video by its first frame.

    Args:
        codec: the name of the decoder, such as `h264`.
        notices: takes what had to be guessed.
    """
    colours, guessed = colours_of_frame(frame, frame.height)
    if guessed:
        notices.add(
            f"the colour matrix {int(frame.colorspace)} of ITU-T H.273 is taken for "
            f"{colours.matrix}"
        )
    data: dict[str, bytes] = {}
    orientation, exact = _TURNED.get(frame.rotation, UPRIGHT), True
    if codec not in _WITH_NAMED_PROFILES:
        items: Any = frame.side_data  # PyAV's stubs take it for a mapping of names
        data = {item.type.name: bytes(item) for item in items}
    if "DISPLAYMATRIX" in data:
        orientation, exact = orientation_of_matrix(data["DISPLAYMATRIX"])
    if not exact:
        notices.add("the video is turned by a whole quarter, not by the angle that it says")
    if "DOVI_METADATA" in data or "DYNAMIC_HDR_PLUS" in data:
        notices.add("dynamic HDR metadata (Dolby Vision, HDR10+) is dropped")
    stereo = stereo_of(data["STEREO3D"]) if "STEREO3D" in data else None
    sphere = sphere_of(data["SPHERICAL"]) if "SPHERICAL" in data else None
    if "SPHERICAL" in data and sphere is None:
        notices.add("the mark of a panorama is dropped: its projection cannot be written")
    return VideoLook(
        size=(frame.width, frame.height),
        colours=colours,
        layout=layout_of(frame.format),
        orientation=orientation,
        curve=curve_of(colours.transfer),
        view=view_of(colours.transfer, colours.primaries),
        mastering=mastering_of(data),
        stereo=stereo,
        sphere=sphere,
    )
