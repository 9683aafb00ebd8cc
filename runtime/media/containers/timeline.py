"""Times that go on where those of a file jump: recordings joined into one."""

from __future__ import annotations

from typing import Any

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet

__all__ = ["Timeline"]

_BACK_SECONDS, _AHEAD_SECONDS = 0.1, 10.0
"""Jumps that FFmpeg's command line takes for a new recording, too."""
_STEP_SECONDS = 0.0002
"""Least step between two packets of a stream: more than one unit of any sound's time base."""


class Timeline:
    """Moves the packets of an open file to where they belong.

    MPEG streams may be joined end to end (`cat a.ts b.ts`). The first stream that jumps says how
    far the new recording is to be moved; the others follow when they come to the seam, for the
    last picture of the old recording may lie behind the first sound of the new one.
    """

    def __init__(self, container: InputContainer) -> None:
        flags: Any = container.format.flags  # a number, whatever PyAV's stubs say
        self._may_jump = bool(flags & Flags.ts_discont.value)
        self._newest = 0.0
        self._offsets: dict[int, float] = {}
        self._ends: dict[int, float] = {}
        self._last_dts: dict[int, int] = {}

    def place(self, packet: Packet[Any]) -> None:
        """Gives a packet, taken in the order of the file, its time."""
        unit = packet.time_base
        if not self._may_jump or packet.dts is None or not unit:
            return
        index = packet.stream_index
        begin = float(packet.dts * unit)
        offset = self._offset(index, begin)
        self._offsets[index] = offset
        self._ends[index] = begin + offset + float((packet.duration or 0) * unit)
        units = round(offset / unit)
        dts = packet.dts + units
        if units and index in self._last_dts:  # the old recording's sound may overlap the new one's
            dts = max(dts, self._last_dts[index] + max(1, round(_STEP_SECONDS / unit)))
        self._last_dts[index] = dts
        if units:
            packet.pts = None if packet.pts is None else max(packet.pts + units, dts)
            packet.dts = dts

    def _offset(self, index: int, begin: float) -> float:
        """Seconds to add to a packet of this stream that says `begin`."""
        offset = self._offsets.get(index, self._newest)
        end = self._ends.get(index)
        if end is None or -_BACK_SECONDS <= begin + offset - end <= _AHEAD_SECONDS:
            return offset
        if self._newest != offset and -1 <= begin + self._newest - end <= _AHEAD_SECONDS:
            return self._newest
        self._newest = end - begin
        return self._newest
