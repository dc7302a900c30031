"""Reads an image file with all that it holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.data.dataset import MAX_PIXELS, DataError
from striate.data.deep import deep_pixels, is_deep, with_transparency
from striate.data.image_files import (
    ORIENTATION,
    TooManyPixels,
    fault,
    is_gray_mode,
    is_long_text,
    is_too_large,
    open_image,
    orientation,
    upright_pixels,
)
from striate.pictures.frame_count import count_frames
from striate.pictures.picture import JpegTables, Picture, alike

if TYPE_CHECKING:
    from PIL import Image as Pillow
    from PIL.ImageFile import ImageFile

# All frames together are held in memory, so they may have only so many times as many pixels.
_TOGETHER = 4
# Formats of which all frames are kept. Further images of a JPEG file are previews and the like.
_FRAMED = ("GIF", "PNG", "WEBP", "TIFF")


def read_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file: PNG, JPEG, BMP, GIF, TIFF, WebP, PPM, JPEG 2000, AVIF (or HEIC, where
    pillow-heif is installed).

    - The rotation that a camera noted (EXIF) is applied.
    - 16-bit gray and colour of PNG and TIFF are kept (uint16), and real-valued TIFF (float32).
    - Palettes become RGB, or RGBA where a colour is transparent; 1-bit becomes 0 and 255.
    - CMYK, YCbCr and LAB become RGB, without their colour profile.
    - All frames of animations (GIF, PNG, WebP) and all pages of TIFF are read.

    Raises:
        DataError: the file cannot be read, is damaged, is no image of these kinds, or has more
            than `max_pixels` pixels (4 times as many in all frames together).
    """
    name = os.fspath(path)
    try:
        with open_image(name) as image:
            return _read(name, image, max_pixels)
    except Exception as error:  # a damaged file makes Pillow raise errors of many kinds
        raise DataError(_explain(name, error, max_pixels)) from error


def grace_hopper() -> Picture:
    """Return the photograph of Grace Hopper that matplotlib ships, 600 × 512 RGB.

    Raises:
        DataError: matplotlib is here without its sample data.
    """
    path = grace_hopper_path()
    if path is None:
        raise DataError("matplotlib's sample data are not installed: name a photo")
    return read_picture(path)


def grace_hopper_path() -> Path | None:
    """The file of `grace_hopper`; None where matplotlib is here without its sample data."""
    from matplotlib import cbook

    try:
        path = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    except FileNotFoundError:
        return None
    return path if path.is_file() else None


def _read(path: str, image: ImageFile, max_pixels: int) -> Picture:
    count = count_frames(image, path) if image.format in _FRAMED else 1
    _check_pixels(image, count, max_pixels)
    kept: dict[str, Any] = {}
    if image.format in ("JPEG", "MPO"):
        kept["jpeg"] = _jpeg_tables(image)
    frames: list[Array] = []
    durations: list[float] = []
    # The still image that some animated PNG show where animations are unknown is left out.
    first = 1 if count > 1 and image.info.get("default_image") else 0
    turn = 1
    for index in range(first, count):
        if count > 1:
            image.seek(index)
            _check_pixels(image, 1, max_pixels)
        deep = is_deep(image)
        image.load()
        if index == first:
            turn = orientation(image)  # before the note of it is taken away
            kept |= _extras(image)
        frames.append(upright_pixels(_pixels(path, image, index, deep), turn))
        durations.append(float(image.info.get("duration", 0)))
    if len(frames) > 1 and image.format != "TIFF":
        frames = alike(frames)
        kept["durations"] = tuple(durations)
        loop = image.info.get("loop")
        # GIF plays once without a number; the others say so with a 1.
        kept["loop"] = None if loop == 1 and image.format != "GIF" else loop
    return Picture(tuple(frames), **kept)


def _check_pixels(image: Pillow.Image, count: int, max_pixels: int) -> None:
    size = image.width * image.height
    if size > max_pixels:
        raise TooManyPixels(
            f"the image has {image.height:,} × {image.width:,} pixels, more than {max_pixels:,}"
        )
    if size * count > _TOGETHER * max_pixels:
        raise TooManyPixels(
            f"its {count:,} frames of {image.height:,} × {image.width:,} pixels have more than "
            f"{_TOGETHER * max_pixels:,} pixels together"
        )


def _pixels(path: str, image: Pillow.Image, index: int, deep: bool) -> Array:
    """Return the pixels of the loaded frame as the file stores them, in any of Picture's forms."""
    mode = image.mode
    if deep:
        return deep_pixels(path, image, index)
    if mode == "F":
        return np.array(image, np.float32)
    if mode.startswith("I"):
        values = np.asarray(image)
        if mode == "I" and values.size and (values.min() < 0 or values.max() > 65535):
            raise StriateValueError(
                f"its whole numbers go from {values.min()} to {values.max()}; gray values of this "
                "kind must be of 0...65535"
            )
        return with_transparency(values.astype(np.uint16), image.info.get("transparency"))
    return np.array(image.convert(_plain_mode(image)))


def _plain_mode(image: Pillow.Image) -> str:
    """Return the Pillow mode of 8 bits that holds all of the image."""
    gray = is_gray_mode(image.mode)
    if image.has_transparency_data:
        return "LA" if gray else "RGBA"
    return "L" if gray else "RGB"


def _extras(image: Pillow.Image) -> dict[str, Any]:
    """Return what the first frame tells of the profile, the resolution and the camera."""
    found: dict[str, Any] = {}
    profile = image.info.get("icc_profile")
    space = b"GRAY" if is_gray_mode(image.mode) else b"RGB "
    # A profile for CMYK, say, would give wrong colours to the RGB that it became.
    if isinstance(profile, bytes) and profile[16:20] == space:
        found["icc"] = profile
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and all(0 < float(value) < 65536 for value in dpi):
        found["dpi"] = (float(dpi[0]), float(dpi[1]))
    if image.format in ("JPEG", "MPO", "PNG", "WEBP"):  # TIFF's tags tell of its own pixels
        try:
            exif = image.getexif()
            exif.pop(ORIENTATION, None)
            found["exif"] = exif.tobytes() if len(exif) else None
        except Exception:  # damaged; the pixels are fine
            pass
    return found


def _jpeg_tables(image: Any) -> JpegTables | None:
    from PIL import JpegImagePlugin

    if image.mode not in ("L", "RGB"):
        return None
    tables = {number: list(table) for number, table in image.quantization.items()}
    return JpegTables(tables, JpegImagePlugin.get_sampling(image))


def _explain(path: str, error: Exception, max_pixels: int) -> str:
    """Return the one sentence for an image that could not be read."""
    remedy = ""
    if is_too_large(error) or isinstance(error, MemoryError):
        remedy = "; make it smaller"
        remedy += ", or raise max_pixels (--max-pixels)" * is_too_large(error)
    elif is_long_text(error):
        remedy = "; save it without them"
    return f"{fault(path, error, max_pixels)}{remedy}"
