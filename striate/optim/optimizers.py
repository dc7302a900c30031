"""Optimisers, which update the parameters by a gradient: SGD and AdamW, by PyTorch's formulas; and
all of them by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.words import OPTIMIZERS, known_as
from striate.optim.layerwise import LAMB, LARS
from striate.optim.optimizer import Optimizer as Optimizer
from striate.optim.optimizer import above_zero, below_one


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as `torch.optim.SGD`.

    ``g = gradient + weight_decay * p``, ``v = momentum * v + g``, then ``p -= rate * v``, or with
    Nesterov momentum ``p -= rate * (g + momentum * v)`` (Sutskever et al., 2013). Its state is [v].

    Args:
        momentum: 0 or more, below 1.
        nesterov: whether to use Nesterov momentum.
        weight_decay: 0 or more.
    """

    kind = "sgd"
    slots = 1

    def __init__(
        self, momentum: float = 0.9, nesterov: bool = True, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weight_decay)
        self.momentum = below_one(self.kind, "momentum", momentum)
        if not isinstance(nesterov, bool | np.bool_):
            raise StriateTypeError(f"sgd: nesterov must be True or False, not {nesterov!r}")
        # With a momentum of 0 both variants are plain gradient descent.
        self.nesterov = bool(nesterov)

    def hyperparameters(self) -> dict[str, Any]:
        """`momentum`, `nesterov` and `weight_decay`."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
        }

    @unwatched
    def apply(
        self, flat: Floats, gradient: Floats, decay_mask: Floats, learning_rate: float | Floats
    ) -> None:
        """Update `flat` in place by one step."""
        self.begin(flat, learning_rate)
        (velocity,) = self.state
        slope = gradient + (self.weight_decay * decay_mask) * flat
        velocity *= self.momentum
        velocity += slope
        step = slope + self.momentum * velocity if self.nesterov else velocity
        flat -= learning_rate * step
        self.steps += 1


class AdamW(Optimizer):
    """Adam with decoupled weight decay, as `torch.optim.AdamW` (Loshchilov & Hutter, 2019).

    ``p *= 1 - rate * weight_decay``, ``m = beta1 * m + (1 - beta1) * g``,
    ``v = beta2 * v + (1 - beta2) * g²``, then
    ``p -= rate / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps)``. Its state is [m, v].

    Args:
        beta1, beta2: decay rates of the running means of gradient and squared gradient, 0 or more,
            below 1.
        eps: above 0.
        weight_decay: 0 or more.
    """

    kind = "adamw"
    slots = 2
    rate_power = 0.5  # as LAMB's

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(weight_decay)
        self.beta1 = below_one(self.kind, "beta1", beta1)
        self.beta2 = below_one(self.kind, "beta2", beta2)
        self.eps = above_zero(self.kind, "eps", eps, "or a zero gradient divides by zero")

    def hyperparameters(self) -> dict[str, Any]:
        """`beta1`, `beta2`, `eps` and `weight_decay`."""
        return {
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
        }

    @unwatched
    def apply(
        self, flat: Floats, gradient: Floats, decay_mask: Floats, learning_rate: float | Floats
    ) -> None:
        """Update `flat` in place by one step."""
        self.begin(flat, learning_rate)
        mean, square = self.state
        time = self.steps + 1
        flat *= 1.0 - (learning_rate * self.weight_decay) * decay_mask
        mean *= self.beta1
        mean += (1.0 - self.beta1) * gradient
        square *= self.beta2
        square += (1.0 - self.beta2) * np.square(gradient)
        rate = learning_rate / (1.0 - self.beta1**time)
        root = math.sqrt(1.0 - self.beta2**time)
        flat -= rate * mean / (np.sqrt(square) / root + self.eps)
        self.steps = time


KINDS: dict[str, type[Optimizer]] = {kind.kind: kind for kind in (SGD, AdamW, LARS, LAMB)}


def by_name(name: str, **options: Any) -> Optimizer:
    """The optimiser "sgd", "adamw", "lars" or "lamb" with the given hyper-parameters.

    Raises:
        ValueError: there is no such optimiser, or a hyper-parameter is out of its range.
        TypeError: it has no such hyper-parameter.
    """
    if name not in KINDS:
        known = ", ".join(map(repr, KINDS))
        raise StriateValueError(
            f"unknown optimizer {name!r}: known are {known}{known_as(name, KINDS, OPTIMIZERS)}"
        )
    try:
        return KINDS[name](**options)
    except TypeError as error:
        raise StriateTypeError(f"optimizer {name!r}: {error}") from None


def from_dict(values: Mapping[str, Any]) -> Optimizer:
    """The optimiser that `Optimizer.to_dict` described, without its buffers."""
    options = dict(values)
    steps = int(options.pop("steps", 0))
    optimizer = by_name(options.pop("kind", ""), **options)
    optimizer.steps = steps
    return optimizer
