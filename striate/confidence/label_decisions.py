"""Which labels an image is given: those whose probability reaches the label's threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.confidence.probabilities import probabilities
from striate.model.answers import Answers

FEWEST = 10
"""Images with a label, and images without it, from which on a threshold is chosen by them."""


def given_labels(answers: Answers, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each label is given, (n, labels), by probabilities of that shape."""
    given: NDArray[np.bool_] = probabilities >= np.array(answers.thresholds or (0.5,))
    return given


@unwatched
def chosen_thresholds(
    probabilities: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[float, ...]:
    """For each label the threshold with the best F1 score on images that were not trained on.

    It lies in the middle between two probabilities, so that rounding moves no image across. Of
    equally good ones it is the nearest to 0.5. Where fewer than `FEWEST` images have the label, or
    are without it, chance would decide: it is 0.5.

    Args:
        probabilities: (images, labels).
        truth: (images, labels), whether each image has each label.
    """
    return tuple(_best(probabilities[:, index], truth[:, index]) for index in range(truth.shape[1]))


def with_thresholds(answers: Answers, outputs: Array, truth: Array) -> Answers:
    """Answers with the thresholds that suit outputs for images that were not trained on.

    Args:
        answers: of the kind "labels".
        outputs: of the network, (images, labels).
        truth: above a half where an image has a label, (images, labels).
    """
    return replace(
        answers, thresholds=chosen_thresholds(probabilities(answers, outputs), truth > 0.5)
    )


def _best(chances: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    having = int(truth.sum())
    if having < FEWEST or len(truth) - having < FEWEST:
        return 0.5
    order = np.argsort(-chances, kind="stable")
    ranked = chances[order]
    # After so many images the threshold may lie: where the next one has a lower probability.
    ends = np.flatnonzero(ranked[:-1] > ranked[1:])
    if not len(ends):
        return 0.5
    right = np.cumsum(truth[order])[ends]
    scores = 2 * right / (ends + 1 + having)
    middles = (ranked[ends] + ranked[ends + 1]) / 2
    best = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
    chosen = middles[best[np.argmin(np.abs(middles[best] - 0.5))]]
    return float(np.clip(chosen, 1e-6, 1 - 1e-6))
