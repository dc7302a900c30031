"""Where each element of a kernel lies, against sums over padded arrays."""

import itertools
from typing import Any

import numpy as np
import pytest

from striate.signal.convolution import convolve, correlate
from striate.signal.steps import steps
from striate.teaching.sliding.laid_kernel import (
    laid_kernel,
    output_name,
    short_number,
    short_weight,
    sum_in_numbers,
    zero_place,
)

RNG = np.random.default_rng(5)
BORDERS = {"fill": "constant", "reflect": "symmetric", "mirror": "reflect", "wrap": "wrap"}


@pytest.mark.parametrize(
    ("correlated", "mode", "border", "stride", "dilation"),
    [
        *itertools.product(
            [False, True], ["full", "same", "valid"], ["fill", "mirror"], [1, (2, 3)], [1, (1, 2)]
        )
    ],
)
def test_every_tap_lies_on_what_it_is_multiplied_with(
    correlated: bool, mode: str, border: str, stride: Any, dilation: Any
) -> None:
    f, g = RNG.integers(-9, 9, (6, 7)), RNG.integers(-9, 9, (2, 3))
    how: dict[str, Any] = {"mode": mode, "border": border, "stride": stride, "dilation": dilation}
    result = steps(f, g, correlate=correlated, **how)
    y = (correlate if correlated else convolve)(f, g, **how)
    padded = np.pad(f, 9, BORDERS[border])  # type: ignore[call-overload]
    spread = np.broadcast_to(dilation, 2)
    for step in result:
        laid = laid_kernel(result, step)
        assert sorted(tap.tap for tap in laid) == list(np.ndindex(g.shape))
        assert sum(int(tap.product) for tap in laid) == y[step.position]
        assert int(step.value) == sum(
            int(padded[tap.index[0] + 9, tap.index[1] + 9]) * int(g[tap.tap]) for tap in laid
        )
        # g(0) is at zero_place, and every other element as far from it as the formula says.
        zero = np.array(zero_place(result, step.position))
        sign = 1 if correlated else -1
        for tap in laid:
            counted = np.subtract(tap.tap, result.origin)
            assert tap.weight == g[tap.tap]
            assert (zero + sign * counted * spread == tap.index).all()


def test_taps_beyond_the_ends_have_no_term() -> None:
    result = steps([3, 1, 2], [1, 2, 4], "same", origin="corner", at=0)
    laid = laid_kernel(result, result[0])
    assert [(tap.index, tap.tap, tap.term is None) for tap in laid] == [
        ((-2,), (2,), True), ((-1,), (1,), True), ((0,), (0,), False)
    ]  # fmt: skip
    assert [tap.product for tap in laid] == [0, 0, 3]


def test_words() -> None:
    result = steps([3, 1, 2], [1, -2], "same", origin="corner", at=1)
    assert output_name(result[0]) == "y(1)"
    assert sum_in_numbers(result[0], 99) == "3·(-2) + 1·1 = -5"
    assert sum_in_numbers(result[0], 10) == "2 products, summed = -5"
    none = steps([1], [1, 2], "full", dilation=3, at=1)
    assert sum_in_numbers(none[0], 99) == "0"
    assert [short_number(v) for v in (3, 10 / 3, 0.5, 12345.678)] == [
        "3",
        "3.33",
        "0.5",
        "1.23e+04",
    ]
    assert [short_weight(v) for v in (1 / 3, -1 / 81, 0.123456789)] == ["1/3", "-1/81", "0.123"]
