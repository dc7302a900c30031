"""Arrays as PNG pictures that are embedded in a page."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.page_parts import base64_text

Pixels = npt.NDArray[np.uint8]

THUMBNAIL = 96
"""The most pixels of the longer side of a small picture."""

HOT = np.array([(0, 0, 0), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)
"""Colours of saliency from none to most, ever lighter (after matplotlib's inferno)."""
COLD_HOT = np.array([(178, 24, 43), (244, 165, 130), (247, 247, 247), (146, 197, 222),
                     (33, 102, 172)], float)  # fmt: skip
"""Colours of a change from loss through none to gain (after ColorBrewer's RdBu)."""


def shown(image: Array, black: float, white: float) -> Pixels:
    """A raw image (height, width, channels) as a picture: gray (h, w) or RGB (h, w, 3).

    Images of other than 1 or 3 channels are shown as the gray mean of their channels.

    Args:
        image: the raw pixels.
        black, white: the raw values that are shown as black and as white.
    """
    scaled = (np.asarray(image, np.float64) - black) * (255 / (white - black))
    if scaled.shape[2] != 3:
        scaled = scaled.mean(axis=2)
    return np.rint(scaled).clip(0, 255).astype(np.uint8)


def coloured(values: Array, colours: Array) -> Pixels:
    """Numbers (h, w) of 0 ... 1 as RGB, between evenly spaced `colours`."""
    places = np.linspace(0, 1, len(colours))
    return np.stack(
        [np.interp(values, places, colours[:, channel]) for channel in range(3)], axis=2
    ).astype(np.uint8)


def png(pixels: Pixels, longest: int | None = None) -> str:
    """A picture as a "data:" URL, scaled down if one side is longer than `longest` pixels."""
    return _url("png", _encoded(pixels, longest, "png", optimize=True))


def smaller(pixels: Pixels, longest: int | None = None) -> str:
    """The same as PNG or, where that has fewer bytes, as JPEG: for many pictures of photographs."""
    exact = _encoded(pixels, longest, "png", optimize=True)
    close = _encoded(pixels, longest, "jpeg", quality=85)
    return _url("png", exact) if len(exact) <= len(close) else _url("jpeg", close)


def _encoded(pixels: Pixels, longest: int | None, kind: str, **options: Any) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    if longest is not None:
        picture.thumbnail((longest, longest))
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64," + base64_text(content)
