"""Logistic regression of a head: convex, and so found by L-BFGS (Liu and Nocedal, 1989)."""

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

    def solve(self, penalty: float, start: Values | None, *, exactly: bool) -> Values:
        """The solution for a penalty, searched from `start` until it changes little."""
        if start is None:
            start = np.zeros((self.features.shape[1] + 1, self.outputs))
        found = minimize(
            self._loss, start.ravel(), (penalty,), "L-BFGS-B", jac=True,
            options={"maxiter": _STEPS, "maxcor": 10, **(_EXACTLY if exactly else _ROUGHLY)},
        )  # fmt: skip
        solution: Values = found.x.reshape(-1, self.outputs)
        return solution

    def _loss(self, solution: Values, penalty: float) -> tuple[float, Values]:
        table = solution.reshape(-1, self.outputs)
        matrix, bias = table[:-1], table[-1]
        outputs = self.features @ matrix + bias
        loss, errors = self.loss.value_and_gradient(outputs, self.targets, self.shares)
        gradient = np.empty_like(table)
        np.matmul(self.features.T, errors, out=gradient[:-1])
        gradient[:-1] += penalty * matrix
        gradient[-1] = errors.sum(axis=0)
        return loss + penalty / 2 * float(np.square(matrix).sum()), gradient.ravel()
