"""What all that read image files with Pillow share: kinds of files, limits, rotation, errors.

`striate.data.decode` makes images for networks of them; `striate.pictures` keeps all that they
hold.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.fork import renewed_lock
from striate.common.text import reason

if TYPE_CHECKING:
    from PIL import Image as Pillow

KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""The kind of image that each ending of a file's name tells, as Pillow calls it."""

# Other formats are left out on purpose: some of their readers start other programs.
FORMATS = tuple(dict.fromkeys(KINDS.values()))

ORIENTATION = 0x0112  # the EXIF tag
_pillow_lock = renewed_lock(sys.modules[__name__], "_pillow_lock")


class TooManyPixels(Exception):
    """An image with more pixels than allowed; the message is a clause such as "the image has …"."""


@contextmanager
def pillow_settings(max_pixels: int) -> Iterator[None]:
    """Set Pillow's limit of pixels and silence its warnings, for all threads, meanwhile.

    Pillow warns of harmless oddities (a palette's transparency, unknown EXIF tags) and below its
    limit; errors still are errors. Its settings belong to the process, hence the lock.
    """
    from PIL import Image

    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def orientation(image: Pillow.Image) -> int:
    """Return the EXIF orientation, 1...8; 1 (upright) where the EXIF data are damaged.

    Pillow turns TIFF itself when it decodes it, and then removes the tag.
    """
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1


def upright_image(image: Pillow.Image, orientation: int) -> Pillow.Image:
    """Return Pillow's image turned as the EXIF orientation says: in colour, several times as fast
    as with NumPy.
    """
    from PIL import Image

    turns = Image.Transpose
    turn = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright_pixels(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return pixels, (height, width, ...), turned as the EXIF orientation says: of any type."""
    if orientation in (5, 6, 7, 8):  # rows and columns are exchanged
        pixels = np.swapaxes(pixels, 0, 1)
    down = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    across = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[down, across])


def is_gray_mode(mode: str) -> bool:
    """Return whether Pillow's mode is one of gray values, with or without alpha."""
    return mode in ("1", "L", "LA", "La", "F") or mode.startswith("I")


def to_bytes(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return uint16 pixels as uint8 by the nearest value of v / 257, so that 65535 is 255."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(pixels * np.float32(1 / 257)).astype(np.uint8)


def is_too_large(error: Exception) -> bool:
    """Return whether an image had more pixels than allowed."""
    from PIL import Image

    return isinstance(error, (TooManyPixels, Image.DecompressionBombError))


def fault(error: Exception, max_pixels: int) -> str:
    """Return what is wrong with an image file that could not be read, as a clause without its name.

    Args:
        error: what reading it raised: damaged files make Pillow raise errors of many kinds.
        max_pixels: the limit that was set.
    """
    from PIL import UnidentifiedImageError

    if isinstance(error, TooManyPixels):
        return str(error)
    if is_too_large(error):
        return f"the image has more than {max_pixels:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a known kind ({', '.join(FORMATS)})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read ({reason(error)})"
    if isinstance(error, MemoryError):
        return "the image does not fit into memory"
    return f"the image is truncated or damaged ({reason(error)})"
