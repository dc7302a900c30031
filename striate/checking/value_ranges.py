"""Values that images do not use: a part of the range, or whole channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.common.short_repr import short_repr

USED = 0.5
"""The share of the range that all images together must use."""
DIM = 1 / 8
"""The share of the usual range that a single image must use."""
FEW_LEVELS = 32
"""Fewer different values than this, of 8 bits, are few, if there are more than two."""
_PLAIN = 0.02  # of the images may have any range


@short_repr
@dataclass(frozen=True, eq=False)
class ValueRanges:
    """The values that each image uses.

    Attributes:
        least, most: the smallest and the largest value of each channel, (n, channels).
        levels: of uint8, how often each value occurs in all images, (256,); None of others.
        gray: whether all images of three channels have three equal ones.
    """

    least: npt.NDArray[np.float64]
    most: npt.NDArray[np.float64]
    levels: npt.NDArray[np.int64] | None
    gray: bool


def value_ranges(checked: CheckedImages) -> ValueRanges:
    """Read the values of all images."""
    channels = checked.shape[2]
    least, most = np.empty((len(checked), channels)), np.empty((len(checked), channels))
    levels = np.zeros(256, np.int64)
    whole, gray = True, channels == 3
    for start, images in checked.chunks():
        stop = start + len(images)
        least[start:stop], most[start:stop] = images.min(axis=(1, 2)), images.max(axis=(1, 2))
        whole = whole and images.dtype == np.uint8
        if whole:
            levels += np.bincount(images.reshape(-1), minlength=256)
        gray = gray and bool((images[..., :1] == images[..., 1:]).all())
    return ValueRanges(least, most, levels if whole else None, gray)


def check_ranges(checked: CheckedImages, leave_out: Rows) -> CheckOutcome:
    """Tell which values are not used, by all images and by some of them.

    Args:
        checked: the images.
        leave_out: rows that are another finding already, such as those of one colour.
    """
    ranges = value_ranges(checked)
    findings = [*_of_all(checked, ranges), *_of_channels(checked, ranges)]
    findings += _of_single(checked, ranges, leave_out)
    low, high = float(ranges.least.min()), float(ranges.most.max())
    told = f"The values go from {low:g} to {high:g}"
    if checked.white is not None:
        told += f", and could be of 0...{checked.white:g}"
    if not findings:
        return CheckOutcome(("range",), told + "; nothing is wrong with that.")
    return CheckOutcome(("range",), told + ".", strongest_first(findings))


def _of_all(checked: CheckedImages, ranges: ValueRanges) -> list[Finding]:
    white = checked.white
    low, high = float(ranges.least.min()), float(ranges.most.max())
    if white is None or white <= 1:
        return []
    findings = []
    if high - low < USED * white and high > low:
        findings.append(
            Finding(
                "range",
                f"all images use only {low:g} to {high:g} of 0...{white:g}: was the range lost when"
                " they were saved?",
                strength=10 * (1 - (high - low) / white),
            )
        )
    elif ranges.levels is not None and white == 255:
        used = int(np.count_nonzero(ranges.levels))
        if 2 < used < FEW_LEVELS:
            findings.append(
                Finding(
                    "range",
                    f"all images together use only {used} different values of 256: were they saved "
                    "with few colours?",
                    strength=5.0,
                )
            )
    return findings


def _of_channels(checked: CheckedImages, ranges: ValueRanges) -> list[Finding]:
    channels = checked.shape[2]
    if channels == 1:
        return []
    if ranges.gray:
        return [
            Finding(
                "range",
                "the three channels are equal in all images: as gray ones (--colour gray) they "
                "need a third of the memory",
                strength=4.0,
            )
        ]
    findings = []
    low, high = ranges.least.min(axis=0), ranges.most.max(axis=0)
    for channel in np.flatnonzero(low == high).tolist():
        findings.append(
            Finding(
                "range",
                f"channel {channel} is {low[channel]:g} in all images: it says nothing",
                strength=9.0,
            )
        )
    return findings


def _of_single(checked: CheckedImages, ranges: ValueRanges, leave_out: Rows) -> list[Finding]:
    """Images with a much smaller range than nearly all others have."""
    spans = (ranges.most.max(axis=1) - ranges.least.min(axis=1)).astype(np.float64)
    rows = np.setdiff1d(np.arange(len(checked)), leave_out)
    if not len(rows):
        return []
    usual = float(np.median(spans[rows]))
    dim = rows[spans[rows] < DIM * usual]
    if len(dim) > _PLAIN * len(rows) + 1:
        # So many are a kind of their own, unless they are far from all others: files that were
        # saved as 0...1 in a set of 0...255.
        dim = dim[spans[dim] <= usual / 100]
    return [
        Finding(
            "range",
            f"{checked.called(row)}: uses only {ranges.least[row].min():g} to "
            f"{ranges.most[row].max():g}, and half of the images a range of {usual:g} or more",
            (row,),
            1 - spans[row] / usual,
        )
        for row in dim.tolist()
    ]
