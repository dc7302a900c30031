"""Reads 16-bit colour, of which Pillow gives 8 bits only, by Pillow's own decoders.

Pillow decodes 16-bit RGB and throws the lower byte of each value away. Its decoders can be told
that the bytes are in the opposite order; then it throws the upper byte away. Two passes give both.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.data.image_files import open_image
from striate.data.stored_images import StoredImage

if TYPE_CHECKING:
    from PIL import Image as Pillow

_OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
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


def deep_pixels(path: str | StoredImage, image: Pillow.Image, index: int) -> Array:
    """Return frame `index`, which is loaded in `image`, as uint16 (height, width, 2, 3 or 4).

    Raises:
        ValueError: 16-bit colour of a rare kind.
    """
    high = np.asarray(image)
    with open_image(path) as again:
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


def _raw_mode(tile: Any) -> str:
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _with_raw_mode(tile: Any, mode: str) -> Any:
    args = mode if isinstance(tile.args, str) else (mode, *tile.args[1:])
    return tile._replace(args=args)
