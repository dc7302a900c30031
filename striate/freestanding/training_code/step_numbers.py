"""The numbers of an optimiser's next step, as code: what `striate.plan.update` writes into its
table, to the bit.

They are computed in 64 bits, by additions, multiplications and divisions alone: processors that
have these in 32 bits only bring functions for them with every compiler, but no C library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from striate.nest.ir import Function, Value, literal
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.plan.update.update_rules import NUMBERS

_BITS = 32  # of the number of steps


def write_numbers(
    code: Function,
    optimizer: Optimizer,
    factors: Sequence[float],
    rate: Value,
    step: Value,
    table: Value,
) -> None:
    """Write the table of a step.

    Args:
        code: what is added to.
        optimizer: SGD or AdamW.
        factors: by which the learning rate is multiplied in each row.
        rate: the learning rate, a double.
        step: the number of the step, an i32 from 1 on.
        table: where the table begins, a pointer.
    """
    numbers_for = _numbers(code, optimizer, step)
    for row, factor in enumerate(factors):
        own = rate
        if factor != 1:
            own = code.emit(f"fmul double {rate}, {literal(factor, 'f64')}")
        for place, number in enumerate(numbers_for(own), NUMBERS * row):
            there = code.emit(f"getelementptr float, ptr {table}, {code.index} {place}")
            narrow = literal(number, "f32") if isinstance(number, float) else _narrow(code, number)
            code.effect(f"store float {narrow}, ptr {there}")


def _numbers(
    code: Function, optimizer: Optimizer, step: Value
) -> Callable[[Value], list[float | Value]]:
    """From a learning rate to the numbers of a row, known ones and doubles."""
    if isinstance(optimizer, SGD):
        return lambda rate: [rate, optimizer.momentum, optimizer.weight_decay]
    if not isinstance(optimizer, AdamW):
        raise TypeError(f"there are no numbers of {optimizer.kind} in exported code")
    mean, root = _corrections(code, optimizer, step)

    def adamw(rate: Value) -> list[float | Value]:
        beta1, beta2 = optimizer.beta1, optimizer.beta2
        corrected = code.emit(f"fdiv double {rate}, {mean}")
        shrink = code.emit(f"fmul double {rate}, {literal(optimizer.weight_decay, 'f64')}")
        return [beta1, 1 - beta1, beta2, 1 - beta2, corrected, root, optimizer.eps, shrink]

    return adamw


def _corrections(code: Function, optimizer: AdamW, step: Value) -> tuple[Value, Value]:
    """By what the averages are corrected, which begin with zeros: the mean is divided by one, the
    root of the squares multiplied by the other.
    """
    one = literal(1, "f64")
    first = code.emit(f"fsub double {one}, {_power(code, optimizer.beta1, step)}")
    second = code.emit(f"fsub double {one}, {_power(code, optimizer.beta2, step)}")
    return first, code.emit(f"fdiv double {one}, {_root(code, second)}")


def _narrow(code: Function, value: Value) -> Value:
    return code.emit(f"fptrunc double {value} to float")


def _power(code: Function, base: float, exponent: Value) -> Value:
    """`striate.plan.update.update_rules.power`."""

    def turn(bit: Value, carried: list[Value]) -> list[Value]:
        result, square = carried
        narrow = bit if code.index == "i32" else code.emit(f"trunc i64 {bit} to i32")
        low = code.emit(f"and i32 {code.emit(f'lshr i32 {exponent}, {narrow}')}, 1")
        odd = code.emit(f"icmp ne i32 {low}, 0")
        product = code.emit(f"fmul double {result}, {square}")
        chosen = code.emit(f"select i1 {odd}, double {product}, double {result}")
        return [chosen, code.emit(f"fmul double {square}, {square}")]

    found, _ = code.loop(_BITS, 1, [literal(1, "f64"), literal(base, "f64")], "double", turn)
    return found


def _root(code: Function, value: Value) -> Value:
    """`striate.plan.update.update_rules.root`."""
    near = code.call("float", "llvm.sqrt.f32", ("float", _narrow(code, value)))
    found = code.emit(f"fpext float {near} to double")
    for _ in range(2):
        quotient = code.emit(f"fdiv double {value}, {found}")
        total = code.emit(f"fadd double {found}, {quotient}")
        found = code.emit(f"fmul double {total}, {literal(0.5, 'f64')}")
    return found
