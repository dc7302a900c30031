"""What all that read image files with Pillow share: kinds of files, opening, rotation, errors.

`striate.data.decode` makes images for networks of them; `striate.pictures` keeps all that they
hold.

Pillow's settings (its limit of pixels, its list of openers) and Python's list of warning filters
belong to the whole process, and so to others: nothing here changes them. That is why `open_image`
chooses the opener itself, and the limit is checked by who decodes.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.errors import StriateValueError
from striate.common.text import reason
from striate.data.stored_images import StoredImage, open_image_bytes

if TYPE_CHECKING:
    from PIL import Image as Pillow
    from PIL.ImageFile import ImageFile

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
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
    ".jp2": "JPEG2000",
    ".j2k": "JPEG2000",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}
"""The kind of image that each ending of a file's name tells, as Pillow calls it."""

# The module of Pillow that reads each kind, but for HEIF, which pillow_heif reads. Other formats
# are left out on purpose: some of their readers start other programs, and some take any file for
# theirs.
_READERS = {
    "PNG": "PIL.PngImagePlugin",
    "JPEG": "PIL.JpegImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "PPM": "PIL.PpmImagePlugin",
    "JPEG2000": "PIL.Jpeg2KImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",  # from Pillow 11.3 on, where it was built with it
}
FORMATS = (*_READERS, "HEIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_MOST_BRANDS = 64  # that are looked at

ORIENTATION = 0x0112  # the EXIF tag

# The chunks of PNG that hold text, and the colour profile.
_PNG_TEXT = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


class TooManyPixels(Exception):
    """An image with more pixels than allowed; the message is a clause such as "the image has …"."""


class UnreadableImage(StriateValueError):
    """A file that is no image, or of a kind that cannot be read here; the message is a clause."""


@contextmanager
def open_image(path: str | StoredImage, *, without_text: bool = False) -> Iterator[ImageFile]:
    """Open an image file, whose pixels Pillow then decodes when they are asked for.

    Unlike Pillow's own `open` it knows no limit of pixels: look at the size before you decode.

    Args:
        path: the file, of one of the `KINDS`, whatever its ending; or an image inside a file.
        without_text: pass over the texts and the colour profile of a PNG file; see `is_long_text`.

    Raises:
        UnreadableImage: no image of these kinds, no regular file, or one that cannot be read.
        Exception: of many kinds, where the file is damaged.
    """
    with open_image_bytes(path, error=UnreadableImage) as file:
        source: IO[bytes] = io.BytesIO(_without_png_text(file)) if without_text else file
        # Pillow would map the file of that name, which an image inside a file has not.
        with _opened(source, path if isinstance(path, str) else "") as image:
            yield image


def _opened(file: IO[bytes], path: str) -> ImageFile:
    """Return Pillow's image of the file by the reader that knows how such files begin."""
    from PIL import Image

    prefix = file.read(16)
    if _is_heif(prefix, file):
        return _opened_heif(file, path)
    for kind, reader in _READERS.items():
        try:
            import_module(reader)
        except ImportError:
            continue
        factory, accepts = Image.OPEN.get(kind, (None, None))
        # Where Pillow was built without a library, `accepts` returns a text that says so.
        accepted = accepts(prefix) if accepts is not None else False
        if isinstance(accepted, str):
            raise UnreadableImage(f"{kind} cannot be read here: {reason(OSError(accepted))}")
        if not accepted or factory is None:
            continue
        file.seek(0)
        try:
            return factory(file, path)
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            if kind == "TIFF" and "pixel mode" in str(error):
                raise UnreadableImage(
                    "its TIFF pixels are of a kind that cannot be read; save it with 8 or 16 bits "
                    "per value, gray or RGB"
                ) from error
            raise UnreadableImage(
                f"the {kind} image is truncated or damaged ({reason(error)})"
            ) from error
    raise UnreadableImage(f"not an image of a known kind ({', '.join(FORMATS)})")


def _is_heif(prefix: bytes, file: IO[bytes]) -> bool:
    """Return whether a file with these first 16 bytes, after which it stands, is HEIF.

    AVIF may begin with the same brand, that of their container; it names its own brand after it.
    """
    if prefix[4:8] != b"ftyp" or prefix[8:12] not in _HEIF_BRANDS:
        return False
    length = int.from_bytes(prefix[:4], "big") - len(prefix)
    brands = file.read(max(0, min(length, 4 * _MOST_BRANDS)))
    return not any(brands[at : at + 4] in _AVIF_BRANDS for at in range(0, len(brands), 4))


def _opened_heif(file: IO[bytes], path: str) -> ImageFile:
    try:
        heif: Any = import_module("pillow_heif")
    except ImportError as error:
        raise UnreadableImage(
            "HEIC is read with the package pillow-heif, which is not installed: "
            "pip install pillow-heif"
        ) from error
    file.seek(0)
    image: ImageFile = heif.HeifImageFile(file, path)
    return image


def lacking(kind: str) -> str:
    """Return what is to be done so that a kind of image can be read here, "" if it can be."""
    if kind == "HEIF":
        return "" if find_spec("pillow_heif") else "pip install pillow-heif"
    if kind in ("AVIF", "WEBP", "JPEG2000"):
        from PIL import features

        name = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000"}[kind]
        # Releases of Pillow before a format came do not know its name.
        known = name in features.modules or name in features.codecs
        return "" if known and features.check(name) else "pip install --upgrade pillow"
    return ""


def is_long_text(error: Exception) -> bool:
    """Return whether Pillow refused a PNG file for the length of its texts or colour profile."""
    return "MAX_TEXT_" in str(error)


def _without_png_text(file: IO[bytes]) -> bytes:
    """Return a PNG file without its texts and colour profile, all else byte for byte."""
    kept = [file.read(8)]
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _PNG_TEXT:
            file.seek(length + 4, os.SEEK_CUR)
        else:
            kept += [head, file.read(length + 4)]
    return b"".join(kept)


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


def fault(path: str, error: Exception, max_pixels: int) -> str:
    """Return what is wrong with an image file that could not be read: "PATH: clause".

    Args:
        path: the file.
        error: what reading it raised: damaged files make Pillow raise errors of many kinds.
        max_pixels: the limit that was set.
    """
    if isinstance(error, (TooManyPixels, StriateValueError)):
        told = str(error)
        return told if told.startswith(f"{path}: ") else f"{path}: {told}"
    if is_too_large(error):
        return f"{path}: the image has more than {max_pixels:,} pixels"
    if is_long_text(error):
        return f"{path}: its texts or its colour profile are longer than the 1 MiB that is read"
    if isinstance(error, MemoryError):
        return f"{path}: the image does not fit into memory"
    return f"{path}: the image is truncated or damaged ({reason(error)})"


def is_damage(error: Exception) -> bool:
    """Return whether it is the file's bytes that are wrong, which only another copy mends."""
    told = (TooManyPixels, StriateValueError, MemoryError)
    return not isinstance(error, told) or "truncated or damaged" in str(error)
