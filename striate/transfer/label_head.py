"""A linear head for labels, of which an image has any number: a logistic regression for each.

Of images with features x, labels y of 0 and 1 and weights w it minimises, for each label by itself,

    Σ -w (p y log s + (1 - y) log(1 - s)) / Σ w  +  λ/2 · Σ W²,   s = 1 / (1 + exp(-(x W + b)))

where p is how many times an image counts that has the label.  All labels have one penalty: few
images have a rare label, and would tell little about one of its own.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.common.iterative_stratification import iterative_folds
from striate.optim.losses import SigmoidCrossEntropy
from striate.transfer.linear_head import (
    Indices,
    LinearHead,
    Views,
    cross_validated,
    number_of_folds,
)
from striate.transfer.logistic_fit import PATIENCE, PENALTIES, LogisticFit
from striate.transfer.rotated_features import Values


def fit_label_head(
    views: Views,
    labels: Array,
    criterion: SigmoidCrossEntropy | None = None,
    *,
    weights: Values | None = None,
    seed: int = 0,
) -> LinearHead:
    """Train a head whose outputs are the logits of labels.

    Args:
        views: as for `cross_validated`.
        labels: of 0 to 1, (images, labels).  One that all images have, or none, gets a bias only.
        criterion: the loss, with the weights of labels; None without such.
        weights: of the images, 0 or more; None for equal ones.
        seed: of the folds, each of which has its share of every label as nearly as can be.
    """
    loss_of = criterion or SigmoidCrossEntropy()
    count = labels.shape[1]
    targets = loss_of.targets(labels, count).astype(np.float64)
    given = np.ones(len(labels)) if weights is None else weights

    def fit_to(features: Values, rows: Indices) -> LogisticFit:
        # The loss of an image is the mean over its labels; here it is their sum.
        shares = given[rows]
        return LogisticFit(features, targets[rows], shares * (count / shares.sum()), loss_of)

    def loss(outputs: Values) -> float:
        return float(given @ loss_of.per_image(outputs, targets) / given.sum())

    chosen = number_of_folds(len(labels))
    folds = iterative_folds(labels > 0.5, chosen, np.random.default_rng(seed))
    return cross_validated(views, folds, fit_to, loss, penalties=PENALTIES, patience=PATIENCE)
