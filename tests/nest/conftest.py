"""An oracle for nests that shares nothing with the compiler: loops over every point in Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import erfcx

from striate.common.random_bits import uniform_bits
from striate.nest import algebra as a

Arrays = dict[str, np.ndarray]


def mills(x: float) -> float:
    return math.sqrt(math.pi / 2) * float(erfcx(x / math.sqrt(2)))


def interpret(nest: a.Nest, arrays: Arrays) -> None:
    """Run a nest point by point in float64, changing `arrays` as the kernel would."""
    memory = {role: array.reshape(-1) for role, array in arrays.items()}
    extents = dict(nest.axes)
    before = {role: array.astype(np.float64) for role, array in memory.items()}
    written: list[tuple[str, int, float]] = []

    def address(tensor: a.Tensor, point: dict[str, int]) -> int:
        shift = sum(int(memory[t.buffer][address(t, point)]) for t in tensor.shift)
        return shift + tensor.offset + sum(stride * point[axis] for axis, stride in tensor.strides)

    def value(e: a.Expression, point: dict[str, int], results: list[float]) -> float:
        match e:
            case a.Constant(number):
                return number
            case a.Accumulator(number):
                return results[number]
            case a.Tensor():
                return float(before[e.buffer][address(e, point)])
            case a.Index(strides, offset):
                return float(offset + sum(stride * point[axis] for axis, stride in strides))
            case a.Binary(operation, left, right):
                x, y = value(left, point, results), value(right, point, results)
                return {
                    "add": lambda: x + y,
                    "sub": lambda: x - y,
                    "mul": lambda: x * y,
                    "div": lambda: x / y,
                    "max": lambda: max(x, y),
                    "min": lambda: min(x, y),
                }[operation]()
            case a.MultiplyAdd(left, right, addend):
                x, y = value(left, point, results), value(right, point, results)
                return x * y + value(addend, point, results)
            case a.Unary(operation, operand):
                x = value(operand, point, results)
                return mills(x) if operation == "mills" else float(getattr(math, operation)(x))
            case a.Where(comparison, left, right, then, otherwise):
                x, y = value(left, point, results), value(right, point, results)
                chosen = x > y if comparison == ">" else x == y
                return value(then if chosen else otherwise, point, results)
            case a.Keep(key, index, salt, threshold):
                number = int(value(index, point, results))
                word = np.array([memory[key.buffer][address(key, point)]], np.uint32)
                return float(uniform_bits(word, salt, number + 1)[0, number] >= threshold)
        raise TypeError(e)

    reduced = [axis for axis, _ in nest.axes if axis in nest.reduce]
    for outer in itertools.product(*(range(extents[axis]) for axis in nest.outputs)):
        point = dict(zip(nest.outputs, outer, strict=True))
        neutral = 0.0 if nest.reduction == "sum" else -math.inf
        results = [neutral] * len(nest.terms)
        if nest.initial:
            results = [value(e, point, []) for e in nest.initial]
        winner = 0.0
        for inner in itertools.product(*(range(extents[axis]) for axis in reduced)):
            here = {**point, **dict(zip(reduced, inner, strict=True))}
            for i, term in enumerate(nest.terms):
                new = value(term, here, [])
                if nest.reduction == "sum":
                    results[i] += new
                elif new > results[i]:
                    results[i] = new
                    if nest.order is not None:
                        winner = value(nest.order, here, [])
        for store in nest.stores:
            position = address(store.target, point)
            written.append(
                (store.target.buffer, position, value(store.value, point, [*results, winner]))
            )
    for role, position, number in written:
        memory[role][position] = number


@pytest.fixture
def run_nest() -> Callable[..., None]:
    """Compile a nest, run it, and compare every buffer with the oracle's."""
    from striate.nest.compiler import compile_nest

    def run(nest: a.Nest, arrays: Arrays, tolerance: float = 1e-5, **options: object) -> None:
        expected = {role: array.copy() for role, array in arrays.items()}
        kernel = compile_nest(nest, **options)  # type: ignore[arg-type]
        kernel(*(arrays[role] for role in nest.buffers))
        interpret(nest, expected)
        for role in arrays:
            scale = max(np.abs(expected[role]).max(initial=0.0), 1e-30)
            np.testing.assert_allclose(
                arrays[role] / scale, expected[role] / scale, rtol=0, atol=tolerance, err_msg=role
            )

    return run
