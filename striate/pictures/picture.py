"""`Picture`: the pixels of an image file, and what else of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr


@short_repr
@dataclass(frozen=True, eq=False)
class JpegTables:
    """How a JPEG file was compressed, so that the next is compressed alike.

    Attributes:
        quantization: the tables by their number, 64 values each.
        subsampling: Pillow's number for how much coarser colour is than brightness, -1 if unknown.
    """

    quantization: dict[int, list[int]]
    subsampling: int


@short_repr
@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of an image file, upright, with what else belongs to them.

    Attributes:
        frames: one array for each frame of an animation or page of a document, one for all else:
            uint8, uint16 or float32, (height, width) gray, or (height, width, channels) with 2
            (gray and alpha), 3 (RGB) or 4 channels (RGB and alpha).
        durations: milliseconds for each frame of an animation; empty for pages and single images.
        loop: how often an animation repeats as its file says it, 0 for ever; None: plays once.
        icc: the colour profile, for the colour space of the frames.
        exif: what the camera noted, without the rotation.
        dpi: pixels per inch, (across, down).
        jpeg: the compression of a JPEG file.
    """

    frames: tuple[Array, ...]
    durations: tuple[float, ...] = ()
    loop: int | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    jpeg: JpegTables | None = None

    def map(self, function: Callable[[Array], Array]) -> Picture:
        """Return the picture with `function` applied to each frame.

        A profile or compression that no longer fits, gray frames having been coloured, is left
        out.
        """
        frames = tuple(function(frame) for frame in self.frames)
        same = is_gray(frames[0]) == is_gray(self.frames[0])
        return replace(
            self,
            frames=frames,
            icc=self.icc if same else None,
            jpeg=self.jpeg if same else None,
        )


def is_gray(pixels: Array) -> bool:
    """Return whether an array is gray, with or without alpha."""
    return pixels.ndim == 2 or pixels.shape[2] < 3


def has_alpha(pixels: Array) -> bool:
    """Return whether an array's last channel is alpha."""
    return pixels.ndim == 3 and pixels.shape[2] in (2, 4)


def alike(frames: Sequence[Array]) -> list[Array]:
    """Return the frames as they are or, where they differ, all with the same channels."""
    kinds = {frame.shape[2] if frame.ndim == 3 else 1 for frame in frames}
    if len(kinds) == 1:
        return list(frames)
    alpha, colour = bool(kinds & {2, 4}), bool(kinds & {3, 4})
    result = []
    for frame in frames:
        layers = frame if frame.ndim == 3 else frame[..., None]
        channels = layers.shape[2]
        top = np.full((*layers.shape[:2], 1), np.iinfo(frame.dtype).max, frame.dtype)
        body = layers[..., :-1] if channels in (2, 4) else layers
        top = layers[..., -1:] if channels in (2, 4) else top
        body = np.repeat(body, 3, axis=2) if colour and body.shape[2] == 1 else body
        result.append(np.concatenate([body, top], axis=2) if alpha else body)
    return result
