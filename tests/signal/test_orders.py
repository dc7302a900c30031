"""Sums in a given order, bit by bit."""

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from striate.signal.geometry import AxisWindow
from striate.signal.sweep import sweep


def in_turn(values, weights, order):
    """Python's floats are rounded after each operation."""
    values, weights = values.ravel().tolist(), weights.ravel().tolist()
    if order == "rows" or len(weights) == 1:
        total, pairs = 0.0, zip(values, weights, strict=True)
    elif order == "line":
        total = values.pop() * weights.pop()
        pairs = zip(values, weights, strict=True)
    else:
        half, sign = len(values) // 2, 1.0 if order == "sums" else -1.0
        total = values[half] * weights[half]
        ends = [v + sign * w for v, w in zip(values[:half], values[::-1], strict=False)]
        pairs = zip(ends, weights, strict=False)
    for value, weight in pairs:
        total += value * weight
    return total


@pytest.mark.parametrize("seed", range(24))
def test_the_order_is_kept(seed):
    random = np.random.default_rng(seed)
    order = ("rows", "line", "sums", "differences")[seed % 4]
    dimensions = seed // 4 % 3 + 1
    shape = [(300,), (20, 37), (5, 9, 24)][dimensions - 1]
    if order == "rows":
        taps = random.integers(1, (40, 7, 4)[dimensions - 1], dimensions).tolist()
        axes = tuple(range(dimensions))
    else:
        axes = (int(random.integers(dimensions)),)
        most = min(shape[axes[0]], 51)
        taps = [int(random.integers(most // 2)) * 2 + 1 if order != "line" else most - 2]
    source = random.choice(["uint8", "int16", "float32", "float64"])
    f = (random.normal(size=shape) * 100).astype(np.int64).astype(source)
    weights = random.normal(size=taps)
    lines = [AxisWindow(0, shape[axis] - n + 1) for axis, n in zip(axes, taps, strict=True)]
    got = sweep(f, weights, lines, axes=axes, dtype="f8", order=order)
    view = np.lib.stride_tricks.sliding_window_view(f, taps, axes)
    wanted = np.empty(got.shape)
    for at in itertools.product(*map(range, got.shape)):
        wanted[at] = in_turn(view[at], weights, order)
    np.testing.assert_array_equal(got, wanted)


def test_a_multiply_and_add_in_one_would_be_seen():
    # (1 + e)(1 - e) rounds to 1; in one operation, -1 + (1 + e)(1 - e) would be -e².
    e = 2.0**-30
    f = np.tile([1.0, 1.0 + e, 0.0], 100)
    got = sweep(
        f, np.array([-1.0, 1.0 - e]), [AxisWindow(0, 299)], axes=(0,), dtype="f8", order="rows"
    )
    assert got[0] == 0.0
    assert math.isclose(got[1], -1.0 - e)
