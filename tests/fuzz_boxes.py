"""Damages nested parts: boxes of MP4, HEIC, AVIF and JPEG XL, elements of Matroska, AVI, ASF, FLV.

A part anywhere in the tree gets an extreme size or number, another name, is left out or doubled.
What lies around a part mostly grows and shrinks with it, so that the rest is still found.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["extreme", "nested_damage", "packets_damaged"]

_EXTREMES = [0, 1, 2, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 30_000, 2**24, 2**28]
_EXTREMES += [2**31 - 1, 2**31, 2**32 - 9, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def extreme(rng: random.Random, size: int, near: int = 0) -> int:
    """A number of so many bytes: an extreme one, or one beside another."""
    value = rng.choice([*_EXTREMES, near - 1, near + 1, near * 2])
    return int(value & ((1 << 8 * size) - 1))


@dataclass(frozen=True)
class _Part:
    """A part of a file, with a head that says its size."""

    start: int
    name: tuple[int, int]
    """Where its name begins and ends."""
    said: tuple[int, int]
    """Where the number that says its size begins and ends."""
    content: int
    end: int
    order: Literal["big", "little"] = "big"
    has_marker: bool = False
    """The first bit that is set in the number for the size says how long the number is."""

    def with_size(self, data: bytearray, value: int) -> None:
        """Writes another size, as far as there is room for it."""
        begin, end = self.said
        bits = (7 if self.has_marker else 8) * (end - begin)
        value &= (1 << bits) - 1
        if self.has_marker:
            value |= 1 << bits
        data[begin:end] = value.to_bytes(end - begin, self.order)

    def size_in(self, data: bytes) -> int:
        """The number that is there now."""
        begin, end = self.said
        value = int.from_bytes(data[begin:end], self.order)
        return value & ((1 << 7 * (end - begin)) - 1) if self.has_marker else value


_Walker = Callable[[bytes, int, int], Iterator[_Part]]


def nested_damage(data: bytes) -> Callable[[bytes, random.Random], bytes] | None:
    """What damages a file of this kind; None for one that is not nested."""
    walker: _Walker | None = None
    if data[4:8] == b"ftyp" or data[4:8] == b"JXL ":
        walker = _boxes
    elif data[:4] == b"\x1a\x45\xdf\xa3":
        walker = _elements
    elif data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        walker = _lists
    elif data[:4] == _ASF_HEADER[:4]:
        walker = _objects
    elif data[:3] == b"FLV":
        walker = _tags
    if walker is None:
        return None
    found = walker
    return lambda content, rng: _damaged(content, list(found(content, 0, len(content))), rng)


def _damaged(data: bytes, parts: list[_Part], rng: random.Random) -> bytes:
    if not parts:
        return data
    out, part = bytearray(data), rng.choice(parts)
    kind = rng.choice(["size", "name", "number", "number", "number", "times", "moved"])
    if kind == "size":
        part.with_size(out, extreme(rng, 8, part.size_in(data)))
    elif kind == "name":
        other = rng.choice(parts)
        names = [data[slice(*other.name)], bytes(4), b"free", rng.randbytes(4)]
        begin, end = part.name
        out[begin:end] = rng.choice(names)[: end - begin].ljust(end - begin, b"\0")
    elif kind == "number":
        size = rng.choice([1, 2, 4, 4, 8])
        room = part.end - part.content - size
        if room >= 0:
            at = part.content + rng.choice([0, min(4, room), min(8, room), rng.randint(0, room)])
            value = extreme(rng, size, int.from_bytes(data[at : at + size], part.order))
            out[at : at + size] = value.to_bytes(size, part.order)
    else:
        inserted_at = part.start if kind == "times" else rng.choice(parts).start
        times = rng.choice([0, 2, 3, 20, 300]) if kind == "times" else 2
        added = data[part.start : part.end] * (times - 1)
        if times:
            out[inserted_at:inserted_at] = added
        else:
            del out[part.start : part.end]
        if rng.random() < 0.8:  # what lies around it knows
            grown = len(out) - len(data)
            for outer in parts:
                if outer.start < inserted_at < outer.end:
                    outer.with_size(out, outer.size_in(data) + grown)
    return bytes(out)


_INNER = dict.fromkeys(b"moov trak mdia minf stbl udta edts dinf mvex moof traf".split(), 0)
_INNER |= dict.fromkeys(b"iprp ipco sinf schi wave ilst".split(), 0)
_INNER |= dict.fromkeys(b"avc1 hvc1 hev1 av01 mp4v apcn apch rle".split(), 78)
_INNER |= {b"meta": 4, b"iref": 4, b"stsd": 8, b"dref": 8, b"iinf": 6, b"mp4a": 28}
"""Boxes that hold boxes, and how many bytes come before these (ISO/IEC 14496-12 and 23008-12)."""


def _boxes(data: bytes, begin: int, end: int) -> Iterator[_Part]:
    while begin + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, begin)
        size = size or end - begin
        if size < 8 or begin + size > end:
            return
        inner = begin + 8 + _INNER.get(name, 0)
        yield _Part(begin, (begin + 4, begin + 8), (begin, begin + 4), inner, begin + size)
        if name in _INNER:
            yield from _boxes(data, inner, begin + size)
        begin += size


_MASTERS = "1A45DFA3 18538067 114D9B74 4DBB 1549A966 1654AE6B AE E0 E1 6D80 6240 1F43B675 A0 "
_MASTERS += "1C53BB6B BB B7 1254C367 7373 63C0 67C8 55B0 55D0 7670 1941A469 61A7 1043A770 45B9 B6"
_MASTER_IDS = frozenset(bytes.fromhex(number) for number in _MASTERS.split())
"""Elements of Matroska that hold elements (RFC 9559, section 5.1)."""


def _elements(data: bytes, begin: int, end: int) -> Iterator[_Part]:
    while begin + 2 <= end:
        name_end = begin + 9 - data[begin].bit_length()
        if name_end >= end:
            return
        size_end = name_end + 9 - data[name_end].bit_length()
        size = int.from_bytes(data[name_end:size_end], "big")
        size &= (1 << 7 * (size_end - name_end)) - 1
        part_end = min(size_end + size, end)
        if size_end > end:
            return
        said = (name_end, size_end)
        yield _Part(begin, (begin, name_end), said, size_end, part_end, has_marker=True)
        if data[begin:name_end] in _MASTER_IDS:
            yield from _elements(data, size_end, part_end)
        begin = part_end


def _lists(data: bytes, begin: int, end: int) -> Iterator[_Part]:
    while begin + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, begin)
        is_list = name in (b"RIFF", b"LIST")
        part_end = min(begin + 8 + size + size % 2, end)
        inner = begin + (12 if is_list else 8)
        said = (begin + 4, begin + 8)
        yield _Part(begin, (begin, begin + 4), said, inner, part_end, "little")
        if is_list:
            yield from _lists(data, inner, part_end)
        begin = part_end


_ASF_HEADER = bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")
_ASF_MORE = bytes.fromhex("B503BF5F2EA9CF118EE300C00C205365")
"""The header and its extension, which hold objects behind 6 and 22 bytes."""


def _objects(data: bytes, begin: int, end: int) -> Iterator[_Part]:
    while begin + 24 <= end:
        name, size = data[begin : begin + 16], struct.unpack_from("<Q", data, begin + 16)[0]
        if size < 24:
            return
        part_end = min(begin + size, end)
        inner = begin + 24 + {_ASF_HEADER: 6, _ASF_MORE: 22}.get(name, 0)
        said = (begin + 16, begin + 24)
        yield _Part(begin, (begin, begin + 16), said, inner, part_end, "little")
        if name in (_ASF_HEADER, _ASF_MORE):
            yield from _objects(data, inner, part_end)
        begin = part_end


def _tags(data: bytes, begin: int, end: int) -> Iterator[_Part]:
    begin += 13  # the file's head, and the size of the tag before the first one
    while begin + 15 <= end:
        size = int.from_bytes(data[begin + 1 : begin + 4], "big")
        part_end = min(begin + 15 + size, end)
        yield _Part(begin, (begin, begin + 1), (begin + 1, begin + 4), begin + 11, part_end)
        begin = part_end


def packets_damaged(data: bytes, rng: random.Random) -> bytes:
    """Changes a packet of an MPEG transport stream; tables get their checksum anew."""
    size = 188 if data[0] == 0x47 else 192  # with four bytes of time before each, as in M2TS
    packets = [data[at : at + size] for at in range(0, len(data), size)]
    at = rng.randrange(min(len(packets), rng.choice([4, 12, 10_000])))
    kind = rng.choice(["gone", "again", "swapped", "number", "number", "table", "table"])
    if kind == "gone":
        del packets[at]
    elif kind == "again":
        packets[at:at] = [packets[at]] * rng.choice([1, 20, 300])
    elif kind == "swapped":
        other = rng.randrange(len(packets))
        packets[at], packets[other] = packets[other], packets[at]
    elif len(packets[at]) == size:
        packet, head = bytearray(packets[at]), size - 188
        place = rng.choice([head + 1, head + 3, head + 4, head + 5, rng.randrange(head, size)])
        packet[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if kind == "table":
            table = head + 5 + packet[head + 4]  # behind the pointer, where one is
            length = int.from_bytes(packet[table + 1 : table + 3], "big") & 0xFFF
            sum_at = table + 3 + length - 4
            if table < sum_at <= size - 4:
                packet[sum_at : sum_at + 4] = _mpeg_sum(bytes(packet[table:sum_at])).to_bytes(
                    4, "big"
                )
        packets[at] = bytes(packet)
    return b"".join(packets)


def _mpeg_sum(data: bytes) -> int:
    """CRC-32 as MPEG has it: the highest bit first (ISO/IEC 13818-1, annex A)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1) ^ (0x104C11DB7 if rest & 0x80000000 else 0)
    return rest
