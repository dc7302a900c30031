"""Reads one image file of any common kind into the pixels that a network wants.

What becomes of unusual files:

* transparent pixels are laid over white, as pages and viewers show them;
* 16-bit gray becomes 8-bit by the nearest value of v / 257, so that 65535 is 255;
* real-valued TIFF of 0...1 is multiplied by 255;
* CMYK, YCbCr and LAB become RGB; 1-bit becomes 0 and 255;
* the rotation that a camera noted (EXIF) is applied;
* of an animation or of several pages the first is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.common.errors import StriateValueError
from striate.common.input_files import open_input
from striate.data.dataset import MAX_PIXELS, DataError
from striate.data.image_files import (
    FORMATS,
    TooManyPixels,
    fault,
    is_gray_mode,
    is_too_large,
    orientation,
    to_bytes,
    upright_image,
)

if TYPE_CHECKING:
    from PIL import Image as Pillow

Source: TypeAlias = "str | Pillow.Image"
"""An image file, or a picture that is already opened."""

# What became of an image in `decode_chunk`.
DONE, OTHER_SIZE, COLOURED, BAD = range(4)


@dataclass(frozen=True)
class WantedImages:
    """What images are to become.

    Attributes:
        height, width: the size in pixels.
        channels: 1 or 3.
        mode: "crop" or "stretch"; see `Dataset.resize`.
        convert: with one channel, whether a coloured image is turned to gray (True) or left
            undecoded with the state COLOURED.
        exact: leave images of another size undecoded, with the state OTHER_SIZE.
        max_pixels: images with more pixels are errors.
    """

    height: int
    width: int
    channels: int
    mode: str = "crop"
    convert: bool = False
    exact: bool = False
    max_pixels: int = MAX_PIXELS


@dataclass
class Chunk:
    """Several decoded images.

    Attributes:
        images: uint8 (n, height, width, channels); undefined where the state is not DONE.
        sizes: int32 (n, 2), the height and width of each file's image, 0 where BAD.
        states: uint8 (n,): DONE, OTHER_SIZE, COLOURED or BAD.
        coloured: whether a decoded image is not gray; always False with one channel.
        errors: for each BAD image its place and the sentence that tells why.
    """

    images: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    states: npt.NDArray[np.uint8]
    coloured: bool = False
    errors: list[tuple[int, str]] = field(default_factory=list)


def decode_chunk(paths: Sequence[Source], target: WantedImages) -> Chunk:
    """Decode the image files and pictures; call it within `pillow_settings`."""
    chunk = Chunk(
        images=np.empty((len(paths), target.height, target.width, target.channels), np.uint8),
        sizes=np.zeros((len(paths), 2), np.int32),
        states=np.full(len(paths), BAD, np.uint8),
    )
    for index, path in enumerate(paths):
        try:
            _decode_into(chunk, index, path, target)
        except Exception as error:  # a damaged file makes Pillow raise errors of many kinds
            chunk.sizes[index] = 0
            chunk.states[index] = BAD
            chunk.errors.append((index, _explain(path, error, target.max_pixels)))
    return chunk


def measure(path: Source, max_pixels: int) -> tuple[int, int, bool]:
    """Return the height, the width and whether the file's own kind is gray, from its header.

    Raises:
        DataError: the file cannot be read as an image. Call it within `pillow_settings`.
    """
    try:
        with _opened(path) as image:
            _check_pixels(image, max_pixels)
            return *_oriented_size(image), is_gray_mode(image.mode)
    except Exception as error:
        raise DataError(_explain(path, error, max_pixels)) from error


def fit(image: Pillow.Image, height: int, width: int, mode: str) -> Pillow.Image:
    """Return the image resized to height × width; see `Dataset.resize` for the mode."""
    from PIL import Image, ImageOps

    if image.size == (width, height):
        return image
    if mode == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)


@contextmanager
def _opened(source: Source) -> Iterator[Pillow.Image]:
    """An image file, opened; or a copy of a picture, which stays as it is."""
    from PIL import Image

    if isinstance(source, str):
        with (
            open_input(source, "image", error=DataError) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            yield image
    else:
        yield source.copy()


def _decode_into(chunk: Chunk, index: int, path: Source, target: WantedImages) -> None:
    """Decode one file into its place in the chunk."""
    with _opened(path) as opened:
        _check_pixels(opened, target.max_pixels)
        chunk.sizes[index] = size = _oriented_size(opened)
        if target.exact and size != (target.height, target.width):
            chunk.states[index] = OTHER_SIZE
            return
        if opened.format in ("JPEG", "MPO") and size != (target.height, target.width):
            # JPEG can be decoded at 1/2, 1/4 or 1/8; keep twice the pixels that are needed.
            sides = (2 * target.width, 2 * target.height)
            opened.draft(None, sides if size == opened.size[::-1] else sides[::-1])
        opened.load()
        image = upright_image(_plain(opened), orientation(opened))
        image = fit(image, target.height, target.width, target.mode)
    pixels = np.asarray(image)
    gray = image.mode == "L"
    if target.channels == 1:
        if not gray and _is_gray(pixels):
            pixels, gray = pixels[..., 0], True
        if not gray and not target.convert:
            chunk.states[index] = COLOURED
            return
        chunk.images[index, ..., 0] = pixels if gray else np.asarray(image.convert("L"))
    else:
        chunk.images[index] = pixels[..., None] if gray else pixels
        # Once one image is known to be coloured, the others need not be looked at.
        chunk.coloured = chunk.coloured or not (gray or _is_gray(pixels))
    chunk.states[index] = DONE


def _check_pixels(image: Pillow.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise TooManyPixels(
            f"the image has more than {max_pixels:,} pixels ({image.height:,} × {image.width:,})"
        )


def _oriented_size(image: Pillow.Image) -> tuple[int, int]:
    """Return the height and width after the EXIF rotation, without decoding."""
    # Pillow turns TIFF by itself, and PNG may have its EXIF data after the pixels; such an
    # image is then decoded and fitted all the same.
    known = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if known and orientation(image) in (5, 6, 7, 8):
        return image.width, image.height
    return image.height, image.width


def _plain(image: Pillow.Image) -> Pillow.Image:
    """Return the decoded image as 8-bit gray ("L") or "RGB"."""
    from PIL import Image

    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_gray_bytes(np.asarray(image), image.mode))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        plain = Image.alpha_composite(white, layer).convert("RGB")
        return plain.getchannel(0) if is_gray_mode(image.mode) else plain
    return image.convert("L" if is_gray_mode(image.mode) else "RGB")


def _gray_bytes(values: npt.NDArray[np.generic], mode: str) -> npt.NDArray[np.uint8]:
    """Return the 8-bit values for 16-bit, 32-bit or real gray values."""
    wide = np.asarray(values, dtype=np.float64)
    if wide.size and not np.isfinite(wide).all():
        raise StriateValueError("it has values that are not numbers")
    top = 1.0 if mode == "F" else 65535.0
    if wide.size and (wide.min() < 0 or wide.max() > top):
        raise StriateValueError(
            f"its values go from {wide.min():g} to {wide.max():g}; "
            f"gray values of this kind must be of 0...{top:g}"
        )
    return np.rint(wide * 255.0).astype(np.uint8) if mode == "F" else to_bytes(wide.astype("u2"))


def _is_gray(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether red, green and blue are equal everywhere; pixels (height, width, 3)."""
    return bool(
        np.array_equal(pixels[..., 0], pixels[..., 1])
        and np.array_equal(pixels[..., 0], pixels[..., 2])
    )


def _explain(path: Source, error: Exception, max_pixels: int) -> str:
    """Return the one sentence for an image that could not be read."""
    remedy = "make it smaller, raise max_pixels" if is_too_large(error) else "repair or remove it"
    skip = "or skip bad images (--skip-bad, skip_bad=True)"
    name = path if isinstance(path, str) else f"the picture {path!r}"
    what = str(error) if isinstance(error, DataError) else f"{name}: {fault(error, max_pixels)}"
    return f"{what}; {remedy}, {skip}"
