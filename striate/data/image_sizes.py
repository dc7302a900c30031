"""Which size images of many sizes become, and what is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from striate.common.text import counted, percent

# A size that at least half of the images have is kept up to this many pixels on the long side.
KEPT_SIDE = 128
# Other images are made smaller: up to so many get so many pixels on the long side, so that networks
# for them are trained in some minutes on two cores.
CHOSEN_SIDES = ((10_000, 128), (20_000, 96))
SMALLEST_SIDE = 64
# Narrow images keep so many pixels across, so that their aspect can be kept.
NARROWEST = 8
# A share of an image that is cut off and not worth a word: less than a row or column of most.
_NOTHING = 0.005

_ADVICE = "; choose with size (--size) and mode (--fit)"
_HALF = "lost more than half"

Sizes = npt.NDArray[np.int32]
Shares = npt.NDArray[np.float64]


def default_sides(count: int) -> tuple[int, int]:
    """Return what so many images get on the long side: at most, and where that is the size of at
    least half of them.
    """
    side = next((side for most, side in CHOSEN_SIDES if count <= most), SMALLEST_SIDE)
    return side, max(side, KEPT_SIDE)


def choose_size(sizes: Sizes, mode: str, sides: tuple[int, int]) -> tuple[int, int, str]:
    """Return the height and width for images of these sizes (n, 2), and why, in words.

    The text is "" if every image has that size already.

    Args:
        sizes: (n, 2), the height and width of each image.
        mode: "crop", "pad" or "stretch".
        sides: how long the long side becomes at most, and where at least half of the images have
            one size; see `default_sides`.
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
    scale = _scale(height, width, sides[0], sides[1] if common else sides[0])
    if scale < 1:
        why += f", {height} × {width}, made smaller"
        height, width = _rounded(height * scale, width * scale)
    elif not common:
        height, width = _rounded(height, width)
        why += ", rounded to multiples of 8"
    return height, width, resized(sizes, height, width, mode, why)


def resized(
    sizes: Sizes,
    height: int,
    width: int,
    mode: str,
    why: str,
    cut_from: tuple[int, int] | None = None,
) -> str:
    """Return a sentence about images that become another size, and how much of them is kept.

    Args:
        sizes: (n, 2), the height and width of each image.
        height, width: what they become.
        mode: "crop", "pad" or "stretch".
        why: where this size comes from, in words.
        cut_from: the larger size that they get by the mode first, to be cut out of its centre.

    Returns:
        The sentence, "" if every image has that size already.
    """
    differing = int((sizes != (height, width)).any(axis=1).sum())
    if not differing:
        return ""
    shares = kept_shares(sizes, *(cut_from or (height, width)))
    words = {"crop": _cut, "pad": _padded, "stretch": _stretched}[mode]
    if cut_from is None:
        how = words(shares)
    elif mode == "crop":
        how = _cut(shares * (height * width / (cut_from[0] * cut_from[1])))
    else:
        how = f"cut out of {cut_from[0]} × {cut_from[1]}, for which {words(shares)}"
    return (
        f"{counted(differing, 'image')} of {len(sizes):,} resized to {height} × {width} pixels "
        f"({why}; {how}){_ADVICE}"
    )


def resized_arrays(
    count: int, before: tuple[int, ...], size: tuple[int, int] | None, mode: str
) -> list[str]:
    """Return what there is to say of `count` images that are arrays, and become `size`.

    Args:
        count: how many.
        before: the height and width of all of them.
        size: what they become; None for no change.
        mode: as for `resized`.
    """
    if size is None or not count:
        return []
    sizes = np.tile(np.array(before, np.int32), (count, 1))
    told = resized(sizes, *size, mode, "as asked for")
    return [told] if told else []


def kept_shares(sizes: Sizes, height: int, width: int) -> Shares:
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
    return _cut(kept_shares(sizes, height, width))


def _cut(shares: Shares) -> str:
    """Return how much of the images is kept where their centre is cut out, in words."""
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


def _padded(shares: Shares) -> str:
    """Return how much of the images becomes black where they are fitted in, in words."""
    most, mean = 1 - float(shares.min()), 1 - float(shares.mean())
    if most < _NOTHING:
        return "nothing is added"
    if most - (1 - float(shares.max())) < _NOTHING:
        return f"black is added where the aspect differs, {_share(mean)} of each image"
    return (
        f"black is added where the aspect differs, {_share(mean)} of an image on average and "
        f"{_share(most)} at most"
    )


def _stretched(shares: Shares) -> str:
    """Return by how much the aspect of the images changes, in words."""
    factors = 1 / shares
    most, mean = float(factors.max()), float(factors.mean())
    if most < 1 + _NOTHING:
        return "nothing is stretched"
    if most - float(factors.min()) < _NOTHING:
        return f"the aspect is not kept, each image is stretched {_times(mean)}"
    return (
        f"the aspect is not kept, an image is stretched {_times(mean)} on average and "
        f"{_times(most)} at most"
    )


def _times(factor: float) -> str:
    return f"{factor:.2f} times" if factor < 10 else f"{factor:,.0f} times"


def _share(value: float) -> str:
    # From 9.5 % on ".1g" would round to ten, and write it as 1e+01.
    return percent(value, ".0f" if value >= 0.095 else ".1g")


def _scale(height: int, width: int, side: int, kept: int) -> float:
    """Return by how much images are made smaller, 1 to leave them as they are.

    Their long side becomes `side`, but for narrow images, if it is longer than `kept`.
    """
    long, short = max(height, width), min(height, width)
    if long <= kept:
        return 1.0
    scale = side / long
    narrow = min(1.0, max(scale, NARROWEST / short))
    # Unless that would make too much of them.
    return narrow if height * width * narrow**2 <= max(kept, KEPT_SIDE) ** 2 else scale


def _rounded(*sides: float) -> tuple[int, int]:
    """Return the nearest multiples of 8, so that pooling fits; long images may stay narrower."""
    least = NARROWEST if max(sides) <= SMALLEST_SIDE else 1
    height, width = (max(round(side / 8) * 8, least, min(round(side), NARROWEST)) for side in sides)
    return height, width
