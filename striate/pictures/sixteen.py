"""16-bit colour, which Pillow reads as 8 bits only: reading by its own decoders, writing PNG.

Pillow decodes 16-bit RGB and throws the lower byte of each value away. Its decoders can be told
that the bytes are in the opposite order; then it throws the upper byte away. Two passes give both.

No library among the dependencies writes 16-bit RGB as PNG, and none that would is worth one: pypng
packs pixels in Python, value by value, and imagecodecs and OpenCV bring tens of megabytes of codecs
for these forty lines. (TIFF is written by tifffile, which is one module: `striate.pictures.tiff`.)
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.input_files import open_input
from striate.data.image_files import FORMATS

if TYPE_CHECKING:
    from PIL import Image as Pillow

_OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type (PNG specification, 11.2.1)
_BITS_PER_SAMPLE = 258  # the TIFF tag


def is_deep(image: Any) -> bool:
    """Return whether a frame, not loaded yet, is one whose 16 bits Pillow will make 8."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    if image.format == "TIFF":
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, ())
        return tuple(bits)[:1] == (16,)
    # Animated PNG is put together from its parts in 8 bits, and stays so.
    single = getattr(image, "n_frames", 1) == 1
    return image.format == "PNG" and single and ";16" in "".join(map(_raw_mode, image.tile))


def deep_pixels(path: str, image: Pillow.Image, index: int) -> Array:
    """Return frame `index`, which is loaded in `image`, as uint16 (height, width, 2, 3 or 4).

    Raises:
        ValueError: 16-bit colour of a rare kind.
    """
    from PIL import Image

    high = np.asarray(image)
    with open_input(path, "image") as file, Image.open(file, formats=FORMATS) as again:
        if index:
            again.seek(index)
        kinds = {_raw_mode(tile) for tile in again.tile}
        if kinds == {"LA;16B"}:  # two values of two bytes, taken for four
            again.tile = [_with_raw_mode(tile, "RGBA") for tile in again.tile]
            again.load()
            return np.ascontiguousarray(again).view(">u2").astype(np.uint16)
        if not all(kind[:-1] in ("RGB;16", "RGBA;16", "RGBX;16") for kind in kinds):
            raise StriateValueError(
                "16-bit colour of this kind is not supported; save it as 16-bit RGB"
            )
        again.tile = [
            _with_raw_mode(tile, kind[:-1] + _OPPOSITE[kind[-1]])
            for tile, kind in zip(again.tile, map(_raw_mode, again.tile), strict=True)
        ]
        again.load()
        values = high.astype(np.uint16) << 8
        values |= np.asarray(again)
    return with_transparency(values, image.info.get("transparency"))


def with_transparency(pixels: Array, transparent: object) -> Array:
    """Return uint16 pixels with alpha, 0 where they have the value `transparent`, if there is one.

    Args:
        transparent: a number for gray, three for RGB; anything else means that there is none.
    """
    if pixels.ndim == 2 and isinstance(transparent, int):
        clear = pixels == transparent
    elif pixels.ndim == 3 and isinstance(transparent, tuple) and len(transparent) == 3:
        clear = (pixels == np.asarray(transparent)).all(axis=2)
    else:
        return pixels
    return np.dstack([pixels, np.where(clear, 0, 65535).astype(np.uint16)])


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


def _raw_mode(tile: Any) -> str:
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _with_raw_mode(tile: Any, mode: str) -> Any:
    args = mode if isinstance(tile.args, str) else (mode, *tile.args[1:])
    return tile._replace(args=args)
