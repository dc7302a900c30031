"""A linear head for classes: multinomial logistic regression.

Of images i with features x, classes c and weights w it minimises

    Σ w · -log softmax(x W + b)[c] / Σ w  +  λ/2 · Σ W²
"""

from __future__ import annotations

import numpy as np

from striate.common.stratified import stratified_folds
from striate.optim.losses import SoftmaxCrossEntropy
from striate.transfer.linear_head import (
    Indices,
    LinearHead,
    Views,
    cross_validated,
    number_of_folds,
)
from striate.transfer.logistic_fit import PATIENCE, PENALTIES, LogisticFit
from striate.transfer.rotated_features import Values


def fit_class_head(
    views: Views,
    labels: Indices,
    classes: int,
    *,
    weights: Values | None = None,
    folds: Indices | None = None,
    seed: int = 0,
) -> LinearHead:
    """Train a head whose outputs are the logits of classes.

    Args:
        views: as for `cross_validated`.
        labels: class indices (images,).
        classes: how many classes there are.
        weights: of the images, 0 or more; None for equal ones.
        folds: of each image, (images,), which of the folds 0, 1, … it is held out with; None to
            deal the images out so that each fold has its share of every class.
        seed: of these folds.
    """
    criterion = SoftmaxCrossEntropy()
    targets = criterion.targets(labels, classes).astype(np.float64)
    given = np.ones(len(labels)) if weights is None else weights

    def fit_to(features: Values, rows: Indices) -> LogisticFit:
        shares = given[rows]
        return LogisticFit(features, targets[rows], shares / shares.sum(), criterion)

    def loss(outputs: Values) -> float:
        return float(given @ criterion.per_image(outputs, targets) / given.sum())

    if folds is None:
        folds = stratified_folds(labels, number_of_folds(len(labels)), np.random.default_rng(seed))
    return cross_validated(views, folds, fit_to, loss, penalties=PENALTIES, patience=PATIENCE)
