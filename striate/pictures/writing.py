"""Writes pictures in the format that the ending of a file's name tells."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.atomic import write_atomically
from striate.common.errors import StriateValueError
from striate.common.text import did_you_mean, reason
from striate.data.dataset import DataError
from striate.data.image_files import KINDS, to_bytes
from striate.pictures.picture import Picture, alike, has_alpha, is_gray
from striate.pictures.sixteen import png_chunks
from striate.pictures.tiff import tiff_file

if TYPE_CHECKING:
    from PIL import Image as Pillow

WRITTEN = {
    ending: kind
    for ending, kind in KINDS.items()
    if kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
}
"""The kinds of image that are written, by the endings of their files' names."""

_FRAMED = ("GIF", "PNG", "WEBP", "TIFF")
_OPAQUE = ("JPEG", "BMP")
_QUALITY = 95  # of JPEG and WebP whose source was none


def check_output(path: str | os.PathLike[str], endings: Iterable[str] = WRITTEN) -> str:
    """Return the ending of the file `path`, in small letters, if a picture can be written there.

    Raises:
        DataError: the ending is not one of `endings`, or the folder does not exist.
    """
    target = Path(path)
    ending = target.suffix.lower()
    known = list(endings)
    if ending not in known:
        hint = did_you_mean(ending, known, write=str)
        raise DataError(
            f"{target}: the ending must name a kind of image, one of {' '.join(known)}{hint}"
        )
    if target.is_dir():
        raise DataError(f"{target}: is a folder")
    if not target.parent.is_dir():
        raise DataError(f"{target}: there is no folder {target.parent}")
    return ending


def write_picture(path: str | os.PathLike[str], picture: Picture) -> list[str]:
    """Write a picture to the file `path`, replacing it in one step once all is written.

    The colour profile, the resolution and the camera's notes go along where the format has a
    place for them. A JPEG that comes from a JPEG is compressed with the same tables.

    Returns:
        Sentences about what the format could not hold: 16 bits become 8, and alpha is laid over
        white.

    Raises:
        DataError: the ending names no kind of image, the format cannot hold the picture at all
            (several frames, real numbers, too many pixels), or the file cannot be written.
    """
    ending = check_output(path)
    kind = WRITTEN[ending]
    try:
        fitted, notes = _fit(picture, kind, ending)
        write_atomically(os.fspath(path), _encode(fitted, kind))
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be written ({reason(error)})") from error
    except ValueError as error:
        raise DataError(f"{os.fspath(path)}: {error}") from error
    return [f"{os.fspath(path)}: {note}" for note in notes]


def picture_bytes(picture: Picture, ending: str) -> bytes:
    """Return the content of a file of the kind that `ending` names, such as ".gif".

    Raises:
        ValueError: the format cannot hold the picture.
    """
    kind = WRITTEN[ending]
    fitted, _ = _fit(picture, kind, ending)
    return b"".join(_encode(fitted, kind))


def _fit(picture: Picture, kind: str, ending: str) -> tuple[Picture, list[str]]:
    """Return the picture as the format can hold it, and what was lost."""
    notes = []
    count = len(picture.frames)
    if count > 1 and kind not in _FRAMED:
        what = "an animation" if picture.durations else "a document"
        raise StriateValueError(
            f"{ending} holds one image, but this is {what} of {count}; {_FRAMES_GO}"
        )
    if any(frame.dtype.kind == "f" for frame in picture.frames) and kind != "TIFF":
        raise StriateValueError(f"{ending} cannot hold real numbers; write them to .tif")
    if count > 1 and kind != "TIFF":
        if len({frame.shape[:2] for frame in picture.frames}) > 1:
            raise StriateValueError(
                f"{ending} cannot hold pages of different sizes; write them to .tif"
            )
        picture = replace(picture, frames=tuple(alike(picture.frames)))
    deep = any(frame.dtype == np.uint16 for frame in picture.frames)
    if deep and not (kind == "TIFF" or (kind == "PNG" and count == 1)):
        notes.append(f"16-bit values became 8-bit, as {ending} holds no more")
        picture = replace(picture, frames=tuple(map(to_bytes, picture.frames)))
    if kind == "TIFF":  # few programs read 16-bit gray with alpha, and Pillow does not
        picture = replace(picture, frames=tuple(map(_coloured, picture.frames)))
    if has_alpha(picture.frames[0]) and kind in _OPAQUE:
        notes.append(f"alpha was laid over white, as {ending} has none")
        picture = replace(picture, frames=tuple(map(_over_white, picture.frames)))
    return picture, notes


_FRAMES_GO = "write it to .gif, .png, .webp or .tif"


def _coloured(pixels: Array) -> Array:
    """Return 16-bit gray with alpha as RGB with alpha, anything else as it is."""
    if pixels.dtype == np.uint16 and pixels.ndim == 3 and pixels.shape[2] == 2:
        return pixels[..., [0, 0, 0, 1]]
    return pixels


