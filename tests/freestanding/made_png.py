"""A writer of PNG of every kind, from the format's specification: Pillow writes only some."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def png(
    samples: np.ndarray,
    bits: int,
    colour: int,
    *,
    interlaced: bool = False,
    chunks: Mapping[str, bytes] | None = None,
    seed: int = 0,
) -> bytes:
    """The file of samples (height, width, n), with a filter drawn at random for each row."""
    rng = np.random.default_rng(seed)
    height, width, count = samples.shape
    assert count == SAMPLES[colour]
    data = bytearray()
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        if not part.size:
            continue
        above = np.zeros(len(_packed(part[0], bits)), np.uint8)
        for row in part:
            line, kind = _packed(row, bits), int(rng.integers(5))
            data.append(kind)
            data += _filtered(line, above, kind, max(1, bits * count // 8)).tobytes()
            above = line
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = [("IHDR", header), *(chunks or {}).items()]
    # In two parts: a decoder must put them together.
    packed = zlib.compress(bytes(data))
    body += [("IDAT", packed[:7]), ("IDAT", packed[7:]), ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), text) for name, text in body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _packed(row: np.ndarray, bits: int) -> np.ndarray:
    values = row.reshape(-1)
    if bits == 16:
        return values.astype(">u2").view(np.uint8)
    if bits == 8:
        return values.astype(np.uint8)
    digits = (values[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.astype(np.uint8).reshape(-1))


def _filtered(line: np.ndarray, above: np.ndarray, kind: int, stride: int) -> np.ndarray:
    def shifted(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(stride, int), values.astype(int)])[: len(values)]

    left, up, corner = shifted(line), above.astype(int), shifted(above)
    guess = left + up - corner
    a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
    paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
    subtracted = [0 * left, left, up, (left + up) // 2, paeth][kind]
    return ((line.astype(int) - subtracted) & 255).astype(np.uint8)
