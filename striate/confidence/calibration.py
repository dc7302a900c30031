"""The temperature that makes a network's probabilities fit how often it is right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logsumexp

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.model.answers import COLDEST, FEWEST, HOTTEST, Answers
from striate.optim.losses import softmax


@unwatched
def fit_temperature(outputs: Array, labels: Array) -> float:
    """The temperature that gives the least log-loss (Guo et al., arXiv:1706.04599, section 4.2).

    It is below 1 for a network that is less sure than it may be, as after label smoothing. Where
    every answer is right, a colder one is always better: one image is then thought to be wrong, by
    half, so that the answers stay less than certain. (So Laplace: of n right answers, the next is
    wrong with probability 1 / (n + 2).)

    Args:
        outputs: of images that were not trained on, (n, classes).
        labels: their class indices (n,); of the kind "labels" 0 and 1, (n, labels).

    Raises:
        ValueError: fewer than `FEWEST` images, other shapes, or outputs that are not finite.
    """
    scores, truth = np.asarray(outputs, np.float64), np.asarray(labels)
    if scores.ndim != 2 or len(truth) != len(scores):
        raise StriateValueError(
            f"calibration: outputs of shape {scores.shape} do not fit labels of {truth.shape}"
        )
    if len(scores) < FEWEST:
        raise StriateValueError(
            f"calibration: needs at least {FEWEST} images that were not trained on, got "
            f"{len(scores)}"
        )
    if not np.isfinite(scores).all():
        raise StriateValueError("calibration: the outputs are not finite")
    of_labels = truth.ndim == 2
    if of_labels:
        signed = np.where(truth > 0.5, scores, -scores)

        def loss(logarithm: float) -> float:
            scaled = signed / math.exp(logarithm)
            # Half a wrong answer in so many.
            doubt = -0.5 * np.log(np.maximum(expit(-np.abs(scaled)).mean(axis=0), 1e-300)).mean()
            return float(-log_expit(scaled).sum() / scaled.shape[1] + doubt)

    else:
        rows = np.arange(len(scores))
        own = scores[rows, truth.astype(np.intp)]

        def loss(logarithm: float) -> float:
            scaled = scores / math.exp(logarithm)
            losses = logsumexp(scaled, axis=1) - own / math.exp(logarithm)
            wrong = 1 - softmax(scaled).max(axis=1)
            doubt = -0.5 * math.log(max(float(wrong.mean()), 1e-300))
            return float(losses.sum() + doubt)

    low, high = math.log(COLDEST), math.log(HOTTEST)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(min(max(math.exp(found.x), COLDEST), HOTTEST))


def with_temperature(answers: Answers, outputs: Array, labels: Array) -> Answers:
    """Answers with the temperature that suits outputs for images that were not trained on; as they
    are where there are fewer than `FEWEST`. The arguments are those of `fit_temperature`.
    """
    if len(labels) < FEWEST:
        return answers
    return replace(answers, temperature=fit_temperature(outputs, labels))
