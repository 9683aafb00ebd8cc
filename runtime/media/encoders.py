"""Video encoders: which one a file takes, how it is set, and the pixels that it is given."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from fractions import Fraction

from av.codec import Codec
from av.codec.codec import Capabilities
from av.video.format import VideoFormat

from ..errors import UsageError
from .notices import Notices
from .pixels.colour import BT601, Colours
from .pixels.frame_pixels import EncoderPixels
from .pixels.hdr import Mastering
from .pixels.pixel_layout import PixelLayout, encoder_format, layout_of
from .video_look import VideoLook

__all__ = [
    "CODECS",
    "EncoderOptions",
    "calm_threads",
    "device_advice",
    "encoder_pixels",
    "encoder_rate",
    "encoder_settings",
    "encoder_time_base",
    "planar_pixels",
    "with_mastering",
]

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""Common names and the encoders behind them."""
_SETTINGS = {
    # Fast presets: on a small computer the encoder must not be what one waits for.
    # At 1920x1080 superfast takes 75 ms of CPU time a frame, this 32, for files 29 % larger.
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libsvtav1": {"preset": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
}
_LOW_LATENCY = {
    # Parameter sets before every key frame: who joins later need not have seen the first.
    "libx264": {"tune": "zerolatency", "forced-idr": "1", "x264-params": "repeat-headers=1"},
    "libx265": {
        "tune": "zerolatency",
        "forced-idr": "1",
        "x265-params": "log-level=error:repeat-headers=1",
    },
    "libsvtav1": {"svtav1-params": "pred-struct=1"},
    "libvpx-vp9": {"lag-in-frames": "0"},
}
"""What makes an encoder answer each frame at once, without a look ahead."""
os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 greets on standard error
_QUANTISED = frozenset({"mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "msmpeg4", "wmv1", "wmv2"})
"""Encoders that take a quantiser instead of a CRF; without one they aim at 200 kbit/s."""
_MAXIMUM_RATES = {"libsvtav1": 240}
"""Frames per second; the times of the frames say what is beyond."""
_FIXED_RATE = frozenset({"mpeg1video", "mpeg2video"})
"""Encoders that know no times between those of their rate."""
_FINEST_MPEG4 = 65_535
_LIMITED_ALONE = frozenset({"mpeg1video", "mpeg2video", "prores", "prores_ks", "prores_aw"})
"""Encoders whose streams cannot say that they have the full range."""
_FULL_ALONE = frozenset({"mjpeg"})
_EVEN_ALONE = frozenset({"h264", "hevc"})
"""Codecs whose chroma of half size allows no odd sides."""
_COMMON = "yuv420p"
_NO_DEEP = frozenset({".avi", ".flv", ".wmv", ".asf", ".3gp", ".3g2", ".mpg", ".mpeg"})
"""Containers for players that know no HEVC."""


@dataclass(frozen=True)
class EncoderOptions:
    """How the result is encoded."""

    codec: str | None = None
    """A key of CODECS or any video encoder in PyAV's FFmpeg; None takes H.264, VP9 in a .webm, and
    for more than 8 bits HEVC, AV1 in a .webm."""
    quality: int = 20
    """CRF, lower is better and larger; encoders outside CODECS keep their own setting, but for
    NVENC's, whose constant quality it is."""

    def encoder(self, suffix: str, look: VideoLook | None = None, *, alpha: bool = False) -> str:
        """The encoder for a file of this suffix.

        Args:
            look: of the source; None for one of 8 bits.
            alpha: whether frames have it.

        Raises:
            UsageError: no such video encoder.
        """
        codec = self.codec or self._default(suffix, look or VideoLook(), alpha=alpha)
        name = CODECS.get(codec, codec)
        try:
            if Codec(name, "w").type == "video":
                return name
        except ValueError:
            pass
        raise UsageError(f"no video encoder named {codec!r}; use one of {', '.join(CODECS)}")

    def _default(self, suffix: str, look: VideoLook, *, alpha: bool) -> str:
        deep = look.layout.depth > 8 and not look.layout.is_rgb
        if suffix == ".webm":
            return "av1" if deep and not alpha else "vp9"
        if alpha and suffix == ".mov":
            return "prores_ks"
        return "hevc" if deep and suffix not in _NO_DEEP else "h264"


def encoder_settings(
    options: EncoderOptions,
    encoder: str,
    suffix: str,
    pixels: EncoderPixels,
    *,
    low_latency: bool = False,
) -> dict[str, str]:
    """The encoder's own options.

    Args:
        low_latency: each frame comes out before the next goes in.
    """
    no_reordering = {"bf": "0"} if suffix == ".avi" else {}  # AVI cannot hold it
    if encoder in _QUANTISED:
        return {"flags": "+qscale", "global_quality": str(118 * max(2, options.quality // 6))}
    if encoder == "prores_ks" and pixels.layout.chroma == (0, 0):
        return {"profile": "4444"}
    if encoder.endswith("_nvenc"):  # else it aims at 2 Mbit/s
        return {"rc": "vbr", "cq": str(min(max(1, options.quality), 51)), "b": "0"}
    if encoder not in _SETTINGS:
        return {}
    at_once = _LOW_LATENCY[encoder] if low_latency else {}
    return {"crf": str(options.quality), **_SETTINGS[encoder], **no_reordering, **at_once}


def device_advice(codec: str | None) -> str:
    """The end of a message that `EncoderOptions.codec` cannot be opened; empty for software."""
    if codec is None or codec in CODECS:
        return ""
    on_device = Capabilities.hardware | Capabilities.hybrid  # QSV counts as hybrid
    if Codec(codec, "w").capabilities & on_device:
        return f"; {codec} needs its device and driver, choose another --codec"
    return ""


def with_mastering(
    settings: dict[str, str], mastering: Mastering | None, encoder: str, notices: Notices
) -> dict[str, str]:
    """The same settings, with the metadata of HDR10 where the encoder takes it."""
    if mastering is None:
        return settings
    added = mastering.encoder_options(encoder)
    if not added:
        notices.add(f"the mastering metadata of HDR is dropped: {encoder} does not write it")
    return settings | {k: ":".join(filter(None, (settings.get(k), v))) for k, v in added.items()}


def calm_threads() -> None:
    """Gives the threads of this process their ordinary priority back.

    SVT-AV1 makes its own and its caller's threads real-time ones where it runs as root, as in a
    container: nothing else on the computer then runs while they do (4.1).
    """
    if not hasattr(os, "sched_getscheduler"):
        return
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/task"):  # noqa: PTH208  # numbers
            with contextlib.suppress(OSError):  # a thread that has ended
                if os.sched_getscheduler(int(name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(name), os.SCHED_OTHER, os.sched_param(0))


def encoder_rate(encoder: str, rate: Fraction) -> Fraction:
    """The frames per second that an encoder is told."""
    return min(rate, Fraction(_MAXIMUM_RATES.get(encoder, rate)))


def encoder_time_base(encoder: str, suffix: str, rate: Fraction, time_base: Fraction) -> Fraction:
    """The unit of the times that an encoder is given: that of the source where it takes it."""
    too_fine = encoder == "mpeg4" and time_base.denominator > _FINEST_MPEG4
    # An AVI file has a number for every frame and no times.
    numbered = suffix == ".avi" or encoder in _FIXED_RATE or too_fine
    return 1 / rate if numbered else time_base


def encoder_pixels(
    encoder: str, look: VideoLook, size: tuple[int, int], *, alpha: bool, notices: Notices
) -> EncoderPixels:
    """The pixel format for the encoder, as near to the source's as it takes.

    Args:
        size: width and height of the result's frames.
        alpha: whether they have it.
        notices: takes what is lost.
    """
    offered = [layout.name for layout in Codec(encoder, "w").video_formats or ()]
    offered = offered or [_COMMON]  # rawvideo takes all
    if encoder == "libx265":  # few decoders know HEVC's alpha
        offered = [name for name in offered if not name.startswith("yuva")]
    even = Codec(encoder, "w").canonical_name not in _EVEN_ALONE or not any(
        side % 2 for side in size
    )
    wanted = PixelLayout(look.layout.depth, look.layout.chroma, look.layout.is_rgb, alpha)
    for_players = encoder in CODECS.values()
    name = encoder_format(offered, wanted, even=even, for_players=for_players)
    layout = layout_of(VideoFormat(name))
    colours = look.colours.with_range(full=_full_range(encoder, look.colours, layout))
    if encoder in _FULL_ALONE:  # JPEG has BT.601's matrix alone (JFIF 1.02)
        colours = replace(colours, matrix=BT601)
    if alpha and not layout.alpha:
        notices.add(f"transparency is dropped: {encoder} holds none")
    if look.layout.depth > layout.depth:
        shown = " of PQ or HLG, which may show bands" if look.curve else ""
        notices.add(
            f"{look.layout.depth} bits become {layout.depth}{shown}: {encoder} takes no more"
        )
    if not even and _is_coarser(wanted, layout):
        notices.add(f"odd sides: {wanted.name} becomes {layout.name}, which not every player shows")
    if _is_coarser(layout, wanted):
        notices.add(f"colours are stored in less detail: {wanted.name} becomes {layout.name}")
    return EncoderPixels(name, layout, colours)


def planar_pixels(encoder: str, look: VideoLook) -> EncoderPixels | None:
    """The pixel format in which the encoder takes the source's planes as they are.

    The one choice between the two ways of a video: None where its frames become RGB in between.
    """
    if not look.may_stay_planar:
        return None
    target = encoder_pixels(encoder, look, look.size, alpha=False, notices=Notices())
    own, layout = look.layout, target.layout
    same = (layout.depth, layout.chroma) == (own.depth, own.chroma)
    same = same and target.colours == look.colours
    return target if same and layout.is_planar_yuv and layout.has_chroma else None


def _full_range(encoder: str, colours: Colours, layout: PixelLayout) -> bool:
    if encoder in _FULL_ALONE or layout.is_rgb:
        return True
    return colours.full_range and encoder not in _LIMITED_ALONE


def _is_coarser(layout: PixelLayout, wanted: PixelLayout) -> bool:
    return any(a > b for a, b in zip(layout.chroma, wanted.chroma, strict=True))
