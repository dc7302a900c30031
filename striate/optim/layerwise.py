"""Optimisers for large batches, whose steps are as long as the weights of each layer ask: LARS and
LAMB.

With a large batch there are few steps, so each must be long; and the rate at which training
diverges is that of the layer whose gradient is the longest beside its weights.  These optimisers
measure both for each tensor (the filters of a convolution, the weights of a dense layer) by their
Euclidean norms, and multiply the step of a tensor by a trust ratio.  So they all change by a like
share of their length, and one learning rate suits them.

Biases, and the scales and shifts of normalisation, have no weight decay and the trust ratio 1, as
in the authors' own programs, unless `adapt_all` is set.  The trust ratio is 1, too, where one of
its norms is 0: weights that begin at 0 could never leave it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError
from striate.optim.optimizer import Optimizer, above_zero, at_least_zero, below_one

Places = Sequence[tuple[int, int]]
"""(start, stop) of tensors in the flat buffer of all parameters."""


class LayerwiseOptimizer(Optimizer):
    """The base of LARS and LAMB: which tensors have a trust ratio.

    Attributes:
        adapt_all: whether biases, and scales and shifts of normalisation, have one, too.
    """

    def __init__(self, weight_decay: float, adapt_all: bool) -> None:
        super().__init__(weight_decay)
        if not isinstance(adapt_all, bool | np.bool_):
            raise StriateTypeError(
                f"{self.kind}: adapt_all must be True or False, not {adapt_all!r}"
            )
        self.adapt_all = bool(adapt_all)

    @abstractmethod
    def apply(
        self,
        flat: Floats,
        gradient: Floats,
        decay_mask: Floats,
        learning_rate: float | Floats,
        tensors: Places | None = None,
    ) -> None:
        """Update the parameters in place by one step.

        Args:
            flat, gradient, decay_mask, learning_rate: as of every optimiser.
            tensors: where the tensors lie that learn; all else stays as it is.  None: all of
                `flat` is one tensor.
        """

    def adapts(self, decays: bool) -> bool:
        """Whether a tensor has a trust ratio; `decays`, whether weight decay applies to it."""
        return self.adapt_all or decays

    def _tensors(self, decay_mask: Floats, tensors: Places | None) -> Iterator[tuple[slice, bool]]:
        """Each tensor, and whether it has a trust ratio."""
        for start, stop in [(0, decay_mask.size)] if tensors is None else tensors:
            place = slice(start, stop)
            yield place, self.adapts(bool(decay_mask[place].any()))


class LARS(LayerwiseOptimizer):
    """SGD with momentum and layer-wise adaptive rates.

    From You, Gitman and Ginsburg, 2017, "Large Batch Training of Convolutional Networks"
    (arXiv:1708.03888), algorithm 1: ``g = gradient + weight_decay * p``,
    ``ratio = trust_coefficient * |p| / (|gradient| + weight_decay * |p| + eps)``,
    ``v = momentum * v + rate * ratio * g``, ``p -= v``.  Its state is [v], in which the rate is a
    factor already, unlike that of SGD.

    Args:
        momentum: 0 or more, below 1.
        weight_decay: 0 or more.
        trust_coefficient: how far a step may change a tensor, as a share of its norm, at a learning
            rate of 1 and without momentum; above 0.  The article has 0.001, and rates above 1,
            which are those of biases, too: that is too high for them where batches are few.
        eps: is added to the norms that are divided by, 0 or more.
        adapt_all: whether biases, and scales and shifts of normalisation, have a trust ratio, too.
    """

    kind = "lars"
    slots = 1

    def __init__(
        self,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.02,
        eps: float = 1e-8,
        adapt_all: bool = False,
    ) -> None:
        super().__init__(weight_decay, adapt_all)
        self.momentum = below_one(self.kind, "momentum", momentum)
        self.trust_coefficient = above_zero(
            self.kind, "trust_coefficient", trust_coefficient, "or no step changes anything"
        )
        self.eps = at_least_zero(self.kind, "eps", eps)

    def hyperparameters(self) -> dict[str, Any]:
        """`momentum`, `weight_decay`, `trust_coefficient`, `eps` and `adapt_all`."""
        return {
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "trust_coefficient": self.trust_coefficient,
            "eps": self.eps,
            "adapt_all": self.adapt_all,
        }

    @unwatched
    def apply(
        self,
        flat: Floats,
        gradient: Floats,
        decay_mask: Floats,
        learning_rate: float | Floats,
        tensors: Places | None = None,
    ) -> None:
        """Update `flat` in place by one step."""
        self.begin(flat, learning_rate)
        (velocity,) = self.state
        rates = np.broadcast_to(np.float32(learning_rate), flat.shape)
        decay = self.weight_decay * decay_mask
        slope = gradient + decay * flat
        for place, adapted in self._tensors(decay_mask, tensors):
            ratio = 1.0
            if adapted:
                ratio = self._ratio(
                    flat[place], gradient[place], float(decay[place].max(initial=0.0))
                )
            velocity[place] *= self.momentum
            velocity[place] += np.float32(ratio) * rates[place] * slope[place]
            flat[place] -= velocity[place]
        self.steps += 1

    def _ratio(self, weights: Floats, gradient: Floats, decay: float) -> float:
        length, slope = norm(weights), norm(gradient)
        if length == 0.0 or slope == 0.0:
            return 1.0
        return self.trust_coefficient * length / (slope + decay * length + self.eps)


class LAMB(LayerwiseOptimizer):
    """Adam with layer-wise adaptive rates and decoupled weight decay.

    From You et al., 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes"
    (arXiv:1904.00962), algorithm 2, with the identity for its function of the weights' norm:
    ``m = beta1 * m + (1 - beta1) * g``, ``v = beta2 * v + (1 - beta2) * g²``,
    ``u = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * p``, then
    ``p -= rate * |p| / |u| * u``.  Its state is [m, v].

    Args:
        beta1, beta2: decay rates of the running means of gradient and squared gradient, 0 or more,
            below 1.
        eps: above 0.
        weight_decay: 0 or more.
        adapt_all: whether biases, and scales and shifts of normalisation, have a trust ratio, too.
    """

    kind = "lamb"
    slots = 2
    rate_power = 0.5  # the article's rule: the square root of the batch

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        adapt_all: bool = False,
    ) -> None:
        super().__init__(weight_decay, adapt_all)
        self.beta1 = below_one(self.kind, "beta1", beta1)
        self.beta2 = below_one(self.kind, "beta2", beta2)
        self.eps = above_zero(self.kind, "eps", eps, "or a zero gradient divides by zero")

    def hyperparameters(self) -> dict[str, Any]:
        """`beta1`, `beta2`, `eps`, `weight_decay` and `adapt_all`."""
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "adapt_all": self.adapt_all,
        }

    @unwatched
    def apply(
        self,
        flat: Floats,
        gradient: Floats,
        decay_mask: Floats,
        learning_rate: float | Floats,
        tensors: Places | None = None,
    ) -> None:
        """Update `flat` in place by one step."""
        self.begin(flat, learning_rate)
        mean, square = self.state
        time = self.steps + 1
        rates = np.broadcast_to(np.float32(learning_rate), flat.shape)
        root = math.sqrt(1.0 - self.beta2**time)
        for place, adapted in self._tensors(decay_mask, tensors):
            mean[place] *= self.beta1
            mean[place] += (1.0 - self.beta1) * gradient[place]
            square[place] *= self.beta2
            square[place] += (1.0 - self.beta2) * np.square(gradient[place])
            step = mean[place] / (1.0 - self.beta1**time)
            step /= np.sqrt(square[place]) / root + self.eps
            step += self.weight_decay * decay_mask[place] * flat[place]
            ratio = _quotient(norm(flat[place]), norm(step)) if adapted else 1.0
            flat[place] -= np.float32(ratio) * rates[place] * step
        self.steps = time


def norm(values: Floats) -> float:
    """The Euclidean norm; squares are of 32 bits, as in machine code."""
    return math.sqrt(np.square(values).sum(dtype=np.float64))


def _quotient(length: float, step: float) -> float:
    return length / step if length > 0.0 and step > 0.0 else 1.0
