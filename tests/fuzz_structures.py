"""Damages files by their structure: chunks of PNG and WebP, directories of TIFF, segments of JPEG.

Random bits seldom get past a checksum or a length. Here lengths, counts and sizes are set to their
extremes, parts are left out, doubled, swapped or invented, and checksums are right again.
Boxes and other nested parts are damaged in fuzz_boxes.py.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from fuzz_boxes import extreme, nested_damage, packets_damaged

__all__ = ["inline_for_big", "restructured", "tiff_entries", "tiff_with"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def restructured(data: bytes, rng: random.Random) -> bytes:
    """The same file with its structure damaged; as it is where it has none that is known."""
    damage = nested_damage(data) or _flat_damage(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4]) if damage else 0):
        assert damage is not None
        data = damage(data, rng)
    return data


def _flat_damage(data: bytes) -> Callable[[bytes, random.Random], bytes] | None:
    if data.startswith(_SIGNATURE):
        return _png
    if data[:4] in (b"II*\0", b"II+\0", b"MM\0*"):
        return _tiff
    if data[:4] == b"RIFF":
        return _riff
    if data[:2] == b"\xff\xd8":
        return _jpeg
    if data[:2] == b"\xff\x0a":
        return _jpeg_xl
    if data[:1] == b"G" or data[4:5] == b"G":
        return packets_damaged
    return None


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
    kinds = ["length", "header", "arranged", "animation", "text", "bomb", "hidden", "exif"]
    kind = rng.choice(kinds)
    if kind == "length":
        length = extreme(rng, 4, len(chunks[at]) - 12)
        chunks[at] = struct.pack(">I", length) + chunks[at][4:]
    elif kind == "header":
        sides = [extreme(rng, 4, 64), rng.choice([1, 64, extreme(rng, 4, 64)])]
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
    elif kind == "exif":
        chunks.insert(1, _chunk(b"eXIf", _exif(rng)))
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
    sides = [rng.choice([0, 1, 64, extreme(rng, 4, 64)]) for _ in range(4)]
    made = [_chunk(b"acTL", struct.pack(">II", extreme(rng, 4, 2), extreme(rng, 4)))]
    for number in range(rng.choice([0, 1, 2, 5])):
        control = struct.pack(">5IHHBB", number, *sides, 1, 10, rng.randrange(4), rng.randrange(3))
        made.append(_chunk(b"fcTL", control, rng.choice([None, None, extreme(rng, 4, 26)])))
        pixels = rng.choice([b"", zlib.compress(bytes(300)), rng.randbytes(40)])
        made.append(_chunk(b"fdAT", struct.pack(">I", number) + pixels))
    rng.shuffle(made)
    return made[: rng.randrange(1, len(made) + 1)]


def _exif(rng: random.Random) -> bytes:
    """An EXIF block with further directories and a thumbnail, damaged."""
    first = [[271, 2, 4, 0x6D6143], [274, 3, 1, 6], [34665, 4, 1, 100], [34853, 4, 1, 160]]
    inner = [[40962, 3, 1, 80], [40963, 4, 1, 64], [37500, 7, 40, 60]]
    thumbnail = [[274, 3, 1, 6], [513, 4, 1, 300], [514, 4, 1, 90]]
    block = bytearray(b"II*\0\x08\0\0\0".ljust(400, b"\0"))
    for place, entries, following in ((8, first, 220), (100, inner, 0), (220, thumbnail, 0)):
        if rng.random() < 0.5:
            rng.choice(entries)[rng.randrange(4)] = extreme(rng, 4, 100)
        table = struct.pack("<H", len(entries))
        for tag, kind, number, value in entries:
            table += struct.pack("<HHII", tag & 0xFFFF, kind & 0xFFFF, number, value)
        table += struct.pack("<I", following)
        block[place : place + len(table)] = table
    if rng.random() < 0.2:
        struct.pack_into("<H", block, rng.choice([8, 100, 220]), extreme(rng, 2, 4))
    return bytes(block)


_TAGS = [254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325]
_TAGS += [330, 338, 339, 347, 530, 34665]


def _tiff(data: bytes, rng: random.Random) -> bytes:
    """Changes the first directory and writes it anew at the end, in the same or the other form."""
    is_big = 43 in data[2:4]
    entries = tiff_entries(data)
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
            entry[3] = extreme(rng, 8, entry[3])
        elif kind == "count":
            entry[2] = extreme(rng, 8, entry[2])
        else:
            entry[1] = rng.choice([*range(19), 0xFFFF])
    elif kind == "added":
        entries.append([rng.choice(_TAGS), rng.choice([3, 4, 16]), 1, extreme(rng, 8, 64)])
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
            inline_for_big(data, entries)
            for entry in entries:
                if entry[0] in (256, 257, 273, 278, 279) and entry[2] == 1:
                    entry[1] = rng.choice([entry[1], 16])
    elif kind == "next":
        following = rng.choice([8, len(data), len(data) + 2, extreme(rng, 8, len(data))])
    return tiff_with(data, entries, is_big=is_big, following=following)


def tiff_entries(data: bytes) -> list[list[int]] | None:
    """Tag, type, count and value or offset of each entry of the first directory."""
    order, is_big = _order(data), 43 in data[2:4]
    layout, count, first = ("HHQQ", "Q", 8) if is_big else ("HHII", "H", 4)
    try:
        start = struct.unpack_from(order + ("Q" if is_big else "I"), data, first)[0]
        number = min(struct.unpack_from(order + count, data, start)[0], 200)
        begin, size = start + struct.calcsize(order + count), struct.calcsize(order + layout)
        places = (begin + index * size for index in range(number))
        return [list(struct.unpack_from(order + layout, data, place)) for place in places]
    except struct.error:
        return None


def tiff_with(data: bytes, entries: list[list[int]], *, is_big: bool, following: int = 0) -> bytes:
    """The same TIFF with another first directory, at its end."""
    order = _order(data)
    letter, count = ("Q", "Q") if is_big else ("I", "H")
    mask = 2**64 - 1 if is_big else 2**32 - 1
    table = struct.pack(order + count, len(entries)) + b"".join(
        struct.pack(f"{order}HH{letter}{letter}", tag, kind, number & mask, value & mask)
        for tag, kind, number, value in sorted(entries)
    )
    table += struct.pack(order + letter, following & mask)
    # Behind a head of 16 bytes offsets of the pixels stay as they were: the head is written over.
    place = len(data) + len(data) % 2
    head = data[:2] + struct.pack(f"{order}H", 43 if is_big else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, place) if is_big else struct.pack(f"{order}I", place)
    return head + data[len(head) :].ljust(place - len(head), b"\0") + table


def inline_for_big(data: bytes, entries: list[list[int]]) -> None:
    """Puts values of 5 to 8 bytes into the entries, where a BigTIFF has them."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
    for entry in entries:
        size, at = sizes.get(entry[1], 1) * entry[2], entry[3]
        if 4 < size <= 8:
            value = data[at : at + size].ljust(8, b"\0")
            entry[3] = struct.unpack(f"{_order(data)}Q", value)[0]


