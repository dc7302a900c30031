"""Writes TIFF: 8-bit, 16-bit and real-valued gray and colour, one page or many (TIFF 6.0)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from striate.common.arrays import Array

# The tags and field types of the specification that are written here.
_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_FORMATS = {_SHORT: "H", _LONG: "I", _UNDEFINED: "B"}
_STRIP_BYTES = 1 << 20
_DEFLATE, _DIFFERENCES = 8, 2  # compression; predictor (TIFF Technical Note 1; section 14)
_UNASSOCIATED_ALPHA, _REAL_NUMBERS = 2, 3


def tiff_chunks(
    pages: Sequence[Array],
    *,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of a TIFF file with the pages, each compressed without loss.

    Args:
        pages: uint8, uint16 or float32, (height, width) or (height, width, 1 to 4); with 2 or 4
            channels the last is alpha.
        icc, dpi: as in `Picture`; for all pages.

    Raises:
        ValueError: the file would be larger than the 4 GiB that TIFF can hold.
    """
    # Pages come first and the directories that describe them last, so that all sizes are known.
    position = 8
    parts: list[bytes] = []
    directories = []
    for page in pages:
        strips, rows = _strips(page)
        offsets = []
        for strip in strips:
            offsets.append(position)
            position += len(strip) + len(strip) % 2  # everything begins at an even position
            parts += [strip, b"\0" * (len(strip) % 2)]
        directories.append((page, offsets, [len(strip) for strip in strips], rows))
    first = position
    for number, (page, offsets, counts, rows) in enumerate(directories):
        fields = _fields(page, offsets, counts, rows, icc, dpi)
        size = _size(fields)
        following = position + size if number + 1 < len(directories) else 0
        if position + size >= 1 << 32:
            raise ValueError("a TIFF file holds at most 4 GiB; write PNG, or fewer pages")
        parts.append(_directory(fields, position, following))
        position += size
    yield struct.pack("<2sHI", b"II", 42, first)
    yield from parts


def _strips(page: Array) -> tuple[list[bytes], int]:
    """Return the compressed strips of a page and how many rows each has."""
    height = len(page)
    values = page.astype(page.dtype.newbyteorder("<"), copy=False)
    rows = max(1, _STRIP_BYTES // max(values[:1].nbytes, 1))
    strips = []
    for start in range(0, height, rows):
        strip = values[start : start + rows]
        if page.dtype.kind == "u":  # each value as the difference from its left neighbour
            strip = strip.copy()
            strip[:, 1:] -= values[start : start + rows, :-1]
        strips.append(zlib.compress(strip.tobytes()))
    return strips, min(rows, height)


def _fields(
    page: Array,
    offsets: list[int],
    counts: list[int],
    rows: int,
    icc: bytes | None,
    dpi: tuple[float, float] | None,
) -> list[tuple[int, int, Any]]:
    """Return the (tag, type, values) of a page, in the order of the tags."""
    channels = page.shape[2] if page.ndim == 3 else 1
    integer = page.dtype.kind == "u"
    fields: list[tuple[int, int, Any]] = [
        (256, _LONG, [page.shape[1]]),
        (257, _LONG, [page.shape[0]]),
        (258, _SHORT, [8 * page.dtype.itemsize] * channels),
        (259, _SHORT, [_DEFLATE]),
        (262, _SHORT, [2 if channels > 2 else 1]),  # RGB, or gray from black
        (273, _LONG, offsets),
        (277, _SHORT, [channels]),
        (278, _LONG, [rows]),
        (279, _LONG, counts),
    ]
    if dpi:
        fields += [(282, _RATIONAL, dpi[0]), (283, _RATIONAL, dpi[1]), (296, _SHORT, [2])]
    if integer:
        fields.append((317, _SHORT, [_DIFFERENCES]))
    if channels in (2, 4):
        fields.append((338, _SHORT, [_UNASSOCIATED_ALPHA]))
    fields.append((339, _SHORT, [1 if integer else _REAL_NUMBERS] * channels))
    if icc:
        fields.append((34675, _UNDEFINED, icc))
    return fields


def _packed(kind: int, values: Any) -> tuple[int, bytes]:
    """Return how many values there are, and their bytes."""
    if kind == _RATIONAL:
        return 1, struct.pack("<II", round(values * 10000), 10000)
    return len(values), struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)


def _size(fields: list[tuple[int, int, Any]]) -> int:
    """Return the bytes of a directory with the values that do not fit into it."""
    longer = (len(_packed(kind, values)[1]) for _, kind, values in fields)
    return 2 + 12 * len(fields) + 4 + sum(size + size % 2 for size in longer if size > 4)


def _directory(fields: list[tuple[int, int, Any]], position: int, following: int) -> bytes:
    """Return a directory that stands at `position`; the next one stands at `following`."""
    behind = position + 2 + 12 * len(fields) + 4
    entries, extra = [struct.pack("<H", len(fields))], b""
    for tag, kind, values in fields:
        count, data = _packed(kind, values)
        if len(data) > 4:
            place = struct.pack("<I", behind + len(extra))
            extra += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", tag, kind, count) + place)
    return b"".join(entries) + struct.pack("<I", following) + extra
