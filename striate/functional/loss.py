"""The loss of a classifier, and its gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.functional.single import floats


@unwatched
def softmax_cross_entropy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Array]:
    """The loss Σ weight·(-log softmax(logits)[label]) and its gradient (n, classes).

    Args:
        logits: (n, classes).
        labels: class indices (n,).
        weights: (n,), by default 1/n each, which makes the mean.
    """
    from striate.optim.losses import SoftmaxCrossEntropy

    outputs = floats(logits, "logits", "(n, classes)")
    loss = SoftmaxCrossEntropy(label_smoothing)
    targets = loss.targets(labels, outputs.shape[1]).astype(outputs.dtype)
    count = len(outputs)
    shares = np.full(count, 1 / max(count, 1)) if weights is None else floats(weights, "weights")
    for name, array in (("labels", targets), ("weights", shares)):
        if len(array) != count:
            raise StriateValueError(
                f"softmax_cross_entropy: {count} logits but {len(array)} {name}"
            )
    return loss.value_and_gradient(outputs, targets, shares.astype(outputs.dtype))
