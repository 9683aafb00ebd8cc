"""Damages files by their structure: chunks of PNG, directories of TIFF, boxes of MP4, RIFF, JPEG.

Random bits seldom get past a checksum or a length. Here lengths, counts and sizes are set to their
extremes, parts are left out, doubled, swapped or invented, and checksums are right again.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

__all__ = ["restructured"]

_EXTREMES = (0, 1, 2, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 30_000, 2**24, 2**28)
_EXTREMES += (2**31 - 1, 2**31, 2**32 - 9, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def restructured(data: bytes, rng: random.Random) -> bytes:
    """The same file with its structure damaged; as it is where it has none that is known."""
    damage: Callable[[bytes, random.Random], bytes] | None = None
    if data.startswith(_SIGNATURE):
        damage = _png
    elif data[:4] in (b"II*\0", b"II+\0"):
        damage = _tiff
    elif data[4:8] == b"ftyp":
        damage = _boxes
    elif data[:4] == b"RIFF":
        damage = _riff
    elif data[:2] == b"\xff\xd8":
        damage = _jpeg
    for _ in range(rng.choice([1, 1, 1, 2, 4]) if damage else 0):
        assert damage is not None
        data = damage(data, rng)
    return data


def _extreme(rng: random.Random, size: int, near: int = 0) -> int:
    """A number of so many bytes: an extreme one, or one beside another."""
    value = rng.choice([*_EXTREMES, near - 1, near + 1, near * 2])
    return int(value & ((1 << 8 * size) - 1))


def _rearranged(parts: list[bytes], rng: random.Random) -> list[bytes]:
    """One part gone, doubled, swapped with another or moved to the end."""
    at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    kind = rng.choice(["gone", "again", "swapped", "moved"])
    if kind == "gone":
        return parts[:at] + parts[at + 1 :]
    if kind == "again":
        return parts[:at] + [parts[at]] * rng.choice([2, 3, 50]) + parts[at + 1 :]
    parts = list(parts)
    if kind == "swapped":
        parts[at], parts[other] = parts[other], parts[at]
    else:
        parts.append(parts.pop(at))
    return parts


def _chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    said = len(body) if length is None else length
    return struct.pack(">I", said) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(data: bytes, rng: random.Random) -> bytes:
    chunks: list[bytes] = []
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        end = position + 12 + min(struct.unpack_from(">I", data, position)[0], len(data))
        chunks.append(data[position:end])
        position = end
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    kind = rng.choice(["length", "header", "arranged", "animation", "text", "bomb", "hidden"])
    if kind == "length":
        length = _extreme(rng, 4, len(chunks[at]) - 12)
        chunks[at] = struct.pack(">I", length) + chunks[at][4:]
    elif kind == "header":
        sides = [_extreme(rng, 4, 64), rng.choice([1, 64, _extreme(rng, 4, 64)])]
        rng.shuffle(sides)
        depth, colours = rng.choice([1, 2, 4, 8, 16, 32]), rng.randrange(8)
        packed = struct.pack(">IIBBBBB", *sides, depth, colours, 0, 0, rng.randrange(2))
        chunks[0] = _chunk(b"IHDR", packed)
    elif kind == "arranged":
        chunks = _rearranged(chunks, rng)
    elif kind == "bomb":
        packed = zlib.compress(bytes(rng.choice([10**6, 3 * 10**7])))
        name, head = rng.choice(
            [(b"iCCP", b"x\0\0"), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\1\0\0\0"), (b"IDAT", b"")]
        )
        chunks.insert(1, _chunk(name, head + packed))
    elif kind == "text":
        name = rng.choice([b"tEXt", b"eXIf", b"tRNS", b"PLTE", b"pHYs", b"cICP", b"sPLT", b"hIST"])
        chunks.insert(at, _chunk(name, rng.randbytes(rng.choice([0, 1, 9, 300, 70_000]))))
    else:
        added = _animation(rng)
        if kind == "hidden":
            added.insert(0, _chunk(b"tEXt", b"Comment\0IDAT"))
        place = rng.choice([1, at, len(chunks)])
        chunks[place:place] = added
    return _SIGNATURE + b"".join(chunks)


def _animation(rng: random.Random) -> list[bytes]:
    """Chunks of an animated PNG, right and wrong ones."""
    sides = [rng.choice([0, 1, 64, _extreme(rng, 4, 64)]) for _ in range(4)]
    made = [_chunk(b"acTL", struct.pack(">II", _extreme(rng, 4, 2), _extreme(rng, 4)))]
    for number in range(rng.choice([0, 1, 2, 5])):
        control = struct.pack(">5IHHBB", number, *sides, 1, 10, rng.randrange(4), rng.randrange(3))
        made.append(_chunk(b"fcTL", control, rng.choice([None, None, _extreme(rng, 4, 26)])))
        pixels = rng.choice([b"", zlib.compress(bytes(300)), rng.randbytes(40)])
        made.append(_chunk(b"fdAT", struct.pack(">I", number) + pixels))
    rng.shuffle(made)
    return made[: rng.randrange(1, len(made) + 1)]


_TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325)
_TAGS += (330, 338, 339, 347, 530, 34665)


def _tiff(data: bytes, rng: random.Random) -> bytes:
    """Changes the first directory and writes it anew at the end, in the same or the other form."""
    is_big = data[2] == 43
    entries = _entries(data, is_big)
    if entries is None:
        return data
    at = rng.randrange(len(entries)) if entries else 0
    kind = rng.choice(
        ["value", "value", "type", "count", "added", "tiles", "gone", "other", "next"]
    )
    following = 0
    if kind in ("value", "type", "count") and entries:
        entry = entries[at]
        if kind == "value":
            entry[3] = _extreme(rng, 8, entry[3])
        elif kind == "count":
            entry[2] = _extreme(rng, 8, entry[2])
        else:
            entry[1] = rng.choice([*range(19), 0xFFFF])
    elif kind == "added":
        entries.append([rng.choice(_TAGS), rng.choice([3, 4, 16]), 1, _extreme(rng, 8, 64)])
    elif kind == "tiles":
        for tag in (322, 323):
            entries.append([tag, rng.choice([3, 4, 16]), 1, rng.choice([16, 64, 4096, 30_000])])
        entries.append([324, 4, 1, 8])
        entries.append([325, 4, 1, 100])
    elif kind == "gone" and entries:
        del entries[at]
    elif kind == "other":
        is_big = not is_big
        if is_big:
            for entry in entries:
                if entry[0] in (256, 257, 273, 278, 279) and entry[2] == 1:
                    entry[1] = 16
    elif kind == "next":
        following = rng.choice([8, len(data), len(data) + 2, _extreme(rng, 8, len(data))])
    return _with_directory(data, entries, is_big, following)


def _entries(data: bytes, is_big: bool) -> list[list[int]] | None:
    """Tag, type, count and value or offset of each entry."""
    layout, count, first = ("<HHQQ", "<Q", 8) if is_big else ("<HHII", "<H", 4)
    try:
        start = struct.unpack_from("<Q" if is_big else "<I", data, first)[0]
        number = min(struct.unpack_from(count, data, start)[0], 200)
        begin, size = start + struct.calcsize(count), struct.calcsize(layout)
        return [list(struct.unpack_from(layout, data, begin + i * size)) for i in range(number)]
    except struct.error:
        return None


def _with_directory(data: bytes, entries: list[list[int]], is_big: bool, following: int) -> bytes:
    letter, count = ("Q", "Q") if is_big else ("I", "H")
    mask = 2**64 - 1 if is_big else 2**32 - 1
    table = struct.pack(f"<{count}", len(entries)) + b"".join(
        struct.pack(f"<HH{letter}{letter}", tag, kind, number & mask, value & mask)
        for tag, kind, number, value in sorted(entries)
    )
    table += struct.pack(f"<{letter}", following & mask)
    # Behind a head of 16 bytes offsets of the pixels stay as they were: the head is written over.
    place = len(data) + len(data) % 2
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", place) if is_big else b"II*\0"
    head = head if is_big else head + struct.pack("<I", place)
    return head + data[len(head) :].ljust(place - len(head), b"\0") + table


_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf"})


def _boxes(data: bytes, rng: random.Random) -> bytes:
    """Changes a box of an MP4 (or AVIF) anywhere in the tree."""
    found = _found_boxes(data, 0, len(data))
    if not found:
        return data
    start, size = rng.choice(found)
    out = bytearray(data)
    kind = rng.choice(["size", "name", "gone", "again", "number", "number", "number", "wide"])
    if kind == "size":
        struct.pack_into(">I", out, start, _extreme(rng, 4, size))
    elif kind == "name":
        out[start + 4 : start + 8] = rng.choice([b"free", b"moov", b"trak", b"stbl", b"\0\0\0\0"])
    elif kind == "gone":
        del out[start : start + size]
    elif kind == "again":
        out[start:start] = out[start : start + size] * rng.choice([1, 2, 20])
    elif kind == "wide":
        out[start : start + 8] = struct.pack(">I4sQ", 1, data[start + 4 : start + 8], size)
    elif size >= 12:
        at = start + rng.choice([8, 12, 16, rng.randrange(8, size - 3), rng.randrange(8, size - 3)])
        if at + 4 <= len(out):
            near = struct.unpack_from(">I", out, at)[0]
            struct.pack_into(">I", out, at, _extreme(rng, 4, near))
    return bytes(out)


def _found_boxes(data: bytes, begin: int, end: int) -> list[tuple[int, int]]:
    found = []
    while begin + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, begin)
        if size < 8 or begin + size > end:
            break
        found.append((begin, size))
        if name in _CONTAINERS:
            found += _found_boxes(data, begin + 8, begin + size)
        begin += size
    return found


def _riff(data: bytes, rng: random.Random) -> bytes:
    """Changes a chunk of a WebP or AVI."""
    chunks: list[bytes] = []
    position = 12
    while position + 8 <= len(data):
        length = struct.unpack_from("<I", data, position + 4)[0]
        end = position + 8 + min(length + length % 2, len(data))
        chunks.append(data[position:end])
        position = end
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    kind = rng.choice(["length", "canvas", "arranged", "number", "number"])
    if kind == "length":
        length = _extreme(rng, 4, len(chunks[at]) - 8)
        chunks[at] = chunks[at][:4] + struct.pack("<I", length) + chunks[at][8:]
    elif kind == "arranged":
        chunks = _rearranged(chunks, rng)
    elif kind == "canvas" and data[8:12] == b"WEBP":
        sides = b"".join(_extreme(rng, 3, 64).to_bytes(3, "little") for _ in range(2))
        body = bytes([rng.choice([0, 2, 16, 18, 255]), 0, 0, 0]) + sides
        chunks.insert(0, b"VP8X" + struct.pack("<I", 10) + body)
        if rng.random() < 0.3:
            frame = bytes(6) + sides + bytes(4) + chunks[-1]
            chunks.append(b"ANIM" + struct.pack("<I", 6) + bytes(6))
            chunks.append(b"ANMF" + struct.pack("<I", len(frame)) + frame)
    elif len(chunks[at]) > 12:
        part = bytearray(chunks[at])
        place = rng.randrange(8, min(len(part) - 3, 400))
        struct.pack_into("<I", part, place, _extreme(rng, 4, 64))
        chunks[at] = bytes(part)
    body = b"".join(chunks)
    said = rng.choice([len(body) + 4, len(body) + 4, _extreme(rng, 4, len(body) + 4)])
    return b"RIFF" + struct.pack("<I", said) + data[8:12] + body


def _jpeg(data: bytes, rng: random.Random) -> bytes:
    """Changes a segment before the pixels."""
    segments: list[bytes] = []
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        segments.append(data[position:end])
        position = end
    if not segments:
        return data
    at = rng.randrange(len(segments))
    kind = rng.choice(["length", "size", "arranged", "second", "invented"])
    if kind == "length":
        length = _extreme(rng, 2, len(segments[at]) - 2)
        segments[at] = segments[at][:2] + struct.pack(">H", length) + segments[at][4:]
    elif kind == "arranged":
        segments = _rearranged(segments, rng)
    elif kind == "invented":
        body = rng.randbytes(rng.choice([0, 1, 14, 300]))
        marker = rng.randrange(0xC0, 0xFF)
        segments.insert(at, struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
    else:
        frames = [i for i, s in enumerate(segments) if s[1] in (0xC0, 0xC1, 0xC2) and len(s) > 9]
        if frames:
            frame = bytearray(segments[frames[0]])
            struct.pack_into(">HH", frame, 5, _extreme(rng, 2, 64), _extreme(rng, 2, 80))
            if kind == "second":
                segments.insert(at, bytes(frame))
            else:
                segments[frames[0]] = bytes(frame)
    return data[:2] + b"".join(segments) + data[position:]
