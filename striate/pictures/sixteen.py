"""Writes 16-bit PNG, which Pillow does for gray only. (It is read by `striate.data.deep`.)

No library among the dependencies writes 16-bit RGB as PNG, and none that would is worth one: pypng
packs pixels in Python, value by value, and imagecodecs and OpenCV bring tens of megabytes of codecs
for these forty lines. (TIFF is written by tifffile, which is one module: `striate.pictures.tiff`.)
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from striate.common.arrays import Array

_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type (PNG specification, 11.2.1)


def png_chunks(
    pixels: Array,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of a 16-bit PNG file (PNG specification, third edition).

    Args:
        pixels: uint16, (height, width) or (height, width, 2, 3 or 4).
        icc, exif, dpi: as in `Picture`.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOURS[channels], 0, 0, 0)
    )
    if icc:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if dpi:
        across, down = (round(value / 0.0254) for value in dpi)  # per metre
        yield _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if exif:
        yield _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    rows = pixels.astype(">u2").reshape(height, width * channels).view(np.uint8)
    # Each row as its difference from the row above, which compresses well.
    packed = zlib.compressobj()
    data = [packed.compress(b"\x02" + rows[:1].tobytes())]
    for start in range(1, height, 64):
        stop = min(start + 64, height)
        block = np.full((stop - start, rows.shape[1] + 1), 2, np.uint8)
        np.subtract(rows[start:stop], rows[start - 1 : stop - 1], out=block[:, 1:])
        data.append(packed.compress(block.tobytes()))
    data.append(packed.flush())
    for part in data:
        if part:
            yield _chunk(b"IDAT", part)
    yield _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
