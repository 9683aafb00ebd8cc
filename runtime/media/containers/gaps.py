"""Counts the frames that a damaged file lacks, by the times of those that it has."""

from __future__ import annotations

__all__ = ["Gaps"]

_NEAR_SECONDS = 1.0
"""Damage and its gap lie a reordering of frames apart at most."""


class Gaps:
    """The gaps between the frames of a video, and whether damage has made them.

    A gap alone proves nothing: of a video with a variable rate a frame may last as long as it
    likes. Frames are missing where a gap lies at a place that is known to be damaged, such as one
    at which a transport stream's packets do not follow each other, and where every other frame
    follows at once.
    """

    def __init__(self) -> None:
        self._end: float | None = None
        self._damage: list[float] = []
        self._gaps: list[tuple[float, float, int]] = []

    def add_damage(self, seconds: float) -> None:
        """Notes the time of a damaged packet or frame."""
        self._damage.append(seconds)

    def add_frame(self, seconds: float, duration: float) -> None:
        """Notes a frame, in order of presentation; `duration` as the container has it."""
        if self._end is not None and duration > 0:
            missing = round((seconds - self._end) / duration)
            if missing > 0:
                self._gaps.append((self._end, seconds, missing))
        self._end = seconds + duration

    @property
    def missing(self) -> int:
        """The number of frames that are missing; 0 for a variable rate."""
        total = 0
        for begin, end, frames in self._gaps:
            if not any(begin - _NEAR_SECONDS <= t <= end + _NEAR_SECONDS for t in self._damage):
                return 0
            total += frames
        return total