def _over_white(pixels: Array) -> Array:
    """Return 8-bit pixels with their alpha channel laid over white."""
    share = pixels[..., -1:] / np.float32(255)
    mixed = np.rint(pixels[..., :-1] * share + 255 * (1 - share)).astype(np.uint8)
    return mixed[..., 0] if mixed.shape[2] == 1 else mixed


def _encode(picture: Picture, kind: str) -> Iterable[bytes | memoryview]:
    """Return the bytes of the file."""
    if kind == "TIFF":
        return [tiff_file(picture.frames, icc=picture.icc, dpi=picture.dpi)]
    if picture.frames[0].dtype == np.uint16:
        return png_chunks(picture.frames[0], icc=picture.icc, exif=picture.exif, dpi=picture.dpi)
    animated = len(picture.frames) > 1
    images = [_image(frame, kind) for frame in picture.frames]
    options = _OPTIONS[kind](picture, images[0])
    if animated:
        durations = [_duration(value, kind) for value in picture.durations or (1000,) * len(images)]
        options |= {"save_all": True, "append_images": images[1:], "duration": durations}
        if kind != "GIF" or picture.loop is not None:
            options["loop"] = 1 if picture.loop is None else picture.loop
    buffer = io.BytesIO()
    images[0].save(buffer, format=kind, **options)
    return [buffer.getbuffer()]


def _duration(milliseconds: float, kind: str) -> float:
    """Return a frame's duration as the format can hold it: PNG has fractions."""
    return milliseconds if kind == "PNG" else round(milliseconds)


def _image(pixels: Array, kind: str) -> Pillow.Image:
    """Return the pixels as Pillow's image."""
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if kind == "GIF" and pixels.ndim == 3:
        return _with_palette(pixels)
    if kind == "WEBP" and pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    return Image.fromarray(np.ascontiguousarray(pixels))


def _with_palette(pixels: Array) -> Pillow.Image:
    """Return an image of at most 256 colours: the same ones if they are so few.

    Pixels with an alpha below one half become transparent, for which one colour is given up.
    """
    from PIL import Image

    clear = pixels[..., -1] < 128 if has_alpha(pixels) else None
    colours = pixels[..., [0, 0, 0]] if is_gray(pixels) else pixels[..., :3]
    free = 256
    if clear is not None and clear.any():
        free = 255
        # Colours that no one sees must not take places in the palette.
        seen = colours[~clear]
        colours = np.where(clear[..., None], seen[0] if len(seen) else 0, colours)
    packed = colours.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    values, places = np.unique(packed, return_inverse=True)
    if len(values) <= free:
        indices = places.reshape(packed.shape).astype(np.uint8)
        palette = np.stack([values >> 16, values >> 8 & 255, values & 255], 1).astype(np.uint8)
        table = palette.tobytes()
    else:
        reduced = Image.fromarray(np.ascontiguousarray(colours)).quantize(free)
        indices, table = np.array(reduced), bytes(reduced.getpalette() or [])
    if clear is not None and clear.any():
        indices[clear] = 255
        table = table.ljust(768, b"\0")
    image = Image.fromarray(indices)
    image.putpalette(table)
    if clear is not None and clear.any():
        image.info["transparency"] = 255
    return image


def _png_options(picture: Picture, image: Pillow.Image) -> dict[str, Any]:
    return _known(icc_profile=picture.icc, exif=picture.exif, dpi=picture.dpi)


def _jpeg_options(picture: Picture, image: Pillow.Image) -> dict[str, Any]:
    options = _known(icc_profile=picture.icc, exif=picture.exif, dpi=picture.dpi)
    if picture.jpeg is None:
        return {**options, "quality": _QUALITY, "subsampling": 0}
    options["qtables"] = picture.jpeg.quantization
    if picture.jpeg.subsampling >= 0:
        options["subsampling"] = picture.jpeg.subsampling
    return options


def _gif_options(picture: Picture, image: Pillow.Image) -> dict[str, Any]:
    clear = any(has_alpha(frame) for frame in picture.frames)
    # Each frame is whole, so nothing of the one before it may shine through its holes.
    return {"disposal": 2} if clear and len(picture.frames) > 1 else {}


def _webp_options(picture: Picture, image: Pillow.Image) -> dict[str, Any]:
    return {"quality": _QUALITY, **_known(icc_profile=picture.icc, exif=picture.exif)}


def _bmp_options(picture: Picture, image: Pillow.Image) -> dict[str, Any]:
    return _known(dpi=picture.dpi)


_OPTIONS = {
    "PNG": _png_options,
    "JPEG": _jpeg_options,
    "GIF": _gif_options,
    "WEBP": _webp_options,
    "BMP": _bmp_options,
}


def _known(**options: Any) -> dict[str, Any]:
    """Return the options that are known: those that are not None."""
    return {name: value for name, value in options.items() if value is not None}
