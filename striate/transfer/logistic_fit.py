"""Logistic regression of a head: convex, and so found by L-BFGS (Liu and Nocedal, 1989).

The features vary a hundred times as much along their first axes as along their last, and rare
classes bend the loss less than frequent ones.  L-BFGS would take many steps to learn that; it is
told at the start, by a scale for each weight: one over the root of how much the loss bends there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize

from striate.optim.losses import Loss
from striate.transfer.linear_head import HeadFit
from striate.transfer.rotated_features import Values

PENALTIES = tuple(10.0 ** (0.5 - step / 2) for step in range(14))
"""From so strong that classes are hardly told apart, down by steps of the square root of ten, to so
weak that nothing changes any more, for features whose mean variance is one."""
PATIENCE = 2
"""Steps without a gain, after which weaker penalties are not tried."""

_STEPS = 300
_RAREST = 1e-3  # of rarer outputs than this the loss bends as if they were this frequent
# When a solution is good enough: to compare penalties, and to be used.
_ROUGHLY: Mapping[str, float] = {"gtol": 1e-4, "ftol": 1e-6}
_EXACTLY: Mapping[str, float] = {"gtol": 1e-6, "ftol": 1e-9}


class LogisticFit(HeadFit):
    """The training of a head by a cross-entropy, on some of the images.

    Args:
        features: (rows, features).
        targets: (rows, outputs).
        shares: the weight of each row in the loss, (rows,).
        loss: of outputs and targets.
    """

    def __init__(self, features: Values, targets: Values, shares: Values, loss: Loss) -> None:
        self.features, self.targets, self.shares, self.loss = features, targets, shares, loss
        self.outputs = targets.shape[1]
        # How much the loss bends along each weight: of an output as frequent as this one, p (1 - p)
        # times the variance of the feature.
        often = np.clip(shares @ targets / shares.sum(), _RAREST, 1 - _RAREST)
        variances = shares @ np.square(features) / shares.sum()
        self.bends = np.outer(np.append(variances, 1.0), often * (1 - often))

    def solve(self, penalty: float, start: Values | None, *, exactly: bool) -> Values:
        """The solution for a penalty, searched from `start` until it changes little."""
        if start is None:
            start = np.zeros_like(self.bends)
        penalties = np.full((len(self.bends), 1), penalty)
        penalties[-1] = 0  # the bias has none
        scales = 1 / np.sqrt(self.bends + penalties)
        found = minimize(
            self._loss, (start / scales).ravel(), (penalty, scales), "L-BFGS-B", jac=True,
            options={"maxiter": _STEPS, "maxcor": 10, **(_EXACTLY if exactly else _ROUGHLY)},
        )  # fmt: skip
        solution: Values = found.x.reshape(scales.shape) * scales
        return solution

    def _loss(self, scaled: Values, penalty: float, scales: Values) -> tuple[float, Values]:
        table = scaled.reshape(scales.shape) * scales
        matrix, bias = table[:-1], table[-1]
        outputs = self.features @ matrix + bias
        loss, errors = self.loss.value_and_gradient(outputs, self.targets, self.shares)
        gradient = np.empty_like(table)
        np.matmul(self.features.T, errors, out=gradient[:-1])
        gradient[:-1] += penalty * matrix
        gradient[-1] = errors.sum(axis=0)
        value = loss + penalty / 2 * float(np.square(matrix).sum())
        return value, (gradient * scales).ravel()
