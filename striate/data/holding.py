"""Whether decoded images are held in memory, or decoded when they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.common.budget import available_memory
from striate.common.text import counted, in_bytes
from striate.data import decode
from striate.data.dataset import DataError, LoadOptions
from striate.data.image_sizes import KEPT_SIDE, Sizes, choose_size, default_sides
from striate.data.image_storage import SPLIT
from striate.data.row_cache import LIMIT

# Of the memory that is free, images that are held may take this share: training needs some, too.
_COMFORTABLE = 0.7
# Headers that are looked at where the size is to be chosen and all sizes could be too much.
_SAMPLE = 500


def are_held(sources: Sequence[decode.Source], options: LoadOptions, most: int) -> tuple[bool, str]:
    """Return whether the images are held in memory once they are decoded.

    Args:
        sources: the image files.
        options: how they are loaded; `memory` is the limit, if there is one.
        most: bytes of images that are held at most, as `room_for` has found.

    Returns:
        The answer; and where it is no, a sentence with the numbers.
    """
    sides = options.sides or default_sides(len(sources))
    longest = max(KEPT_SIDE, *sides)
    height, width = options.size or (longest, longest)  # the most that a chosen size can have
    channels = 1 if options.colour == "gray" else 3
    if len(sources) * height * width * channels <= most:
        return True, ""
    height, width, channels = _probable_shape(sources, options, sides)
    needed = len(sources) * height * width * channels
    if needed <= most:
        return True, ""
    limit = LIMIT if options.image_cache is None else options.image_cache
    why = (
        f"of which {in_bytes(most)} may hold images"
        if options.memory is None
        else f"more than the {in_bytes(most)} that may hold them"
    )
    free = f"{in_bytes(available_memory())} of memory are free, {why}" * (options.memory is None)
    return False, (
        f"{counted(len(sources), 'image')} of {height} × {width} pixels take {in_bytes(needed)} "
        f"decoded, {free or why}: they are decoded when a batch needs them, and up to "
        f"{in_bytes(min(limit, needed))} of them kept on disk; before training all are gone "
        "through twice, to find damaged ones and for their mean and deviation"
    )


def room_for(options: LoadOptions) -> int:
    """Return how many bytes of decoded images are held in memory at most."""
    if options.memory is not None:
        return options.memory
    # Ranks on one machine have one memory.
    return int(available_memory() * _COMFORTABLE / SPLIT) // options.exchange.neighbours


def sampled(sources: Sequence[decode.Source], max_pixels: int) -> tuple[Sizes, bool]:
    """Return the heights and widths (m, 2) of some of the files, by their headers, and whether
    all of these are gray.
    """
    sizes, gray = [], True
    for source in sources[:: max(1, len(sources) // _SAMPLE)]:
        try:
            height, width, is_gray = decode.measure(source, max_pixels)
        except DataError:
            continue  # it is reported in its turn
        sizes.append((height, width))
        gray = gray and is_gray
    return np.array(sizes, np.int32).reshape(-1, 2), gray


def _probable_shape(
    sources: Sequence[decode.Source], options: LoadOptions, sides: tuple[int, int]
) -> tuple[int, int, int]:
    """Return the height, width and channels that these files probably become."""
    found, gray = sampled(sources, options.max_pixels)
    height, width = options.size or choose_size(found, options.mode, sides)[:2]
    colour = options.colour or ("gray" if gray else "rgb")
    return height, width, 1 if colour == "gray" else 3
