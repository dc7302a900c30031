"""Features as linear heads are trained on them: of mean zero, and no more than there are images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class RotatedFeatures:
    """Features moved to their mean, brought to a mean variance of one and, where there are fewer
    rows than features, turned so that all but as many coordinates as rows are zero, and left out.

    None of it changes the head that is found: the penalty is the same in all directions.

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
        """Weights (features, outputs) and bias (outputs,) for the features as they were."""
        if self.axes is not None:
            matrix = self.axes.T @ matrix
        matrix = matrix / self.scale
        return matrix, bias - self.mean @ matrix
