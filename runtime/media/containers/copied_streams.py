"""Sound, subtitles, covers and attachments, taken over as far as a video file holds them."""

from __future__ import annotations

from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Disposition, Stream

from ...errors import OutputError, one_line
from ..notices import Notices
from .held import StreamWords
from .subtitle_text import converted, is_text

__all__ = ["TS_SOUND", "CopiedStreams"]

_MP4 = frozenset({".mp4", ".m4v", ".mov", ".3gp", ".3g2"})
_WITH_COVERS = frozenset({".mp4", ".m4v"})
"""Beside Matroska, which attaches them."""
_TS = frozenset({".ts", ".mts", ".m2ts"})
_TEXT_CODECS = {**dict.fromkeys(_MP4, "mov_text"), ".mkv": "subrip", ".webm": "webvtt"}
"""The codecs that text subtitles are converted to where the file cannot hold them as they are."""
_SUBTITLES = {
    **dict.fromkeys(_MP4, frozenset({"mov_text", "dvd_subtitle"})),
    **dict.fromkeys(_TS, frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"})),
    ".webm": frozenset({"webvtt"}),
    ".mpg": frozenset({"dvd_subtitle"}),
    ".mpeg": frozenset({"dvd_subtitle"}),
}
"""The subtitles that a file holds as they are; Matroska takes whatever FFmpeg lets it."""
TS_SOUND = frozenset(
    [
        "aac",
        "aac_latm",
        "mp1",
        "mp2",
        "mp3",
        "mp3float",
        "ac3",
        "eac3",
        "dts",
        "dca",
        "truehd",
        "opus",
        "pcm_bluray",
        "s302m",
    ]
)
"""The sound that an MPEG transport stream holds."""
_STALE_TAGS = ("encoder", "duration", "bps", "number_of_", "_statistics_", "rotate", "alpha_mode")

_QUICKTIME_LANGUAGES = {
    "deu": "ger",
    "ell": "gre",
    "isl": "ice",
    "nld": "dut",
    "sqi": "alb",
    "swe": "sve",
    "zho": "chi",
}
"""FFmpeg's names of QuickTime's languages, where they are not those of ISO 639-2/T (8.0)."""


class CopiedStreams:
    """The streams of a source beside the dehazed one, in the file that is written.

    Args:
        container: whose dehazed stream is already there.
        suffix: of the file's name, in lower case.
        early: packets that came before the first frame; covers are among them.
        notices: takes what the file cannot hold.

    Raises:
        OutputError: the file cannot hold the sound.
    """

    def __init__(
        self,
        container: OutputContainer,
        suffix: str,
        streams: list[Stream],
        early: list[Packet[Any]],
        notices: Notices,
    ) -> None:
        self._container = container
        self._suffix = suffix
        self._notices = notices
        self._covers = {packet.stream.index: bytes(packet) for packet in early if packet.size}
        self._copies: dict[int, Stream] = {}
        self._from_text: dict[int, tuple[Stream, str]] = {}
        self.words: list[StreamWords] = []
        """The languages, titles and flags that the file should hold."""
        kinds = {
            "audio": self._add_sound,
            "subtitle": self._add_subtitles,
            "video": self._add_video,
            "attachment": self._add_attachment,
        }
        for stream in streams:
            if stream.discard == Discard.all:  # the texts or pictures of the chapters, made anew
                continue
            kinds.get(stream.type, self._add_data)(stream)

    def _copy(self, stream: Stream) -> Stream:
        copy = self._container.add_stream_from_template(stream)
        self._describe(copy, stream)
        self._copies[stream.index] = copy
        return copy

    def _describe(self, copy: Stream, stream: Stream) -> None:
        tags = kept_tags(stream.metadata, self._suffix)
        copy.metadata.update(tags)
        copy.disposition = stream.disposition
        words = StreamWords(copy.index, tags, int(stream.disposition))
        self.words.append(words)

    def _add_sound(self, stream: Stream) -> None:
        name = stream.codec_context.name if stream.codec_context else "unknown"
        try:
            if self._suffix in _TS and name not in TS_SOUND:
                raise ValueError(f"MPEG transport streams hold no {name}")
            self._copy(stream)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(
                f"a {self._suffix} file cannot hold the audio stream "
                f"({one_line(error)[:80]}); name an .mkv output"
            ) from error

    def _add_subtitles(self, stream: Stream) -> None:
        name = stream.codec_context.name if stream.codec_context else "unknown"
        held = _SUBTITLES.get(self._suffix)
        if held is None or name in held:
            held_as_is = held is not None or self._suffix == ".mkv"
            try:
                if (held_as_is and name != "mov_text") or name in (held or ()):
                    self._copy(stream)
                    return
            except (av.FFmpegError, ValueError):
                pass
        target = _TEXT_CODECS.get(self._suffix)
        if target and stream.codec_context and is_text(name):
            copy = self._container.add_mux_stream(target)
            copy.time_base = stream.time_base
            self._describe(copy, stream)
            self._from_text[stream.index] = (copy, name)
            self._notices.add(f"subtitles are converted from {name} to {target}")
        else:
            self._drop("the subtitles", stream, f"({name})")

    def _add_video(self, stream: Stream) -> None:
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        what = "the cover" if is_cover else "a further video track"
        holds = self._suffix in _WITH_COVERS or not is_cover
        if is_cover and self._suffix == ".mkv" and stream.index in self._covers:
            kind = "png" if stream.codec_context and stream.codec_context.name == "png" else "jpeg"
            name = stream.metadata.get("filename") or f"cover.{kind.replace('jpeg', 'jpg')}"
            self._container.add_attachment(name, f"image/{kind}", self._covers[stream.index])
            return
        try:
            if not holds or stream.codec_context is None:
                raise ValueError
            copy = self._container.add_stream_from_template(stream, opaque=True)
        except (av.FFmpegError, ValueError):
            self._drop(what, stream)
            return
        self._describe(copy, stream)
        self._copies[stream.index] = copy
        if not is_cover:
            self._notices.add("a further video track is copied as it is, with its haze")

    def _add_attachment(self, stream: Stream) -> None:
        if self._suffix != ".mkv" or not isinstance(stream, AttachmentStream):
            self._drop("the attachment", stream, stream.metadata.get("filename", ""))
            return
        name = stream.name or f"attachment-{stream.index}"
        copy = self._container.add_attachment(
            name, stream.mimetype or "application/octet-stream", stream.data
        )
        copy.metadata.update(kept_tags(stream.metadata, self._suffix))

    def _add_data(self, stream: Stream) -> None:
        if "timecode" in stream.metadata and self._suffix in _MP4 | {".mkv", ".webm"}:
            return  # written anew from the tag of the video stream
        try:
            if self._suffix not in _MP4:
                raise ValueError
            self._copy(stream)
        except (av.FFmpegError, ValueError):
            self._drop("a data track", stream, stream.metadata.get("handler_name", ""))

    def _drop(self, what: str, stream: Stream, detail: str = "") -> None:
        language = stream.metadata.get("language", "")
        named = " ".join(filter(None, (what, detail, language if language != "und" else "")))
        self._notices.add(f"dropped, for a {self._suffix} file cannot hold it: {named}")

    def packet(self, packet: Packet[Any]) -> Packet[Any] | None:
        """The packet as the file takes it; None where its stream is left out."""
        index = packet.stream.index
        if index in self._from_text:
            copy, name = self._from_text[index]
            target = _TEXT_CODECS[self._suffix]
            made = converted(packet, name, target)
            if made is not None:
                made.stream = copy
            return made
        if index not in self._copies:
            return None
        if packet.dts is None:  # a cover
            packet.pts = packet.dts = 0
        packet.stream = self._copies[index]
        return packet


def kept_tags(tags: dict[str, str], suffix: str) -> dict[str, str]:
    """A stream's tags without those that its new form makes false.

    Args:
        suffix: of the file that is to hold them, in lower case.
    """
    kept = {k: v for k, v in tags.items() if not k.lower().startswith(_STALE_TAGS)}
    if suffix == ".mov" and (language := kept.get("language")):
        kept["language"] = _QUICKTIME_LANGUAGES.get(language, language)
    return kept
