"""Compares what a finished video file says of itself with what its source said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from ..notices import Notices

__all__ = ["StreamWords", "tell_lost_words"]

_FLAGS = {
    int(flag): words
    for flag, words in (
        (Disposition.default, "default"),
        (Disposition.forced, "forced"),
        (Disposition.comment, "comment"),
        (Disposition.hearing_impaired, "for the hard of hearing"),
        (Disposition.visual_impaired, "for the visually impaired"),
    )
}
_TITLES = ("title", "name", "handler_name")
"""The tags that may hold a stream's title; MP4 has the second, QuickTime the third."""
_FILE_TAGS = ("title", "artist", "album", "comment", "description", "copyright", "location")
_KINDS = {"audio": "sound", "subtitle": "subtitles"}


@dataclass(frozen=True)
class StreamWords:
    """The words of a source's stream."""

    index: int
    """The stream's place in the result."""
    tags: dict[str, str]
    disposition: int


def tell_lost_words(
    path: Path, streams: list[StreamWords], tags: dict[str, str], chapters: int, notices: Notices
) -> None:
    """Adds one notice with the languages, titles, flags and chapters that a file does not hold.

    Args:
        path: a finished file.
        tags: of the source as a whole.
        chapters: the number of the source's.
    """
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as file:
            kinds = [stream.type for stream in file.streams]
            lost = []
            for words in streams:
                if words.index < len(kinds):
                    stream = file.streams[words.index]
                    alone = kinds.count(stream.type) == 1
                    lost += _lost_of_stream(words, stream, alone=alone)
            held = {name.lower() for name in file.metadata}
            lost += [
                f"the {name} of the file"
                for name in _FILE_TAGS
                if name in _lowered(tags) and name not in held
            ]
            if chapters > len(file.chapters()):
                lost.append("the chapters")
    except (av.FFmpegError, OSError, ValueError):
        return  # who plays it will say so
    if lost:
        notices.add(f"dropped, for a {path.suffix} file cannot hold it: {', '.join(lost)}")


def _lost_of_stream(words: StreamWords, stream: Any, *, alone: bool) -> list[str]:
    """What a stream of the result lacks; alone in its kind, it is the default in any case."""
    said, held = _lowered(words.tags), _lowered(stream.metadata)
    kind = _KINDS.get(stream.type, stream.type)
    lost = []
    language = said.get("language", "und")
    if language not in ("und", held.get("language", "und")):
        lost.append(f"the language {language} of the {kind}")
    title = said.get("title")
    if title and title not in (held.get(name) for name in _TITLES):
        lost.append(f"the title {title} of the {kind}")
    gone = words.disposition & ~int(stream.disposition)
    gone &= ~int(Disposition.default) if alone else gone
    lost += [f"the mark {name} of the {kind}" for flag, name in _FLAGS.items() if gone & flag]
    return lost


def _lowered(tags: dict[str, str]) -> dict[str, str]:
    return {name.lower(): text for name, text in tags.items()}
