"""The one place for everything that is dropped, changed or guessed on the way of a file.

Readers and writers of pictures and videos add a sentence for each such thing; a run prints them on
standard error, one a line, and lists them as `notices` in `--json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["Notices"]


class Notices:
    """Sentences about one file or live input, each told once."""

    def __init__(self) -> None:
        self.on_add: Callable[[str], None] | None = None
        """Called with each new sentence, for a run without an end at which to print them."""
        self._sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Adds a sentence without a full stop: `transparency is dropped: h264 has none`."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)
            if self.on_add:
                self.on_add(sentence)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._sentences))

    def __len__(self) -> int:
        return len(self._sentences)
