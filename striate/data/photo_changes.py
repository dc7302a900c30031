"""Changes to photographs: a part of any size and aspect cut out, colours turned.

All functions take images (n, height, width, channels), uint8 or floating, and what was drawn for
each. Values of uint8 images are rounded and clipped to 0...255.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Images

ASPECTS = (3 / 4, 4 / 3)
"""From which to which width / height a part is cut out, as is usual for photographs."""
_TRIES = 10


def draw_parts(
    least: float, count: int, height: int, width: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Draw (top, left, height, width) of a part of each of `count` images, (n, 4).

    The share of the area is uniform from `least` to 1, the logarithm of width / height uniform
    over `ASPECTS`; of ten tries the first that fits into the image is taken, and where none does
    the largest part in the middle with a usual aspect (Szegedy and others, arXiv:1409.4842,
    section 6; the same as torchvision's RandomResizedCrop).
    """
    areas = height * width * rng.uniform(least, 1.0, (count, _TRIES))
    low, high = map(math.log, ASPECTS)
    aspects = np.exp(rng.uniform(low, high, (count, _TRIES)))
    places = rng.random((count, 2))
    widths = np.rint(np.sqrt(areas * aspects)).astype(np.intp)
    heights = np.rint(np.sqrt(areas / aspects)).astype(np.intp)
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    rows, tries = np.arange(count), fits.argmax(axis=1)
    parts = np.empty((count, 4), np.intp)
    parts[:, 2], parts[:, 3] = heights[rows, tries], widths[rows, tries]
    parts[:, :2] = places * ([height + 1, width + 1] - parts[:, 2:])
    parts[~fits.any(axis=1)] = _middle(height, width)
    return parts


def _middle(height: int, width: int) -> tuple[int, int, int, int]:
    """The largest part in the middle whose aspect is one of `ASPECTS`."""
    low, high = ASPECTS
    across, down = width, height
    if width / height < low:
        down = max(1, round(width / low))
    elif width / height > high:
        across = max(1, round(height * high))
    return (height - down) // 2, (width - across) // 2, down, across


def cut_and_resize(images: Images, parts: npt.NDArray[np.intp]) -> Images:
    """Cut a part out of each image, and bring it to the size of the whole, linearly.

    Where it is made smaller all pixels count (Pillow's bilinear resampling).
    """
    from PIL import Image

    height, width, channels = images.shape[1:]
    result = np.empty_like(images)
    for image, (top, left, down, across), after in zip(images, parts.tolist(), result, strict=True):
        part = image[top : top + down, left : left + across]
        if images.dtype == np.uint8 and channels in (1, 3):
            pixels = np.ascontiguousarray(part[..., 0] if channels == 1 else part)
            resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            after[...] = np.asarray(resized).reshape(after.shape)
            continue
        # Channel by channel: Pillow has no images of several real values, or of other numbers.
        kind = np.uint8 if images.dtype == np.uint8 else np.float32
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(part[..., channel], kind))
            after[..., channel] = plane.resize((width, height), Image.Resampling.BILINEAR)
    return result


def turn_hues(images: Images, turns: npt.NDArray[np.float64]) -> Images:
    """Turn the hue of each pixel by a share of the circle of colours, (n,); 3 channels.

    The largest and the smallest of red, green and blue stay, and so do value and saturation of the
    HSV model; gray has no hue and stays.
    """
    kind = np.float32 if images.dtype == np.uint8 else images.dtype
    result = np.empty_like(images)
    for image, turn, after in zip(images, turns.tolist(), result, strict=True):
        # One plane after the other: long rows are several times as fast as every third number.
        planes = np.ascontiguousarray(np.moveaxis(image, 2, 0), kind)
        red, green, blue = planes
        most = planes.max(axis=0)
        spread = most - planes.min(axis=0)
        inverse = 1 / np.where(spread > 0, spread, 1)
        # Six sectors: red at 0, green at 2, blue at 4.
        hue = (green - blue) * inverse
        np.copyto(hue, 2 + (blue - red) * inverse, where=most == green)
        np.copyto(hue, 4 + (red - green) * inverse, where=most == blue)
        np.copyto(hue, (green - blue) * inverse, where=most == red)
        hue += 6 * turn
        for channel, start in enumerate((5, 3, 1)):
            sector = hue + start
            sector -= 6 * np.floor(sector * (1 / 6))
            lower = np.clip(np.minimum(sector, 4 - sector), 0, 1)
            changed = most - spread * lower
            if images.dtype == np.uint8:
                np.clip(np.rint(changed, out=changed), 0, 255, out=changed)
            after[..., channel] = changed
    return result
