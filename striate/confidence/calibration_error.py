"""How far probabilities are from how often they come true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError

BINS = 15
"""As in Guo et al."""


@dataclass(frozen=True)
class Bin:
    """The answers whose probability is in an interval (low, high].

    Attributes:
        low, high: the interval; the first has 0 as well.
        images: how many there are.
        confidence: their mean probability; None without images.
        accuracy: the share of them that is right; None without images.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return dict(vars(self))


def reliability(confidences: Array, right: Array, bins: int = BINS) -> tuple[Bin, ...]:
    """The reliability curve: probabilities in intervals of one width, and how often they are right.

    Args:
        confidences: the probability of each image's likeliest class, (n,), 0...1.
        right: whether that is its class, (n,).
        bins: how many intervals.

    Raises:
        ValueError: there are no images, or not as many answers.
    """
    sure, correct = np.asarray(confidences, np.float64), np.asarray(right, np.bool_)
    if sure.ndim != 1 or sure.shape != correct.shape or not len(sure):
        raise StriateValueError(
            f"reliability: {sure.shape} probabilities do not fit {correct.shape} answers"
        )
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    sums = np.bincount(places, sure, bins), np.bincount(places, correct, bins)
    return tuple(
        Bin(
            float(edges[place]),
            float(edges[place + 1]),
            int(count),
            float(sums[0][place] / count) if count else None,
            float(sums[1][place] / count) if count else None,
        )
        for place, count in enumerate(counts.tolist())
    )


def expected_calibration_error(curve: tuple[Bin, ...]) -> float:
    """The mean of |accuracy - confidence| over all images (Guo et al., arXiv:1706.04599)."""
    total = sum(each.images for each in curve)
    away = [
        each.images * abs(each.accuracy - each.confidence)
        for each in curve
        if each.accuracy is not None and each.confidence is not None
    ]
    return sum(away) / total
