"""Linear heads on features: weights and bias, their penalty chosen by cross-validation.

A head of outputs x W + b minimises a loss, the mean over the images, and λ/2 · Σ W² (of squared
errors λ · Σ W²).  λ is the one of a few with the least loss on images that were held out; each
image is held out once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from striate.common.arithmetic import unwatched
from striate.common.errors import StriateValueError
from striate.common.ordered_work import in_order
from striate.common.short_repr import short_repr
from striate.network import Network
from striate.transfer.rotated_features import RotatedFeatures, Values

Made = TypeVar("Made")
Indices = NDArray[np.intp]
Views = Sequence[NDArray[np.float32]]

FOLDS = 5


@short_repr
@dataclass(frozen=True, eq=False)
class LinearHead:
    """A dense layer on features, and what it said of images that it had not seen.

    Attributes:
        weights: (features, outputs).
        bias: (outputs,).
        penalty: λ, for features divided by the root of their mean variance.
        held_out: outputs (images, outputs), of each image by a head trained without it.
        loss: their mean loss.
    """

    weights: Values
    bias: Values
    penalty: float
    held_out: Values
    loss: float

    def __call__(self, features: NDArray[np.float32]) -> Values:
        """Its outputs (n, outputs) for features (n, features)."""
        return features @ self.weights + self.bias

    def put_into(self, network: Network) -> None:
        """Give the network's layer "head" its weights."""
        network.parameters["head/weights"][...] = self.weights
        network.parameters["head/bias"][...] = self.bias


class HeadFit(ABC):
    """The training of a head on some of the images."""

    @abstractmethod
    def solve(self, penalty: float, start: Values | None, *, exactly: bool) -> Values:
        """The weights and, as last row, the bias: (features + 1, outputs).

        Args:
            penalty: λ.
            start: the solution for a similar penalty; None for none.
            exactly: whether it will be used, not just compared with that for other penalties.
        """


FitTo = Callable[[Values, Indices], HeadFit]
"""From features (rows, features), and which image each row is of, to their training."""


def number_of_folds(images: int) -> int:
    """How many parts there are, of which one after the other is held out.

    Raises:
        StriateValueError: there is but one image.
    """
    if images < 2:
        raise StriateValueError(
            f"a head needs two images at least, of which one can be held out: there is {images}"
        )
    return min(FOLDS, images)


@unwatched
def cross_validated(
    views: Views,
    folds: Indices,
    fit_to: FitTo,
    loss: Callable[[Values], float],
    *,
    penalties: Sequence[float],
    patience: int,
) -> LinearHead:
    """Train a head.

    Args:
        views: the features (images, features) of one or more views of the images, such as of their
            mirror images, too; the first is the one that is predicted from.
        folds: of each image the number of the part with which it is held out, from 0, (images,).
        fit_to: begins the training on some of the images, in all views.
        loss: of the outputs (images, outputs) of images that were held out.
        penalties: those that are tried, the strongest first.
        patience: after so many without a gain, weaker ones are not tried.
    """
    with threadpool_limits(1, "blas"):
        data = RotatedFeatures(views)

    def fit_on(chosen: NDArray[np.bool_]) -> HeadFit:
        rows = np.flatnonzero(chosen)
        features = np.concatenate([view[rows] for view in data.views])
        return fit_to(features, np.tile(rows, len(data.views)))

    count = int(folds.max()) + 1
    fits = _each_fold(count, lambda fold: fit_on(folds != fold))
    best: tuple[float, float, Values] | None = None
    solved: list[Values] | None = None
    since = 0
    for penalty in penalties:
        solved = _each_fold(count, _solver(fits, penalty, solved or [None] * count))
        held_out = np.empty((len(folds), solved[0].shape[1]))
        for fold, table in enumerate(solved):
            rows = np.flatnonzero(folds == fold)
            held_out[rows] = data.views[0][rows] @ table[:-1] + table[-1]
        found = loss(held_out)
        if best is None or found < best[0]:
            best, since = (found, penalty, held_out), 0
        else:
            since += 1
            if since == patience:
                break
    if best is None or solved is None:
        raise StriateValueError("there are no penalties to choose from")
    found, penalty, held_out = best
    with threadpool_limits(1, "blas"):
        whole = fit_on(np.ones(len(folds), np.bool_))
        table = whole.solve(penalty, np.mean(solved, axis=0), exactly=True)
        matrix, bias = data.back(table[:-1], table[-1])
    return LinearHead(matrix, bias, penalty, held_out, found)


def _solver(
    fits: Sequence[HeadFit], penalty: float, starts: Sequence[Values | None]
) -> Callable[[int], Values]:
    return lambda fold: fits[fold].solve(penalty, starts[fold], exactly=False)


def _each_fold(count: int, work: Callable[[int], Made]) -> list[Made]:
    """What `work` makes of each fold, each on a thread of its own.

    Products of matrices are computed by one thread each, so that their bits are the same for any
    number of processors; and several threads on so small ones wait for each other.
    """
    with threadpool_limits(1, "blas"):
        return list(in_order(unwatched(work), range(count)))
