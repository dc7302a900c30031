"""Which labels are probably wrong, from probabilities that were found without them.

Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels",
arXiv:1911.00068. An image counts as one of class j if its probability of j is at least the mean
probability of j among the images that are labelled so (and of several such classes the likeliest
one is it). The confident joint C[i, j] counts the images of label i that count as j; scaled to the
images of each label it estimates how many labels i should be j. So many of label i are taken for
wrong as it has off its diagonal, and two standard deviations of that count more, for all of them
are to be found: those of which another class is likelier than the label by the largest margins
("prune by class").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.short_repr import short_repr
from striate.data.part import Labels

Matrix = npt.NDArray[np.float64]

SURE_MARGIN = 0.6
"""By how much likelier than the label another class must be for the label to be taken for wrong
whatever the joint says."""


@short_repr
@dataclass(frozen=True, eq=False)
class WrongLabels:
    """Labels that are probably wrong, the surest first.

    Attributes:
        rows: of the images.
        suggested: the class that each of them probably has.
        margins: its probability less that of the label, 0...1.
        joint: (classes, classes), how many images of label i are estimated to be of class j.
    """

    rows: npt.NDArray[np.intp]
    suggested: Labels
    margins: Matrix
    joint: Matrix


def counted_as(probabilities: Matrix, labels: Labels) -> Labels:
    """The class that each image counts as, (n,); -1 where none is sure."""
    sure = np.where(probabilities >= class_thresholds(probabilities, labels), probabilities, -1.0)
    best = sure.argmax(axis=1)
    return np.where(sure[np.arange(len(labels)), best] >= 0, best, -1)


def confident_joint(probabilities: Matrix, labels: Labels) -> Matrix:
    """Estimate how many images of label i are of class j, (classes, classes).

    Each row sums to the number of images of that label.

    Args:
        probabilities: (n, classes), each row of them found without the image.
        labels: (n,).
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    best = counted_as(probabilities, labels)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[best >= 0], best[best >= 0]), 1)
    # A label of which no image is sure tells nothing of its classes.
    empty = joint.sum(axis=1) == 0
    joint[empty, empty] = 1
    scaled: Matrix = joint * (counts / joint.sum(axis=1))[:, None]
    return scaled


def class_thresholds(probabilities: Matrix, labels: Labels) -> Matrix:
    """The mean probability of each class among the images that are labelled so, (classes,)."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    sums = np.bincount(labels, weights=own, minlength=classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def wrong_labels(
    probabilities: Matrix, labels: Labels, *, least_margin: float = 0.0
) -> WrongLabels:
    """Find the labels that are probably wrong.

    Args:
        probabilities: (n, classes), each row of them found without the image.
        labels: (n,).
        least_margin: by how much the suggested class must be likelier than the label.
    """
    joint = confident_joint(probabilities, labels)
    own = probabilities[np.arange(len(labels)), labels]
    best = probabilities.argmax(axis=1)
    margins = probabilities[np.arange(len(labels)), best] - own
    found = np.zeros(len(labels), np.bool_)
    for label, wrong in enumerate(joint.sum(axis=1) - np.diag(joint)):
        members = np.flatnonzero(labels == label)
        most = math.ceil(wrong + 2 * math.sqrt(wrong))
        found[members[np.argsort(-margins[members], kind="stable")[:most]]] = True
    # In small sets few images reach the means, and the joint counts none: these are wrong anyway.
    found |= margins >= SURE_MARGIN
    rows = np.flatnonzero(found & (best != labels) & (margins > least_margin))
    rows = rows[np.argsort(-margins[rows], kind="stable")]
    return WrongLabels(rows, best[rows], margins[rows], joint)
