"""Coverage against accuracy: how good the answers are where the least sure ones are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array

COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5)
"""The shares of answers that are shown."""


@dataclass(frozen=True)
class Coverage:
    """The surest answers.

    Attributes:
        coverage: which share of the images is answered.
        images: how many these are.
        accuracy: the share of them that is right.
        least: the least probability among them.
    """

    coverage: float
    images: int
    accuracy: float
    least: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return dict(vars(self))


def coverages(
    confidences: Array, right: Array, shares: tuple[float, ...] = COVERAGES
) -> tuple[Coverage, ...]:
    """The accuracy of the surest answers, for some shares of all: Geifman and El-Yaniv,
    arXiv:1705.08500. Of equal probabilities the first images count as surer.
    """
    accuracies, order = _accuracies(confidences, right)
    found = []
    for share in shares:
        count = max(1, round(share * len(order)))
        least = float(np.asarray(confidences, np.float64)[order[count - 1]])
        found.append(Coverage(count / len(order), count, float(accuracies[count - 1]), least))
    return tuple(found)


def area_under_risk(confidences: Array, right: Array) -> float:
    """The mean share of wrong answers over all coverages 1/n, 2/n, …, 1 (AURC): the smaller, the
    better the probabilities tell right answers from wrong ones, and the fewer are wrong.
    """
    return float((1 - _accuracies(confidences, right)[0]).mean())


def _accuracies(confidences: Array, right: Array) -> tuple[Array, Array]:
    """The accuracy of the 1, 2, … surest answers, and the order of the images."""
    order = np.argsort(-np.asarray(confidences, np.float64), kind="stable")
    correct = np.asarray(right, np.float64)[order]
    return correct.cumsum() / np.arange(1, len(order) + 1), order


def binomial_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """The shares for which `count` of `total` would not be strange: Clopper and Pearson, 1934."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return low, high


def auroc(known: Array, unknown: Array) -> float:
    """The probability that an unknown image is farther than a known one, ties counting half.

    Args:
        known, unknown: their distances, (n,) and (m,).
    """
    near, far = np.sort(np.asarray(known)), np.asarray(unknown)
    below = np.searchsorted(near, far, side="left") + np.searchsorted(near, far, side="right")
    return float(below.mean() / (2 * len(near)))
