"""The loss of single images, and its gradients with respect to every value and weight.

By the chain rule of *Convolutional Neural Network* (A. A. Umar), through all layers; as they
predict, that is with the running averages of batch normalisation and without dropout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.common.short_repr import short_repr
from striate.inspect.values import Tape
from striate.optim.losses import SoftmaxCrossEntropy


@short_repr
@dataclass(frozen=True, eq=False)
class LossGradients:
    """The gradients of the loss of each of n images, for its true class.

    Attributes:
        losses: the cross-entropy of each image, (n,).
        values: ∂L/∂output of each node, float32 (n, *shape); -1 is the preprocessed input.
        weights: ∂L/∂parameter by the node that owns it and by name, float32 (n, *shape).
    """

    losses: Floats
    values: Mapping[int, Floats]
    weights: Mapping[int, Mapping[str, Floats]]

    def first(self, count: int) -> LossGradients:
        """Those of the first images."""
        return replace(
            self,
            losses=self.losses[:count],
            values={index: array[:count] for index, array in self.values.items()},
            weights={
                index: {name: array[:count] for name, array in arrays.items()}
                for index, arrays in self.weights.items()
            },
        )


def loss_gradients(
    tape: Tape, truth: npt.NDArray[np.intp], loss: SoftmaxCrossEntropy, weights_of: Collection[int]
) -> LossGradients:
    """The gradients of one image's loss.

    Args:
        tape: a recorded pass of the one image, up to the network's logits.
        truth: its class, (1,).
        loss: with the label smoothing of the training.
        weights_of: the nodes of whose parameters gradients are wanted.
    """
    logits = tape.values[len(tape.network.nodes) - 1]
    targets = loss.targets(truth, logits.shape[1])
    _, arriving = loss.value_and_gradient(logits, targets, np.ones(1, np.float32))
    values, weights = tape.gradients(arriving, weights_of)
    return LossGradients(
        loss.per_image(logits, targets),
        values,
        {index: {name: a[None] for name, a in own.items()} for index, own in weights.items()},
    )


def joined_gradients(each: Sequence[LossGradients]) -> LossGradients:
    """The gradients of several images, one after the other."""
    first = each[0]

    def join(arrays: Sequence[Array]) -> Floats:
        return np.asarray(np.concatenate(arrays), np.float32)

    return LossGradients(
        join([one.losses for one in each]),
        {index: join([one.values[index] for one in each]) for index in first.values},
        {
            index: {name: join([one.weights[index][name] for one in each]) for name in arrays}
            for index, arrays in first.weights.items()
        },
    )
