"""A linear head for numbers: ridge regression.

Of images with features x, numbers y and weights w it minimises

    Σ w (x W + b - y)² / Σ w  +  λ · Σ W²

whose solution is known: with the eigenvectors V and eigenvalues e of the features' covariance,
W = V · (Vᵀ · covariance of x and y) / (e + λ), for every λ at hardly any cost.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.common.stratified import stratified_folds
from striate.transfer.linear_head import (
    HeadFit,
    Indices,
    LinearHead,
    Views,
    cross_validated,
    number_of_folds,
)
from striate.transfer.rotated_features import Values

# From so strong that little but the mean is left, whatever the features; all are tried, as the
# first of them may fit what is large in the features and says nothing of the numbers.
_PENALTIES = tuple(10.0 ** (4 - step / 2) for step in range(21))


def fit_number_head(
    views: Views, numbers: Array, *, weights: Values | None = None, seed: int = 0
) -> LinearHead:
    """Train a head whose outputs are numbers.

    Args:
        views: as for `cross_validated`.
        numbers: (images, numbers), each of mean 0 and deviation 1, so that all count alike.
        weights: of the images, 0 or more; None for equal ones.
        seed: of the folds.
    """
    targets = np.asarray(numbers, np.float64)
    given = np.ones(len(targets)) if weights is None else weights

    def fit_to(features: Values, rows: Indices) -> _RidgeFit:
        return _RidgeFit(features, targets[rows], given[rows])

    def loss(outputs: Values) -> float:
        return float(given @ np.square(outputs - targets).mean(axis=1) / given.sum())

    one_class = np.zeros(len(targets), np.intp)
    chosen = number_of_folds(len(targets))
    folds = stratified_folds(one_class, chosen, np.random.default_rng(seed))
    return cross_validated(
        views, folds, fit_to, loss, penalties=_PENALTIES, patience=len(_PENALTIES)
    )


class _RidgeFit(HeadFit):
    """Ridge regression on some of the images."""

    def __init__(self, features: Values, targets: Values, weights: Values) -> None:
        shares = weights / weights.sum()
        self.mean, self.usual = shares @ features, shares @ targets
        centred = features - self.mean
        shared = centred.T * shares
        values, self.vectors = np.linalg.eigh(shared @ centred)
        self.values = np.maximum(values, 0)  # rounding may leave some a little below
        self.together = self.vectors.T @ (shared @ (targets - self.usual))

    def solve(self, penalty: float, start: Values | None, *, exactly: bool) -> Values:
        """The solution for a penalty; there is nothing to search for."""
        matrix = self.vectors @ (self.together / (self.values + penalty)[:, None])
        table: Values = np.vstack([matrix, self.usual - self.mean @ matrix])
        return table
