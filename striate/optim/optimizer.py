"""What optimisers have in common: a step on flat buffers, their state and how it is stored.

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

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateValueError
from striate.common.memory import aligned_copy, aligned_zeros
from striate.common.words import ExplainsItsArguments


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
    rate_power: ClassVar[float] = 1.0
    """How its learning rate grows with the batch: in proportion (Goyal et al., 2017, "Accurate,
    Large Minibatch SGD", arXiv:1706.02677), or to this power of it."""

    def __init__(self, weight_decay: float) -> None:
        self.weight_decay = at_least_zero(self.kind, "weight_decay", weight_decay)
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


def at_least_zero(kind: str, name: str, value: float) -> float:
    """The hyper-parameter `name`, which must be finite and at least 0."""
    if not (math.isfinite(value) and value >= 0.0):
        raise StriateValueError(f"{kind}: {name} must be finite and at least 0, not {value!r}")
    return float(value)


def above_zero(kind: str, name: str, value: float, why: str) -> float:
    """The hyper-parameter `name`, which must be finite and above 0, for a reason."""
    if at_least_zero(kind, name, value) == 0.0:
        raise StriateValueError(f"{kind}: {name} must be above 0, {why}")
    return float(value)


def below_one(kind: str, name: str, value: float) -> float:
    """The hyper-parameter `name`, which must be at least 0 and below 1."""
    if not (math.isfinite(value) and 0.0 <= value < 1.0):
        raise StriateValueError(f"{kind}: {name} must be at least 0 and below 1, not {value!r}")
    return float(value)
