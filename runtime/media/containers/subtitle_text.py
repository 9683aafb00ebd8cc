"""Subtitles of text from one kind of stream to another."""

from __future__ import annotations

import re
from typing import Any

from av.packet import Packet

__all__ = ["converted", "is_text"]

_TEXT = frozenset({"subrip", "srt", "text", "webvtt", "mov_text", "ass", "ssa"})
_ASS_FIELDS = 8
"""Fields before the text of a line in Matroska: ReadOrder, Layer, Style, Name, three margins and
Effect."""
_ASS_STYLE = re.compile(r"\{[^}]*\}")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>")


def is_text(codec: str) -> bool:
    """Returns whether subtitles of this codec hold text, not pictures."""
    return codec in _TEXT


def converted(packet: Packet[Any], source: str, target: str) -> Packet[Any] | None:
    """The same words at the same time in another kind of stream; None for an empty packet.

    Args:
        source: the codec of the packet.
        target: subrip, webvtt or mov_text.
    """
    words = _words(bytes(packet), source)
    if target == "mov_text":
        words = _without(_MARKUP, words, ">")
        data = words.encode()[:0xFFFF]
        made: Packet[Any] = Packet(len(data).to_bytes(2, "big") + data)
    elif not words:
        return None
    else:
        made = Packet(words.encode())
    made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
    made.duration = packet.duration
    made.is_keyframe = True
    return made


def _words(data: bytes, source: str) -> str:
    if source == "mov_text":
        size = int.from_bytes(data[:2], "big")
        return data[2 : 2 + size].decode(errors="replace").strip()
    words = data.decode(errors="replace").strip("\0\r\n ")
    if source in ("ass", "ssa"):
        fields = words.split(",", _ASS_FIELDS)
        words = _without(_ASS_STYLE, fields[-1], "}")
        words = words.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    return words


def _without(pattern: re.Pattern[str], words: str, end: str) -> str:
    """The words without all that a pattern finds, each of which ends with `end`.

    Behind the last one it is not searched: a megabyte of beginnings without an end takes hours.
    """
    reach = words.rfind(end) + 1
    return pattern.sub("", words[:reach]) + words[reach:]
