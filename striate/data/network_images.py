"""Images for a network as people name them: files, folders, patterns, opened pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from striate.common.arrays import Images
from striate.common.text import counted, sizes
from striate.data.dataset import MAX_PIXELS, DataError
from striate.data.images import load_images
from striate.data.paths import find_images
from striate.model.preprocessing import colour_of

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from striate.model.preprocessing import Preprocessing
    from striate.ops.shapes import Shape

NamedImages: TypeAlias = (
    "str | os.PathLike[str] | Pillow.Image | Sequence[str | os.PathLike[str] | Pillow.Image]"
)
"""Image files, a folder or a pattern, and pictures of Pillow."""
CHUNK = 1024
"""Images that are held in memory at a time: a folder may have more than fit."""


def named_images(images: Any) -> list[Any] | None:
    """What is named by file, folder or pattern, or is a picture of Pillow; None for arrays.

    One path may be a file, a folder (its image files, at any depth) or a pattern such as
    "scans/*.png", as for `find_images`. A sequence, or an iterator such as that of ``Path.glob``,
    has one image file or picture for each place, in this order, so that predictions can be told
    apart.

    Raises:
        DataError: a path names nothing, or there are arrays among files and pictures.
    """
    if _is_path(images):
        return list(find_images([images]))
    if _is_picture(images):
        return [images]
    dtype = getattr(images, "dtype", None)
    if dtype is not None:  # an array, or a column of a table
        if getattr(dtype, "kind", "") not in ("U", "O") or len(images.shape) != 1:
            return None
        images = list(images)
    if isinstance(images, Iterator):  # such as Path.glob
        images = list(images)
        if not all(_is_path(one) or _is_picture(one) for one in images) or not images:
            raise DataError(
                f"{counted(len(images), 'image')} one after the other, which are not all files "
                "and pictures: give one array, or a list"
            )
    if not isinstance(images, Sequence):
        return None
    named = [_is_path(one) or _is_picture(one) for one in images]
    if not any(named):
        return None
    if not all(named):
        place = named.index(False)
        raise DataError(
            f"images must be all arrays or all files and pictures, but number {place + 1} of "
            f"{len(images)} is {type(images[place]).__name__}"
        )
    for one in images:
        if _is_path(one) and not os.path.isfile(one):
            problem = "is a folder; give it alone" if os.path.isdir(one) else "no such file"
            raise DataError(f"{os.fspath(one)}: {problem}")
    return list(images)


def read_for_network(
    named: Sequence[Any],
    preprocessing: Preprocessing,
    input_shape: Shape,
    *,
    on_bad: Callable[[int, str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Images:
    """Decode files and pictures exactly as the images that a network was trained on.

    Args:
        named: image files and pictures of Pillow; see `named_images`.
        preprocessing: of the network. Without a `resize` images must have the network's size;
            without a `colour` they become gray or RGB by the number of channels of its input.
        input_shape: of the network.
        on_bad, on_note, max_pixels: as for `load_images`.

    Returns:
        (n, *input_shape), raw pixels.

    Raises:
        DataError: a file that cannot be read, or images that are not of the network's size.
    """
    if len(input_shape) != 3:
        raise DataError(
            f"image files cannot be given to a network of {sizes(input_shape)} features: it reads "
            "no images (height, width, channels); give an array"
        )
    if preprocessing.colour is None:
        colour = colour_of(input_shape[2])
        preprocessing = replace(preprocessing, colour=colour)
    images = load_images(
        named, preprocessing, on_bad=on_bad, on_note=on_note, max_pixels=max_pixels
    )
    if len(images) and images.shape[1:] != input_shape:
        advice = (
            "resize them first, or set the network's preprocessing.resize, as `striate train` does"
        )
        raise DataError(
            f"{name_of(named[0], 0)}: is read as {sizes(images.shape[1:])}, but the network is "
            f"made for {sizes(input_shape)}" + f"; {advice}" * (preprocessing.resize is None)
        )
    return images


def chunks(
    named: Sequence[Any], preprocessing: Preprocessing, input_shape: Shape
) -> Iterator[Images]:
    """The same, some images at a time."""
    for start in range(0, len(named), CHUNK):
        yield read_for_network(named[start : start + CHUNK], preprocessing, input_shape)


def name_of(image: Any, index: int) -> str:
    """What an error calls an image."""
    return os.fspath(image) if _is_path(image) else f"picture {index + 1}"


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_picture(value: Any) -> bool:
    # Without importing Pillow: who has a picture of it has imported it.
    import sys

    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)
