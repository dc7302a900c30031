"""One step of an optimiser over all parameters, fused into one pass over memory.

The formulas stand in `striate.optim.optimizers`; here they are written as nests over the flat
buffers.  What changes from step to step (the learning rate, corrections of the averages) comes
from a small table.  Weight decay is the same for a whole cache line of parameters, since every
parameter begins at one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.memory import LINE
from striate.nest.algebra import Expression, Nest, Store, Tensor
from striate.nest.elementary import sqrt
from striate.nest.ir import Number
from striate.nest.target import Target
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.plan.build.assembly import build
from striate.plan.layout import Buffer, Location, vector
from striate.plan.lowering.recorder import Recorder
from striate.plan.memory.placement import Memory
from striate.plan.stage import in_tasks

if TYPE_CHECKING:
    from striate.model.model import Model

_LINE = LINE // 4  # parameters of a line
_CHUNK = 512  # lines a task
NUMBERS = 8
"""Numbers of a row of the table, at most."""
_ALONE = 1 << 17  # parameters that one thread is done with before another is awake

Part = tuple[int, int, float]
"""Weights from one number to another, in whole lines, and the factor of their learning rate."""

w, g, first, second = (
    vector(role, l=_LINE, e=1) for role in ("weights", "gradient", "first", "second")
)
decay = vector("decay", l=1)


def _table(number: int) -> Tensor:
    return Tensor("table", (), number)


def sgd(nesterov: bool) -> tuple[Store, ...]:
    """table: learning rate, momentum, weight decay."""
    rate, momentum, weight_decay = (_table(i) for i in range(3))
    slope = g + weight_decay * decay * w
    velocity: Expression = momentum * first + slope
    step = slope + momentum * velocity if nesterov else velocity
    return Store(first, velocity), Store(w, w - rate * step)


def sgd_table(optimizer: SGD, rate: float) -> list[float]:
    """The numbers of the next step."""
    return [rate, optimizer.momentum, optimizer.weight_decay]


def adamw() -> tuple[Store, ...]:
    """table: beta1, 1 - beta1, beta2, 1 - beta2, corrected rate, 1/sqrt(correction), eps, decay."""
    beta1, rest1, beta2, rest2, rate, correction, eps, shrink = (_table(i) for i in range(8))
    mean = beta1 * first + rest1 * g
    square = beta2 * second + rest2 * (g * g)
    kept = w - shrink * decay * w
    moved = kept - rate * (mean / (sqrt(square) * correction + eps))
    return Store(first, mean), Store(second, square), Store(w, moved)


def adamw_table(optimizer: AdamW, rate: float) -> list[float]:
    """The numbers of the next step."""
    beta1, beta2, step = optimizer.beta1, optimizer.beta2, optimizer.steps + 1
    return [
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        rate / (1 - power(beta1, step)),
        1 / root(1 - power(beta2, step)),
        optimizer.eps,
        rate * optimizer.weight_decay,
    ]


def power(base: float, exponent: int) -> float:
    """A whole power, by multiplications alone.

    C libraries differ in the last bit of `pow`, and exported code has none: it multiplies the same
    numbers in the same order (`striate.freestanding.training_code.step_numbers`).
    """
    result, square = 1.0, base
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result


def root(value: float) -> float:
    """The square root of a number of 0 to 1 that is not too small for 32 bits: by Newton's method
    from the root in 32 bits, which processors have that divide 64 bits by software. See `power`.
    """
    found = float(np.sqrt(np.float32(value)))
    for _ in range(2):
        found = 0.5 * (found + value / found)
    return found


def decay_of_lines(network: Model) -> Floats:
    """For each line of `network.flat`: 1 where weight decay applies, else 0."""
    lines = np.zeros(network.flat.size // _LINE, np.float32)
    for slot in network.slots:
        lines[slot.start // _LINE : -(-slot.stop // _LINE)] = slot.parameter.decay
    return lines


def is_known(optimizer: Optimizer) -> bool:
    """Whether there is a native step: a subclass may follow another rule."""
    return type(optimizer) in (SGD, AdamW) and "apply" not in vars(optimizer)


def _rule(optimizer: Optimizer) -> bool:
    """What is built into the code, not read from the table."""
    return isinstance(optimizer, SGD) and optimizer.nesterov


def factors_of(parts: Sequence[Part]) -> list[float]:
    """What the learning rate is multiplied by somewhere: the table has a row for each."""
    return list(dict.fromkeys(factor for _, _, factor in parts))


def recorded(
    optimizer: Optimizer, buffers: Mapping[str, Buffer], parts: Sequence[Part]
) -> Recorder:
    """The stages of a step.

    Args:
        optimizer: SGD or AdamW.
        buffers: "weights", "gradient", "first" and "second", of the same size; "decay", with a
            number for each line of them; "table", with a row for each of `factors_of`.
        parts: of the weights, those that learn.
    """
    stores = sgd(optimizer.nesterov) if isinstance(optimizer, SGD) else adamw()
    factors, recorder = factors_of(parts), Recorder(1, 1)
    recorder.label = f"{optimizer.kind} step"
    sizes = {"decay": 1, **dict.fromkeys(("weights", "gradient", "first", "second"), _LINE)}
    for start, count, lines, factor in (
        (first // _LINE + start, count, lines, factor)
        for first, stop, factor in parts
        for start, count, lines in in_tasks((stop - first) // _LINE, _CHUNK)
    ):
        places = {role: size * start for role, size in sizes.items()}
        places["table"] = NUMBERS * factors.index(factor)
        nest = Nest((("l", lines), ("e", _LINE)), stores)
        recorder.tasks(
            nest,
            count,
            {role: sizes[role] * lines for role in nest.buffers if role in sizes},
            {role: Location(buffers[role], places[role]) for role in nest.buffers},
            barrier=False,
        )
    return recorder


class Update:
    """The native step of one optimiser on one network's buffers.

    `decay` is what `decay_of_lines` finds, `learned` the parts of the buffers that are not frozen,
    from line to line, and what the learning rate is multiplied by in each; None for all of them at
    one rate.

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
        self._numbers: Callable[[Any, float], list[float]]
        self._numbers = sgd_table if isinstance(optimizer, SGD) else adamw_table
        self.optimizer, self._rule = optimizer, _rule(optimizer)
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
        self._keep = arrays
        given = {Buffer(role, a.size, "real", "global"): a for role, a in arrays.items()}
        recorder = recorded(optimizer, {buffer.name: buffer for buffer in given}, parts)
        memory = Memory(recorder, element, target, self.threads, given)
        self.program = build(recorder.all_stages, memory, target, self.threads)

    def prepare(self, learning_rate: float) -> None:
        """Write the numbers of the next step."""
        for row, factor in zip(self.table, self._factors, strict=True):
            numbers = self._numbers(self.optimizer, learning_rate * factor)
            row[: len(numbers)] = numbers

    def uses(
        self,
        weights: Array,
        gradient: Array,
        state: list[Array],
    ) -> bool:
        """Whether it was made for these very buffers and the same rule."""
        mine = [
            self._keep[r] for r in ("weights", "gradient", "first", "second") if r in self._keep
        ]
        theirs = [weights, gradient, *state]
        same = len(mine) == len(theirs) and all(map(operator.is_, mine, theirs))
        return same and self._rule == _rule(self.optimizer)
