"""Optimisers, which update the parameters by a gradient: SGD and AdamW, by PyTorch's formulas.

All parameters of a network lie in one flat float32 buffer and so do their gradients, so a step of
an optimiser is a few operations on long vectors.  The decay mask says for every element whether
weight decay applies to it: 1 for weights and filters, 0 for biases and batch normalisation.

An engine may run the same step fused in machine code: it reads `kind`, the hyper-parameters,
`steps` and the buffers in `state`, and must leave them as `apply` would.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.memory import aligned_copy, aligned_zeros
from striate.common.words import OPTIMIZERS, ExplainsItsArguments, known_as


class Optimizer(ExplainsItsArguments, ABC):
    """The base of optimisers: their state, the count of steps, and how both are stored.

    Attributes:
        weight_decay: the strength of weight decay, 0 or more.
        state: the buffers of the optimiser, each float32 (P,), such as the velocity of SGD.
        steps: how many updates have been made.
    """

    kind: ClassVar[str]
    """The name by which `fit` and checkpoints know the optimiser."""
    slots: ClassVar[int]
    """The number of its buffers."""

    def __init__(self, weight_decay: float) -> None:
        self.weight_decay = _at_least_zero(self.kind, "weight_decay", weight_decay)
        self.state: list[Floats] = []
        self.steps = 0

    @abstractmethod
    def apply(
        self, flat: Floats, gradient: Floats, decay_mask: Floats, learning_rate: float | Floats
    ) -> None:
        """Update the parameters in place by one step.

        Args:
            flat: all parameters, float32 (P,).
            gradient: their gradient (P,).
            decay_mask: (P,), 1 where weight decay applies, else 0.
            learning_rate: of this step; or that of each parameter, (P,).
        """

    @abstractmethod
    def hyperparameters(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-able values."""

    def prepare(self, size: int) -> None:
        """Allocate the state for `size` parameters, all zeros, 64-byte aligned.

        State of the right size is kept, so that training can be continued.
        """
        if len(self.state) == self.slots and all(buffer.size == size for buffer in self.state):
            return
        self.state = [aligned_zeros(size) for _ in range(self.slots)]
        self.steps = 0

    def reset(self) -> None:
        """Drop all state: the next `prepare` starts from zeros."""
        self.state = []
        self.steps = 0

    def to_dict(self) -> dict[str, Any]:
        """Kind, hyper-parameters and steps as JSON-able values; `arrays` gives the buffers."""
        return {"kind": self.kind, **self.hyperparameters(), "steps": self.steps}

    def arrays(self) -> dict[str, Floats]:
        """The state buffers by name ("state_0", "state_1"), for a checkpoint."""
        return {f"state_{index}": buffer for index, buffer in enumerate(self.state)}

    def load_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Restore the buffers that `arrays` gave; `from_dict` restores `steps`.

        Raises:
            ValueError: they are not the buffers of this kind of optimiser.
        """
        names = {f"state_{index}" for index in range(self.slots)} if arrays else set()
        if set(arrays) != names:
            raise StriateValueError(
                f"{self.kind} keeps {sorted(names)}, but the stored state has {sorted(arrays)}"
            )
        if len({array.size for array in arrays.values()}) > 1:
            raise StriateValueError(
                f"the stored state of {self.kind} has buffers of different sizes"
            )
        self.state = [aligned_copy(arrays[name], np.float32) for name in sorted(names)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # NumPy does not align copied or unpickled arrays, which machine code needs.
        self.__dict__.update(state)
        self.state = [aligned_copy(buffer, np.float32) for buffer in self.state]

    def begin(self, flat: Floats, learning_rate: float | Floats) -> None:
        """Check the learning rate and allocate the state, at the beginning of a step."""
        if not (np.isfinite(learning_rate).all() and np.min(learning_rate) >= 0.0):
            raise StriateValueError(
                f"the learning rate must be finite and at least 0, not {learning_rate!r}"
            )
        self.prepare(flat.size)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters().items())
        return f"{type(self).__name__}({options})"


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
        self.momentum = _below_one(self.kind, "momentum", momentum)
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

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(weight_decay)
        self.beta1 = _below_one(self.kind, "beta1", beta1)
        self.beta2 = _below_one(self.kind, "beta2", beta2)
        if _at_least_zero(self.kind, "eps", eps) == 0.0:
            raise StriateValueError(
                "adamw: eps must be above 0, or a zero gradient divides by zero"
            )
        self.eps = float(eps)

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


KINDS: dict[str, type[Optimizer]] = {"sgd": SGD, "adamw": AdamW}


def by_name(name: str, **options: Any) -> Optimizer:
    """The optimiser "sgd" or "adamw" with the given hyper-parameters.

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


def _at_least_zero(kind: str, name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0.0):
        raise StriateValueError(f"{kind}: {name} must be finite and at least 0, not {value!r}")
    return float(value)


def _below_one(kind: str, name: str, value: float) -> float:
    if not (math.isfinite(value) and 0.0 <= value < 1.0):
        raise StriateValueError(f"{kind}: {name} must be at least 0 and below 1, not {value!r}")
    return float(value)
