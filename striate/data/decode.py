"""Reads one image file of any common kind into the pixels that a network wants.

What becomes of unusual files:

* transparent pixels are laid over white, as pages and viewers show them; over black, where nothing
  could be seen on white (white icons); an alpha channel that hides everything is passed over, as
  programs that do not know it leave it at 0;
* 16-bit values become 8-bit by the nearest of v · 255 / white, where white is 65535 by default;
* real-valued TIFF of 0...1 is multiplied by 255;
* CMYK, YCbCr and LAB become RGB; 1-bit becomes 0 and 255;
* the rotation that a camera noted (EXIF) is applied;
* of an animation or of several pages the first is read;
* JPEG is decoded at a half, a quarter or an eighth, where that has pixels enough: the limit of
  pixels is for what is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.data.dataset import MAX_PIXELS, DataError
from striate.data.deep import deep_pixels, is_deep
from striate.data.image_files import (
    TooManyPixels,
    UnreadableImage,
    fault,
    is_damage,
    is_gray_mode,
    is_long_text,
    is_too_large,
    open_image,
    orientation,
    upright_image,
)
from striate.data.stored_images import StoredImage

if TYPE_CHECKING:
    from PIL import Image as Pillow

Source: TypeAlias = "str | StoredImage | Pillow.Image"
"""An image file, an image inside a file, or a picture that is already opened."""

# What became of an image in `decode_chunk`.
DONE, OTHER_SIZE, COLOURED, BAD = range(4)

# What had to be decided of an image: bits of `Chunk.remarks`.
ALPHA_IGNORED, OVER_BLACK, CLIPPED = 1, 2, 4

WHITE = 65535
"""The value of white in files of 16 bits, where it is not known to be another."""
CONTRAST = 32
"""How far from white, of 0...255, something visible is: a picture without it is laid over black."""

# By how much a JPEG can be reduced in each direction while it is decoded.
_REDUCED = 8


@dataclass(frozen=True)
class WantedImages:
    """What images are to become.

    Attributes:
        height, width: the size in pixels.
        channels: 1 or 3.
        mode: "crop", "pad" or "stretch"; see `Dataset.resize`.
        cut_from: the larger height and width that an image gets by the mode first, to have
            height × width cut out of its centre; None for none.
        convert: with one channel, whether a coloured image is turned to gray (True) or left
            undecoded with the state COLOURED.
        exact: leave images of another size undecoded, with the state OTHER_SIZE.
        max_pixels: images with more pixels to decode are errors.
        white: the value of white in files of 16 bits.
    """

    height: int
    width: int
    channels: int
    mode: str = "crop"
    cut_from: tuple[int, int] | None = None
    convert: bool = False
    exact: bool = False
    max_pixels: int = MAX_PIXELS
    white: int = WHITE


@short_repr
@dataclass
class Chunk:
    """Several decoded images.

    Attributes:
        images: uint8 (n, height, width, channels); undefined where the state is not DONE.
        sizes: int32 (n, 2), the height and width of each file's image, 0 where BAD.
        states: uint8 (n,): DONE, OTHER_SIZE, COLOURED or BAD.
        coloured: whether a decoded image is not gray; always False with one channel.
        errors: for each BAD image its place and the sentence that tells why.
        peaks: int32 (n,), the largest value of each image of 16 bits, exactly or rounded up within
            the same number of bits above 8; -1 for others, and where it was not decoded.
        remarks: uint8 (n,), the bits of ALPHA_IGNORED, OVER_BLACK and CLIPPED.
    """

    images: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    states: npt.NDArray[np.uint8]
    peaks: npt.NDArray[np.int32]
    remarks: npt.NDArray[np.uint8]
    coloured: bool = False
    errors: list[tuple[int, str]] = field(default_factory=list)


def decode_chunk(paths: Sequence[Source], target: WantedImages) -> Chunk:
    """Decode the image files and pictures."""
    chunk = Chunk(
        images=np.empty((len(paths), target.height, target.width, target.channels), np.uint8),
        sizes=np.zeros((len(paths), 2), np.int32),
        states=np.full(len(paths), BAD, np.uint8),
        peaks=np.full(len(paths), -1, np.int32),
        remarks=np.zeros(len(paths), np.uint8),
    )
    for index, path in enumerate(paths):
        try:
            try:
                _decode_into(chunk, index, path, target)
            except ValueError as error:
                if not is_long_text(error):
                    raise
                _decode_into(chunk, index, path, target, without_text=True)
        except Exception as error:  # a damaged file makes Pillow raise errors of many kinds
            chunk.sizes[index] = chunk.remarks[index] = 0
            chunk.peaks[index] = -1
            chunk.states[index] = BAD
            chunk.errors.append((index, _explain(path, error, target.max_pixels)))
    return chunk


def measure(path: Source, max_pixels: int) -> tuple[int, int, bool]:
    """Return the height, the width and whether the file's own kind is gray, from its header.

    Raises:
        DataError: the file cannot be read as an image.
    """
    try:
        try:
            return _measured(path, max_pixels)
        except ValueError as error:
            if not is_long_text(error):
                raise
            return _measured(path, max_pixels, without_text=True)
    except Exception as error:
        raise DataError(_explain(path, error, max_pixels)) from error


def _measured(
    source: Source, max_pixels: int, *, without_text: bool = False
) -> tuple[int, int, bool]:
    with _opened(source, without_text=without_text) as image:
        _check_pixels(image, max_pixels, _REDUCED if image.format in ("JPEG", "MPO") else 1)
        return *_oriented_size(image), is_gray_mode(image.mode)


def fit(
    image: Pillow.Image,
    height: int,
    width: int,
    mode: str,
    cut_from: tuple[int, int] | None = None,
) -> Pillow.Image:
    """Return the image resized to height × width; see `WantedImages` for the rest."""
    from PIL import Image, ImageOps

    if cut_from is not None:
        larger = fit(image, *cut_from, mode)
        left, top = (cut_from[1] - width) // 2, (cut_from[0] - height) // 2
        return larger.crop((left, top, left + width, top + height))
    if image.size == (width, height):
        return image
    if mode == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    if mode == "pad":
        scale = min(height / image.height, width / image.width)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        whole = Image.new(image.mode, (width, height))  # black
        small = image.resize(inner, Image.Resampling.BILINEAR, reducing_gap=3.0)
        whole.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return whole
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)


@contextmanager
def _opened(source: Source, *, without_text: bool) -> Iterator[Pillow.Image]:
    """An image file, opened; or a copy of a picture, which stays as it is."""
    if isinstance(source, str | StoredImage):
        with open_image(source, without_text=without_text) as image:
            yield image
    else:
        yield source.copy()


def _decode_into(
    chunk: Chunk, index: int, source: Source, target: WantedImages, *, without_text: bool = False
) -> None:
    """Decode one file or picture into its place in the chunk."""
    with _opened(source, without_text=without_text) as opened:
        jpeg = opened.format in ("JPEG", "MPO")
        _check_pixels(opened, target.max_pixels, _REDUCED if jpeg else 1)
        chunk.sizes[index] = size = _oriented_size(opened)
        if target.exact and size != (target.height, target.width):
            chunk.states[index] = OTHER_SIZE
            return
        height, width = target.cut_from or (target.height, target.width)
        if jpeg and size != (height, width):
            # JPEG can be decoded at 1/2, 1/4 or 1/8; keep twice the pixels that are needed.
            sides = (2 * width, 2 * height)
            opened.draft(None, sides if size == opened.size[::-1] else sides[::-1])
        _check_pixels(opened, target.max_pixels)
        deep = is_deep(opened)
        opened.load()
        image = upright_image(
            _plain(chunk, index, source, opened, deep, target), orientation(opened)
        )
        image = fit(image, target.height, target.width, target.mode, target.cut_from)
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


def _check_pixels(image: Pillow.Image, max_pixels: int, reduced: int = 1) -> None:
    """Raise if the image has too many pixels even when each side is `reduced` so many times, or
    none.
    """
    if not image.width * image.height:
        raise UnreadableImage("the image has no pixels")
    if image.width * image.height > max_pixels * reduced**2:
        raise TooManyPixels(
            f"the image has more than {max_pixels * reduced**2:,} pixels "
            f"({image.height:,} × {image.width:,})"
        )


def _oriented_size(image: Pillow.Image) -> tuple[int, int]:
    """Return the height and width after the EXIF rotation, without decoding."""
    # Pillow turns TIFF by itself, and PNG may have its EXIF data after the pixels; such an
    # image is then decoded and fitted all the same.
    known = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if known and orientation(image) in (5, 6, 7, 8):
        return image.width, image.height
    return image.height, image.width


def _plain(
    chunk: Chunk,
    index: int,
    source: Source,
    image: Pillow.Image,
    deep: bool,
    target: WantedImages,
) -> Pillow.Image:
    """Return the decoded image as 8-bit gray ("L") or "RGB", and note what was decided of it."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if image.mode == "F":
            return Image.fromarray(_from_real(values))
        return Image.fromarray(_from_deep(chunk, index, _checked(values), target.white))
    if deep:
        chunk.peaks[index] = _deep_peak(image)
        if target.white != WHITE and isinstance(source, str | StoredImage):
            values = deep_pixels(source, image, 0)
            channels = values.shape[2]
            colours = values[..., 0] if channels == 2 else values[..., :3]
            image = Image.fromarray(_from_deep(chunk, index, colours, target.white))
            if channels != 3:
                image.putalpha(Image.fromarray((values[..., -1] >> 8).astype(np.uint8)))
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    if image.has_transparency_data:
        gray = is_gray_mode(image.mode)
        plain = _without_alpha(chunk, index, image.convert("RGBA"))
        return plain.getchannel(0) if gray else plain
    return image.convert("L" if is_gray_mode(image.mode) else "RGB")


