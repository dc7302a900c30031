"""How far an image is from those that a network was trained on: a few standard scores.

All are distances: the larger, the less like the images of the training. Outputs and features are
the network's own, from `Model.with_features`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.optim.losses import softmax

Float64 = NDArray[np.float64]
Arrays = Mapping[str, Floats]

NEIGHBOURS = 2
"""The distance to so many of the nearest images counts: to the last of them."""
DIMENSIONS = 64
"""So many principal components of the features are compared with those of other images."""
MOST_WHITENED = 2048
"""Of more features no covariance is computed."""
_ROWS = 1024  # images that are compared with others at a time


def softmax_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """1 - the largest probability (Hendrycks and Gimpel, arXiv:1610.02136)."""
    return np.asarray(1 - softmax(outputs).max(axis=1))


def logit_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """- the largest output (Hendrycks et al., arXiv:1911.11132)."""
    return np.asarray(-outputs.max(axis=1))


def energy_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """- log Σ exp(outputs), the free energy at temperature 1 (Liu et al., arXiv:2010.03759)."""
    return np.asarray(-logsumexp(outputs, axis=1))


def mahalanobis_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """The Mahalanobis distance from the mean of the nearest class, with one covariance for all
    (Lee et al., arXiv:1807.03888).
    """
    white = features @ arrays["whitening"].astype(np.float64)
    return _nearest(white, arrays["means"].astype(np.float64), 1)


def neighbour_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """The Euclidean distance of the features, their principal components scaled to length 1, from
    the second nearest of those kept (Sun et al., arXiv:2204.06507).
    """
    centre, directions = (arrays[name].astype(np.float64) for name in ("centre", "directions"))
    reduced = normalised((features - centre) @ directions)
    return _nearest(reduced, arrays["bank"].astype(np.float64), NEIGHBOURS)


def exposure_distance(outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """How much larger the output for "no class" of a small network on the features is than its
    largest one for a class: it was trained on images made up to be of no class, too (outlier
    exposure: Hendrycks et al., arXiv:1812.04606).
    """
    hidden, decided = (arrays[name].astype(np.float64) for name in ("hidden", "decided"))
    active = np.maximum(features @ hidden[:-1] + hidden[-1], 0)
    found = active @ decided[:-1] + decided[-1]
    return np.asarray(found[:, -1] - found[:, :-1].max(axis=1))


SCORES: Mapping[str, Callable[[Array, Array, Arrays], Float64]] = {
    "softmax": softmax_distance,
    "logit": logit_distance,
    "energy": energy_distance,
    "mahalanobis": mahalanobis_distance,
    "neighbours": neighbour_distance,
    "exposure": exposure_distance,
}


@unwatched
def distance(score: str, outputs: Array, features: Array, arrays: Arrays) -> Float64:
    """The distance of each image by one of `SCORES`, (n,).

    Args:
        score: its name.
        outputs: of the network, (n, classes).
        features: (n, features), or (n, 0) where the network has none.
        arrays: what `fit_arrays` found for it.
    """
    wide = np.asarray(outputs, np.float64), np.asarray(features, np.float64)
    return np.asarray(SCORES[score](*wide, arrays), np.float64)


@unwatched
def fit_arrays(features: Array, labels: Array, classes: int) -> dict[str, dict[str, Floats]]:
    """What each score needs that can be computed from such features, by its name; "exposure" is to
    be learnt: see `striate.training.outlier_exposure`.

    Args:
        features: of images of the training, (n, features).
        labels: their class indices, (n,).
        classes: how many there are; those without images have no mean.
    """
    found: dict[str, dict[str, Floats]] = {"softmax": {}, "logit": {}, "energy": {}}
    wide = np.asarray(features, np.float64)
    count, size = wide.shape
    if not size or count < 2 or not np.isfinite(wide).all():
        return found
    if size <= MOST_WHITENED:
        found["mahalanobis"] = _whitening(wide, np.asarray(labels), classes)
    found["neighbours"] = _bank(wide)
    return found


def normalised(features: Array) -> Float64:
    """The features of each image scaled to length 1; zeros stay."""
    lengths = np.sqrt((features**2).sum(axis=1, keepdims=True))
    return np.asarray(features / np.where(lengths > 0, lengths, 1))


def _whitening(features: Float64, labels: Array, classes: int) -> dict[str, Floats]:
    """The whitening of the features' covariance about the means of their classes, and these means
    after it.
    """
    size = features.shape[1]
    present = np.unique(labels)
    centred = features.copy()
    means = np.zeros((classes, size))
    for label in present:
        rows = labels == label
        means[label] = features[rows].mean(axis=0)
        centred[rows] -= means[label]
    # A class without images has no mean: it gets one that is there already.
    absent = np.setdiff1d(np.arange(classes), present)
    means[absent] = means[present[0]]
    covariance = shrunk_covariance(centred)
    variances, directions = np.linalg.eigh(covariance)
    least = max(float(variances.max()), 1e-30) * 1e-9
    whitening = (directions / np.sqrt(np.maximum(variances, least))).astype(np.float32)
    return {"whitening": whitening, "means": (means @ whitening.astype(np.float64)).astype("f4")}


def _bank(features: Float64) -> dict[str, Floats]:
    """The principal components of features, each image's scaled to length 1."""
    centre = features.mean(axis=0, keepdims=True)
    centred = features - centre
    some = centred[:: max(1, -(-len(centred) // MOST_WHITENED))]
    if features.shape[1] <= len(some):
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :DIMENSIONS]
    else:  # the same of fewer images than features, by their products with each other
        variances, sides = np.linalg.eigh(some @ some.T)
        kept = np.argsort(-variances)[: min(DIMENSIONS, len(some))]
        lengths = np.sqrt(np.maximum(variances[kept], max(float(variances.max()), 1e-30) * 1e-9))
        directions = some.T @ sides[:, kept] / lengths
    reduced = {"centre": centre.astype(np.float32), "directions": directions.astype(np.float32)}
    placed = (features - reduced["centre"]) @ reduced["directions"].astype(np.float64)
    return {**reduced, "bank": normalised(placed).astype(np.float32)}


def shrunk_covariance(centred: Float64) -> Float64:
    """The covariance of values (n, size) whose means are 0, mixed with a multiple of the identity
    so that it is the nearest to the true one on average (Ledoit and Wolf, 2004, "A well-conditioned
    estimator for large-dimensional covariance matrices").
    """
    count, size = centred.shape
    sample = centred.T @ centred / count
    mean = np.trace(sample) / size
    squares = centred**2
    # Σ over pairs of columns of the variance of their products, divided by the count.
    spread = (float((squares.sum(axis=1) ** 2).sum()) / count - float((sample**2).sum())) / count
    away = float((sample**2).sum()) - size * mean**2
    share = 1.0 if away <= 0 else min(max(spread / away, 0.0), 1.0)
    shrunk = (1 - share) * sample
    shrunk.flat[:: size + 1] += share * mean
    return np.asarray(shrunk)


def _nearest(points: Float64, others: Float64, place: int) -> Float64:
    """The distance of each point (n, size) from the `place`-th nearest of others (m, size)."""
    place = min(place, len(others)) - 1
    lengths = (others**2).sum(axis=1)
    found = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        some = points[start : start + _ROWS]
        squares = (some**2).sum(axis=1, keepdims=True) + lengths - 2 * (some @ others.T)
        squares = np.partition(squares, place, axis=1)[:, place]
        found[start : start + _ROWS] = np.sqrt(np.maximum(squares, 0))
    return found
