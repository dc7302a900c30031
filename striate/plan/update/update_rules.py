"""The formulas of optimisers as nests over flat buffers: what a step does with each number.

They are those of `striate.optim`.  What changes from step to step (the learning rate, corrections
of the averages) comes from a small table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from striate.common.memory import LINE
from striate.nest.algebra import Accumulator, Expression, Store, Tensor
from striate.nest.elementary import sqrt, where
from striate.optim.layerwise import LAMB, LARS, LayerwiseOptimizer
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.plan.layout import vector

LINE_OF = LINE // 4
"""Parameters of a cache line."""
NUMBERS = 8
"""Numbers of a row of the table, at most."""

w, g, first, second = (
    vector(role, l=LINE_OF, e=1) for role in ("weights", "gradient", "first", "second")
)
decay = vector("decay", l=1)
ratio = vector("ratio")  # of the tensor at hand


@dataclass(frozen=True)
class TrustRatio:
    """How the trust ratio of a tensor is found: see `striate.optim.layerwise`.

    Attributes:
        before: what is stored for each number of the tensor before.
        of: a number of each of the two vectors whose norms are measured.
        value: the ratio, of the norms' squares, which are accumulators 0 and 1.
    """

    before: tuple[Store, ...]
    of: tuple[Expression, Expression]
    value: Expression


@dataclass(frozen=True)
class UpdateRule:
    """What a step of an optimiser does.

    Attributes:
        stores: what it stores for each parameter.
        numbers: the row of the table that these read, for a learning rate and the next step.
        trust: how the trust ratio is found that these read; None if they read none.
    """

    stores: tuple[Store, ...]
    numbers: Callable[[float], list[float]]
    trust: TrustRatio | None = None


def is_known(optimizer: Optimizer) -> bool:
    """Whether there is a native step: a subclass may follow another rule."""
    return type(optimizer) in _RULES and "apply" not in vars(optimizer)


def built_in(optimizer: Optimizer) -> bool | None:
    """What is built into the code, not read from the table."""
    if isinstance(optimizer, LayerwiseOptimizer):
        return optimizer.adapt_all
    return optimizer.nesterov if isinstance(optimizer, SGD) else None


def rule_of(optimizer: Optimizer) -> UpdateRule:
    """The rule of an optimiser that is known."""
    return _RULES[type(optimizer)](optimizer)


def _table(number: int) -> Tensor:
    return Tensor("table", (), number)


def sgd(optimizer: SGD) -> UpdateRule:
    """table: learning rate, momentum, weight decay."""
    rate, momentum, weight_decay = (_table(i) for i in range(3))
    slope = g + weight_decay * decay * w
    velocity: Expression = momentum * first + slope
    step = slope + momentum * velocity if optimizer.nesterov else velocity
    return UpdateRule(
        (Store(first, velocity), Store(w, w - rate * step)),
        lambda rate: [rate, optimizer.momentum, optimizer.weight_decay],
    )


def adamw(optimizer: AdamW) -> UpdateRule:
    """table: beta1, 1 - beta1, beta2, 1 - beta2, corrected rate, 1/sqrt(correction), eps, decay."""
    beta1, rest1, beta2, rest2, rate, correction, eps, shrink = (_table(i) for i in range(8))
    mean = beta1 * first + rest1 * g
    square = beta2 * second + rest2 * (g * g)
    kept = w - shrink * decay * w
    moved = kept - rate * (mean / (sqrt(square) * correction + eps))

    def numbers(rate: float) -> list[float]:
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

    return UpdateRule((Store(first, mean), Store(second, square), Store(w, moved)), numbers)


def lars(optimizer: LARS) -> UpdateRule:
    """table: learning rate, momentum, weight decay, trust coefficient, eps."""
    rate, momentum, weight_decay, coefficient, eps = (_table(i) for i in range(5))
    velocity = momentum * first + rate * ratio * (g + weight_decay * decay * w)
    # Weight decay is the same for a whole tensor.
    length, slope = sqrt(Accumulator(0)), sqrt(Accumulator(1))
    trust = coefficient * length / (slope + weight_decay * vector("decay") * length + eps)
    return UpdateRule(
        (Store(first, velocity), Store(w, w - velocity)),
        lambda rate: [
            rate,
            optimizer.momentum,
            optimizer.weight_decay,
            optimizer.trust_coefficient,
            optimizer.eps,
        ],
        TrustRatio((), (w, g), _one_without_norms(trust)),
    )


def lamb(optimizer: LAMB) -> UpdateRule:
    """table: 1 - beta1, 1 - beta2, 1/correction, 1/sqrt(correction), eps, weight decay, rate."""
    rest1, rest2, scale, root_scale, eps, weight_decay, rate = (_table(i) for i in range(7))
    mean = first + rest1 * (g - first)
    square = second + rest2 * (g * g - second)
    step = first * scale / (sqrt(second) * root_scale + eps) + weight_decay * decay * w

    def numbers(rate: float) -> list[float]:
        beta1, beta2, step = optimizer.beta1, optimizer.beta2, optimizer.steps + 1
        return [
            1 - beta1,
            1 - beta2,
            1 / (1 - power(beta1, step)),
            1 / root(1 - power(beta2, step)),
            optimizer.eps,
            optimizer.weight_decay,
            rate,
        ]

    trust = sqrt(Accumulator(0)) / sqrt(Accumulator(1))
    return UpdateRule(
        (Store(w, w - rate * ratio * step),),
        numbers,
        TrustRatio(
            (Store(first, mean), Store(second, square)), (w, step), _one_without_norms(trust)
        ),
    )


def _one_without_norms(trust: Expression) -> Expression:
    """The trust ratio, or 1 where one of its norms is 0."""
    return where(Accumulator(0), ">", 0, where(Accumulator(1), ">", 0, trust, 1), 1)


_RULES: dict[type[Optimizer], Callable[..., UpdateRule]] = {
    SGD: sgd,
    AdamW: adamw,
    LARS: lars,
    LAMB: lamb,
}


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