def _without_alpha(chunk: Chunk, index: int, layer: Pillow.Image) -> Pillow.Image:
    """Return an "RGBA" image as what is to be seen of it, "RGB"."""
    from PIL import Image

    least, most = _extrema(layer.getchannel(3))
    if most == 0:
        chunk.remarks[index] |= ALPHA_IGNORED
        return layer.convert("RGB")

    def over(value: int) -> Pillow.Image:
        ground = Image.new("RGBA", layer.size, (value, value, value, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")

    white = over(255)
    darkest = min(_extrema(white.getchannel(band))[0] for band in range(3))
    if darkest > 255 - CONTRAST and least < 255 - CONTRAST:
        chunk.remarks[index] |= OVER_BLACK
        return over(0)
    return white


def _checked(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return whole gray values; an error that tells which they are, unless they are of 16 bits."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > WHITE:
        raise StriateValueError(
            f"its values go from {low} to {high}, and whole gray values must be of 0...{WHITE}; "
            "shift or scale those of all images alike, and save them with 8 or 16 bits"
        )
    return values


def _from_deep(
    chunk: Chunk, index: int, values: npt.NDArray[np.generic], white: int
) -> npt.NDArray[np.uint8]:
    """Return 16-bit values as 8-bit ones, for that value of white."""
    wide = values.astype(np.float64)
    peak = int(wide.max())
    chunk.peaks[index] = max(int(chunk.peaks[index]), peak)
    if peak > white:
        chunk.remarks[index] |= CLIPPED
        wide = np.minimum(wide, white)
    return np.rint(wide * np.float64(255 / white)).astype(np.uint8)


def _deep_peak(image: Pillow.Image) -> int:
    """Return the largest value of 16-bit colour of which the upper bytes are decoded, at most."""
    return (max(_extrema(image.getchannel(band))[1] for band in range(3)) << 8) | 255


def _extrema(band: Pillow.Image) -> tuple[int, int]:
    """Return the smallest and the largest value of an image of one 8-bit channel."""
    counts = np.flatnonzero(band.histogram())
    return int(counts[0]), int(counts[-1])


def _from_real(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return real values of 0...1 as 8-bit ones."""
    wide = np.asarray(values, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise StriateValueError("it has values that are not numbers; give those pixels a value")
    if wide.min() < 0 or wide.max() > 1:
        raise StriateValueError(
            f"its values go from {wide.min():g} to {wide.max():g}, and real gray values must be "
            "of 0...1; divide those of all images by the same number, or save whole numbers"
        )
    return np.rint(wide * 255.0).astype(np.uint8)


def _is_gray(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether red, green and blue are equal everywhere; pixels (height, width, 3)."""
    return bool(
        np.array_equal(pixels[..., 0], pixels[..., 1])
        and np.array_equal(pixels[..., 0], pixels[..., 2])
    )


def _explain(source: Source, error: Exception, max_pixels: int) -> str:
    """Return the one sentence for an image that could not be read."""
    named = isinstance(source, str | StoredImage)
    told = fault(str(source) if named else f"the picture {source!r}", error, max_pixels)
    skip = "skip bad images (--skip-bad, skip_bad=True)"
    if is_too_large(error):
        return f"{told}; make it smaller, raise max_pixels (--max-pixels), or {skip}"
    return f"{told}; repair or remove it, or {skip}" if is_damage(error) else f"{told}; or {skip}"
