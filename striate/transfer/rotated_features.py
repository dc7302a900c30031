"""Features as linear heads are trained on them: of mean zero, along their principal axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
# Of the largest variance: so much of it is but rounding.
_NOTHING = 1e-12


class RotatedFeatures:
    """Features moved to their mean, brought to a mean variance of one, and turned to their
    principal axes; of these only those are left along which there is any variance.

    None of it changes the head that is found: the penalty is the same in all directions.  But along
    these axes features do not depend on each other, so that each can be searched at its own pace.

    Args:
        views: the features (images, features) of one or more views of the images.

    Attributes:
        views: the same, as they are trained on.
    """

    def __init__(self, views: Sequence[NDArray[np.float32]]) -> None:
        stacked = np.concatenate(views).astype(np.float64)
        self.mean = stacked.mean(axis=0)
        stacked -= self.mean
        self.scale = float(np.sqrt(np.square(stacked).mean())) or 1.0
        stacked /= self.scale
        if len(stacked) < stacked.shape[1]:
            # From products of images with each other, (images, images), which are fewer.
            values, vectors = np.linalg.eigh(stacked @ stacked.T)
            kept = values > values[-1] * _NOTHING
            lengths = np.sqrt(values[kept])
            self.axes: Values = (vectors[:, kept] / lengths).T @ stacked
            stacked = vectors[:, kept] * lengths
        else:
            values, vectors = np.linalg.eigh(stacked.T @ stacked)
            self.axes = np.ascontiguousarray(vectors[:, values > values[-1] * _NOTHING].T)
            stacked = stacked @ self.axes.T
        self.views = np.split(stacked, len(views))

    def back(self, matrix: Values, bias: Values) -> tuple[Values, Values]:
        """Weights (features, outputs) and bias (outputs,) for the features as they were."""
        matrix = self.axes.T @ matrix / self.scale
        return matrix, bias - self.mean @ matrix
