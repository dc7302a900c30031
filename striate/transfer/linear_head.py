"""A linear classifier on features: multinomial logistic regression, its penalty chosen by
cross-validation.

Of images i with features x, classes c and weights w it minimises

    Σ w · -log softmax(x W + b)[c] / Σ w  +  λ/2 · Σ W²

which is convex, by L-BFGS (Liu and Nocedal, 1989).  λ is the one of a few with the least mean
log-loss over images that were held out; each image is held out once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from striate.common.arithmetic import unwatched
from striate.common.ordered_work import in_order
from striate.common.short_repr import short_repr
from striate.common.stratified import stratified_folds
from striate.optim.losses import SoftmaxCrossEntropy

Values = NDArray[np.float64]
Indices = NDArray[np.intp]

FOLDS = 5
# From so strong that the classes are hardly told apart, down by steps of the square root of ten, to
# so weak that nothing changes any more, for features whose mean variance is one.
_PENALTIES = tuple(10.0 ** (0.5 - step / 2) for step in range(14))
_PATIENCE = 2  # steps without a gain, after which weaker penalties are not tried
_STEPS = 300
_LOSS = SoftmaxCrossEntropy()
# When a solution is good enough: to compare penalties, and to be used.
_ROUGHLY = {"gtol": 1e-4, "ftol": 1e-6}
_EXACTLY = {"gtol": 1e-6, "ftol": 1e-9}


@short_repr
@dataclass(frozen=True, eq=False)
class LinearHead:
    """A linear classifier, and how good it was on images that it had not seen.

    Attributes:
        weights: (features, classes).
        bias: (classes,).
        penalty: λ, for features divided by the root of their mean variance.
        held_out: logits (images, classes), of each image by a classifier trained without it.
        loss: their mean log-loss.
        accuracy: the share of them whose class is right.
    """

    weights: Values
    bias: Values
    penalty: float
    held_out: Values
    loss: float
    accuracy: float


@unwatched
def fit_linear_head(
    views: Sequence[NDArray[np.float32]],
    labels: Indices,
    classes: int,
    *,
    weights: Values | None = None,
    seed: int = 0,
) -> LinearHead:
    """Train a linear classifier.

    Args:
        views: the features (images, features) of one or more views of the images, such as of their
            mirror images, too; the first is the one that is predicted from.
        labels: class indices (images,).
        classes: how many classes there are.
        weights: of the images, 0 or more; None for equal ones.
        seed: of the folds.
    """
    with threadpool_limits(1, "blas"):
        data = _Rotated(views)
    given = np.ones(len(labels)) if weights is None else weights
    folds = stratified_folds(labels, min(FOLDS, len(labels)), np.random.default_rng(seed))
    problems = [
        _LogisticFit(data, np.flatnonzero(folds != fold), labels, classes, given)
        for fold in range(folds.max() + 1)
    ]
    best: tuple[float, float, Values] | None = None
    starts: Sequence[Values] = [problem.zeros for problem in problems]
    since = 0
    for penalty in _PENALTIES:
        held_out = np.empty((len(labels), classes))
        starts = _solved(problems, penalty, starts)
        for fold, problem in enumerate(problems):
            rows = np.flatnonzero(folds == fold)
            held_out[rows] = problem.logits(starts[fold], data.views[0][rows])
        loss = _log_loss(held_out, labels, given)
        if best is None or loss < best[0]:
            best, since = (loss, penalty, held_out), 0
        else:
            since += 1
            if since == _PATIENCE:
                break
    loss, penalty, held_out = best  # type: ignore[misc]
    whole = _LogisticFit(data, np.arange(len(labels)), labels, classes, given)
    with threadpool_limits(1, "blas"):
        solution = whole.solve(penalty, np.mean(starts, axis=0), _EXACTLY)
    matrix, bias = data.back(*whole.parts(solution))
    right = held_out.argmax(axis=1) == labels
    return LinearHead(matrix, bias, penalty, held_out, loss, float(right.mean()))


def _solved(
    problems: Sequence[_LogisticFit], penalty: float, starts: Sequence[Values]
) -> list[Values]:
    """The solutions of the folds, each on a thread of its own.

    Products of matrices are computed by one thread each, so that their bits are the same for any
    number of processors; and several threads on so small ones wait for each other.
    """
    with threadpool_limits(1, "blas"):
        return list(
            in_order(
                lambda fold: problems[fold].solve(penalty, starts[fold], _ROUGHLY),
                range(len(problems)),
            )
        )


class _Rotated:
    """Features moved to their mean, brought to a mean variance of one and, where there are fewer
    rows than features, turned so that all but as many coordinates as rows are zero, and left out.

    None of it changes the classifier that is found: the penalty is the same in all directions.
    """

    def __init__(self, views: Sequence[NDArray[np.float32]]) -> None:
        stacked = np.concatenate(views).astype(np.float64)
        self.mean = stacked.mean(axis=0)
        stacked -= self.mean
        self.scale = float(np.sqrt(np.square(stacked).mean())) or 1.0
        stacked /= self.scale
        self.axes: Values | None = None
        if len(stacked) < stacked.shape[1]:
            # Of the singular vectors of the features, those that their products with each other
            # have: (images, images) instead of (features, features).
            values, vectors = np.linalg.eigh(stacked @ stacked.T)
            kept = values > values[-1] * 1e-12
            lengths = np.sqrt(values[kept])
            self.axes = (vectors[:, kept] / lengths).T @ stacked
            stacked = vectors[:, kept] * lengths
        self.views = np.split(stacked, len(views))

    def back(self, matrix: Values, bias: Values) -> tuple[Values, Values]:
        """Weights and bias for the features as they were."""
        if self.axes is not None:
            matrix = self.axes.T @ matrix
        matrix = matrix / self.scale
        return matrix, bias - self.mean @ matrix


class _LogisticFit:
    """The training of a classifier on some of the images."""

    def __init__(
        self, data: _Rotated, rows: Indices, labels: Indices, classes: int, weights: Values
    ) -> None:
        self.features = np.concatenate([view[rows] for view in data.views])
        self.targets = _LOSS.targets(np.tile(labels[rows], len(data.views)), classes)
        shares = np.tile(weights[rows], len(data.views))
        self.shares = shares / shares.sum()
        self.classes = classes

    @property
    def zeros(self) -> Values:
        """Where to begin: all classes alike."""
        return np.zeros((self.features.shape[1] + 1) * self.classes)

    def parts(self, solution: Values) -> tuple[Values, Values]:
        """The weights (features, classes) and bias (classes,) of a solution."""
        table = solution.reshape(-1, self.classes)
        return table[:-1], table[-1]

    def logits(self, solution: Values, features: Values) -> Values:
        """Of other images, rotated like these."""
        matrix, bias = self.parts(solution)
        result: Values = features @ matrix + bias
        return result

    def solve(self, penalty: float, start: Values, until: Mapping[str, float]) -> Values:
        """The solution for a penalty, searched from `start` until it changes little."""
        found = minimize(
            self._loss, start, (penalty,), "L-BFGS-B", jac=True,
            options={"maxiter": _STEPS, "maxcor": 10, **until},
        )  # fmt: skip
        solution: Values = found.x
        return solution

    def _loss(self, solution: Values, penalty: float) -> tuple[float, Values]:
        matrix, _ = self.parts(solution)
        logits = self.logits(solution, self.features)
        loss, errors = _LOSS.value_and_gradient(logits, self.targets, self.shares)
        gradient = np.empty_like(solution).reshape(-1, self.classes)
        np.matmul(self.features.T, errors, out=gradient[:-1])
        gradient[:-1] += penalty * matrix
        gradient[-1] = errors.sum(axis=0)
        return loss + penalty / 2 * float(np.square(matrix).sum()), gradient.ravel()


def _log_loss(logits: Values, labels: Indices, weights: Values) -> float:
    losses = _LOSS.per_image(logits, _LOSS.targets(labels, logits.shape[1]))
    return float(weights @ losses / weights.sum())
