"""One step of an optimiser over all parameters of a network, as a compiled program.

`striate.plan.update.update_rules` has the formulas, `striate.plan.update.update_stages` how they
run over memory: mostly in one pass.  Weight decay is the same for a whole cache line of
parameters, since every parameter begins at one.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array, Floats
from striate.nest.ir import Number
from striate.nest.target import Target
from striate.optim.layerwise import LayerwiseOptimizer
from striate.optim.optimizers import Optimizer
from striate.plan.build.assembly import build
from striate.plan.layout import Buffer
from striate.plan.memory.placement import Memory
from striate.plan.update.update_rules import LINE_OF, NUMBERS, built_in, rule_of
from striate.plan.update.update_stages import Part, factors_of, recorded

if TYPE_CHECKING:
    from striate.model.model import Model

_ALONE = 1 << 17  # parameters that one thread is done with before another is awake


def decay_of_lines(network: Model) -> Floats:
    """For each line of `network.flat`: 1 where weight decay applies, else 0."""
    lines = np.zeros(network.flat.size // LINE_OF, np.float32)
    for slot in network.slots:
        lines[slot.start // LINE_OF : -(-slot.stop // LINE_OF)] = slot.parameter.decay
    return lines


class Update:
    """The native step of one optimiser on one network's buffers.

    `decay` is what `decay_of_lines` finds, `learned` the parts of the buffers that are not frozen,
    from line to line, and what the learning rate is multiplied by in each; None for all of them at
    one rate.  For an optimiser with trust ratios each part is a tensor.

    Attributes:
        threads: how many work on it, at most as many as were given.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        threads: int,
        element: Number,
        target: Target,
        *,
        weights: Array,
        gradient: Array,
        decay: Array,
        learned: Sequence[Part] | None = None,
    ) -> None:
        self.optimizer, self._numbers = optimizer, rule_of(optimizer).numbers
        self._built_in = built_in(optimizer)
        self.threads = threads if weights.size > _ALONE else 1
        parts = [(0, weights.size, 1.0)] if learned is None else learned
        self._factors = factors_of(parts)
        self.table = np.zeros((len(self._factors), NUMBERS), weights.dtype)
        arrays = {
            "weights": weights,
            "gradient": gradient,
            "decay": decay,
            "table": self.table,
            **dict(zip(("first", "second"), optimizer.state, strict=False)),
        }
        adapted: list[bool] = []
        if isinstance(optimizer, LayerwiseOptimizer):
            arrays["ratio"] = np.ones(len(parts), weights.dtype)
            adapted = [optimizer.adapts(bool(decay[start // LINE_OF])) for start, _, _ in parts]
        self._arrays = arrays
        given = {Buffer(role, a.size, "real", "global"): a for role, a in arrays.items()}
        recorder = recorded(optimizer, {buffer.name: buffer for buffer in given}, parts, adapted)
        # The program has addresses only: that of the sums, too.
        self._memory = Memory(recorder, element, target, self.threads, given)
        self.program = build(recorder.all_stages, self._memory, target, self.threads)

    def prepare(self, learning_rate: float) -> None:
        """Write the numbers of the next step."""
        for row, factor in zip(self.table, self._factors, strict=True):
            numbers = self._numbers(learning_rate * factor)
            row[: len(numbers)] = numbers

    def uses(
        self,
        weights: Array,
        gradient: Array,
        state: list[Array],
    ) -> bool:
        """Whether it was made for these very buffers and the same rule."""
        mine = [
            self._arrays[r] for r in ("weights", "gradient", "first", "second") if r in self._arrays
        ]
        theirs = [weights, gradient, *state]
        same = len(mine) == len(theirs) and all(map(operator.is_, mine, theirs))
        return same and self._built_in == built_in(self.optimizer)
