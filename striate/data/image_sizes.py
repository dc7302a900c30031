"""Which size images of many sizes become, and what is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from striate.common.text import counted, percent

# A size that at least half of the images have is kept up to this many pixels on the long side.
KEPT_SIDE = 128
# Other images are made smaller: a network for them trains in minutes on a CPU.
CHOSEN_SIDE = 64
# Narrow images keep so many pixels across, so that their aspect can be kept.
NARROWEST = 8
# A share of an image that is cut off and not worth a word: less than a row or column of most.
_NOTHING = 0.005

_ADVICE = "; choose with size (--size) and mode (--fit)"
_HALF = "lost more than half"

Sizes = npt.NDArray[np.int32]


def choose_size(sizes: Sizes, mode: str) -> tuple[int, int, str]:
    """Return the height and width for images of these sizes (n, 2), and why, in words.

    The text is "" if every image has that size already.
    """
    if not len(sizes):
        return 1, 1, ""
    counts = Counter(map(tuple, sizes.tolist()))
    # Of equally frequent sizes the smallest, so that the choice does not hang on the order.
    (height, width), frequency = min(counts.items(), key=lambda item: (-item[1], item[0]))
    common = 2 * frequency >= len(sizes)
    if common:
        why = "the most common size"
    else:
        height, width = (int(side) for side in np.median(sizes, axis=0).round())
        why = "the median size"
    scale = _scale(height, width, KEPT_SIDE if common else CHOSEN_SIDE)
    if scale < 1:
        why += f", {height} × {width}, made smaller"
        height, width = _rounded(height * scale, width * scale)
    elif not common:
        height, width = _rounded(height, width)
        why += ", rounded to multiples of 8"
    return height, width, resized(sizes, height, width, mode, why)


def resized(sizes: Sizes, height: int, width: int, mode: str, why: str) -> str:
    """Return a sentence about images that become another size, and how much of them is kept.

    Args:
        sizes: (n, 2), the height and width of each image.
        height, width: what they become.
        mode: "crop", "pad" or "stretch".
        why: where this size comes from, in words.

    Returns:
        The sentence, "" if every image has that size already.
    """
    differing = int((sizes != (height, width)).any(axis=1).sum())
    if not differing:
        return ""
    how = {"pad": "black is added where the aspect differs", "stretch": "the aspect is not kept"}
    return (
        f"{counted(differing, 'image')} of {len(sizes):,} resized to {height} × {width} pixels "
        f"({why}; {how.get(mode) or cut_off(sizes, height, width)}){_ADVICE}"
    )


def kept_shares(sizes: Sizes, height: int, width: int) -> npt.NDArray[np.float64]:
    """Return the share (n,) of each image's area that is left where "crop" makes it height × width.

    Args:
        sizes: (n, 2), the height and width of each image, positive.
        height, width: what they become.
    """
    ratio = sizes[:, 0] * float(width) / (sizes[:, 1] * float(height))
    return np.minimum(ratio, 1 / ratio)


def losses(notes: Sequence[str]) -> list[str]:
    """Return those of some notes that matter where the size is given, by a trained network: not
    that images are resized, unless more than half of one is cut off.
    """
    kept = (note.partition(_ADVICE)[0] for note in notes if _ADVICE not in note or _HALF in note)
    return list(kept)


def cut_off(sizes: Sizes, height: int, width: int) -> str:
    """Return how much of images (n, 2) is kept where "crop" cuts their centre out, in words."""
    shares = kept_shares(sizes, height, width)
    least, mean = float(shares.min()), float(shares.mean())
    if least > 1 - _NOTHING:
        return "nothing is cut off"
    if shares.max() - least < _NOTHING:
        words = f"the centre is cut out, {_share(mean)} of each image"
    else:
        words = (
            f"the centre is cut out, {_share(mean)} of an image on average and "
            f"{_share(least)} at least"
        )
    half = int((shares < 0.5).sum())
    return f"{words}: {counted(half, 'image')} {_HALF}" if half else words


def _share(value: float) -> str:
    # From 9.5 % on ".1g" would round to ten, and write it as 1e+01.
    return percent(value, ".0f" if value >= 0.095 else ".1g")


def _scale(height: int, width: int, kept: int) -> float:
    """Return by how much images are made smaller, 1 to leave them as they are."""
    long, short = max(height, width), min(height, width)
    if long <= kept:
        return 1.0
    scale = CHOSEN_SIDE / long
    narrow = min(1.0, max(scale, NARROWEST / short))
    # Unless that would make too much of them.
    return narrow if height * width * narrow**2 <= KEPT_SIDE**2 else scale


def _rounded(*sides: float) -> tuple[int, int]:
    """Return the nearest multiples of 8, so that pooling fits; long images may stay narrower."""
    least = NARROWEST if max(sides) <= CHOSEN_SIDE else 1
    height, width = (max(round(side / 8) * 8, least, min(round(side), NARROWEST)) for side in sides)
    return height, width