def _order(tiff: bytes) -> str:
    return ">" if tiff[:1] == b"M" else "<"


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
        length = extreme(rng, 4, len(chunks[at]) - 8)
        chunks[at] = chunks[at][:4] + struct.pack("<I", length) + chunks[at][8:]
    elif kind == "arranged":
        chunks = _rearranged(chunks, rng)
    elif kind == "canvas" and data[8:12] == b"WEBP":
        sides = b"".join(extreme(rng, 3, 64).to_bytes(3, "little") for _ in range(2))
        body = bytes([rng.choice([0, 2, 16, 18, 255]), 0, 0, 0]) + sides
        chunks.insert(0, b"VP8X" + struct.pack("<I", 10) + body)
        if rng.random() < 0.3:
            frame = bytes(6) + sides + bytes(4) + chunks[-1]
            chunks.append(b"ANIM" + struct.pack("<I", 6) + bytes(6))
            chunks.append(b"ANMF" + struct.pack("<I", len(frame)) + frame)
    elif len(chunks[at]) > 12:
        part = bytearray(chunks[at])
        place = rng.randrange(8, min(len(part) - 3, 400))
        struct.pack_into("<I", part, place, extreme(rng, 4, 64))
        chunks[at] = bytes(part)
    body = b"".join(chunks)
    said = rng.choice([len(body) + 4, len(body) + 4, extreme(rng, 4, len(body) + 4)])
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
    kind = rng.choice(["length", "size", "arranged", "second", "invented", "exif", "scans"])
    if kind == "length":
        length = extreme(rng, 2, len(segments[at]) - 2)
        segments[at] = segments[at][:2] + struct.pack(">H", length) + segments[at][4:]
    elif kind == "arranged":
        segments = _rearranged(segments, rng)
    elif kind == "exif":
        body = b"Exif\0\0" + _exif(rng)
        segments.insert(0, struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body)
    elif kind == "scans":  # each of them goes over the whole picture
        data = data.removesuffix(b"\xff\xd9")
        scan = data[data.rfind(b"\xff\xda") :]
        data += scan * rng.choice([1, 20, 300])
    elif kind == "invented":
        body = rng.randbytes(rng.choice([0, 1, 14, 300]))
        marker = rng.randrange(0xC0, 0xFF)
        segments.insert(at, struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
    else:
        frames = [i for i, s in enumerate(segments) if s[1] in (0xC0, 0xC1, 0xC2) and len(s) > 9]
        if frames:
            frame = bytearray(segments[frames[0]])
            struct.pack_into(">HH", frame, 5, extreme(rng, 2, 64), extreme(rng, 2, 80))
            if kind == "second":
                segments.insert(at, bytes(frame))
            else:
                segments[frames[0]] = bytes(frame)
    return data[:2] + b"".join(segments) + data[position:]


def _jpeg_xl(data: bytes, rng: random.Random) -> bytes:
    """Changes bits of the header, where the sides stand, or behind it."""
    whole = int.from_bytes(data, "little")
    for _ in range(rng.choice([1, 2, 8])):
        start, count = (
            rng.randrange(16, rng.choice([40, 90, 400])),
            rng.choice([1, 2, 3, 9, 18, 30]),
        )
        mask = ((1 << count) - 1) << start
        whole = whole & ~mask | (rng.choice([0, 2**30 - 1, rng.getrandbits(count)]) << start) & mask
    return whole.to_bytes(len(data) + 64, "little")[: len(data)]
