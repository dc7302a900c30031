"""Numbers of 8 and 16 bits that become floating-point ones as nests read them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from striate.nest.algebra import Accumulator, Element, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.ir import BYTES, Number
from striate.nest.rewrite import with_tensors
from striate.nest.schedule import Schedule, can_mask, choose, order_of_sums
from striate.nest.target import ORDER, Target, host

TILES = ((), (("y", 3),), (("k", 2),), (("k", 2), ("y", 2)), (), (("k", 2), ("y", 3)))
SMALL: dict[Element, type] = {"i8": np.int8, "bf16": np.uint16}
M4 = Target("thumbv7em-none-eabihf", "cortex-m4", "", 4, 32, rounds=False, portable=True)


def tensor(role: str, element: Element = "real", **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), 0, element)


def value_of(halves: np.ndarray) -> np.ndarray:
    """What bfloat16 numbers are, by their sign, exponent and fraction."""
    bits = halves.astype(np.int64)
    sign, exponent, fraction = 1 - 2.0 * (bits >> 15), bits >> 7 & 0xFF, bits & 0x7F
    normal = (1 + fraction / 128.0) * 2.0 ** np.clip(exponent - 127, -126, 127)
    found = np.where(exponent == 0, fraction / 128.0 * 2.0**-126, normal)
    special = np.where(fraction == 0, np.inf, np.nan)
    return sign * np.where(exponent == 255, special, found)


@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_every_bfloat16_number_is_read(element: Number, lanes: int) -> None:
    halves = np.arange(1 << 16).astype(np.uint16)
    nest = Nest((("x", len(halves)),), (Store(tensor("out", x=1), tensor("in", "bf16", x=1)),))
    out = np.empty(len(halves), np.float32 if element == "f32" else np.float64)
    arrays = {"out": out, "in": halves}
    kernel = compile_nest(nest, Schedule("x", lanes), element=element)
    kernel(*(arrays[name] for name in nest.buffers))
    expected = value_of(halves)
    with np.errstate(invalid="ignore"):  # some of them are NaNs that signal
        np.testing.assert_array_equal(out.astype(np.float64), expected)
    np.testing.assert_array_equal(np.signbit(out), halves >> 15 == 1)


def products(rows: int, columns: int, depth: int, element: Element, order: str) -> Nest:
    """out[y, k] = sum over c of x[y, c] w[c, k]; `order` says how w lies."""
    weights = {"ck": {"c": columns, "k": 1}, "kc": {"k": depth, "c": 1}}[order]
    return Nest(
        (("y", rows), ("k", columns), ("c", depth)),
        (Store(tensor("out", y=columns, k=1), Accumulator()),),
        (tensor("x", y=depth, c=1) * tensor("w", element, **weights),),
        reduce=("c",),
        reduction="sum",
    )


@pytest.mark.parametrize("element", list(SMALL))
@pytest.mark.parametrize("order", ["ck", "kc"])
@pytest.mark.parametrize("columns", [1, 7, 17, 33])
def test_sums_of_small_numbers_at_every_width(element: Element, order: str, columns: int) -> None:
    """Vectors, broadcasts, gathers, tails and masks."""
    random = np.random.default_rng(columns)
    rows, depth = 5, 16
    x = random.integers(-4, 5, (rows, depth)).astype(np.float32)
    if element == "i8":
        small = random.integers(-128, 128, depth * columns).astype(np.int8)
        numbers = small.astype(np.float64)
    else:
        numbers = random.integers(-128, 128, depth * columns) / 16
        small = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    matrix = numbers.reshape(depth, columns) if order == "ck" else numbers.reshape(columns, depth).T
    nest = products(rows, columns, depth, element, order)
    schedules = [
        Schedule(lane, lanes, tile)
        for (lane, lanes), tile in zip(itertools.product("yk", (1, 4, 8)), TILES, strict=True)
    ]
    for schedule in [choose(nest, host()), choose(nest, host(portable=True)), *schedules]:
        out = np.full(rows * columns + 40, 7, np.float32)
        arrays = {"out": out, "x": x, "w": small}
        compile_nest(nest, schedule)(*(arrays[name] for name in nest.buffers))
        found = out[: rows * columns].reshape(rows, columns)
        np.testing.assert_array_equal(found, x @ matrix)  # exact in 32 bits
        assert (out[rows * columns :] == 7).all()


def test_vectors_of_small_numbers_may_be_masked() -> None:
    for element in SMALL:
        assert can_mask(products(4, 17, 8, element, "ck"), "k", 16)
    nest = products(4, 17, 8, "real", "ck")
    stored = replace(nest, stores=(Store(tensor("out", "i8", y=17, k=1), Accumulator()),))
    assert can_mask(nest, "k", 16) and not can_mask(stored, "k", 16)


def test_small_numbers_are_added_up_in_the_order_of_all_others() -> None:
    """Also where the last of 16 lanes is masked, which makes other orders cheapest."""
    random = np.random.default_rng(3)
    orders = set()
    for k in (5, 16, 17, 20, 33, 40):
        y, x, c, r, s = (int(n) for n in random.integers(1, (12, 12, 40, 6, 6)))
        width = (x + s) * c
        plain = Nest(
            (("y", y), ("x", x), ("k", k), ("r", r), ("s", s), ("c", c)),
            (Store(tensor("out", y=x * k, x=k, k=1), Accumulator()),),
            (
                tensor("in", y=width, x=c, r=width, s=c, c=1)
                * tensor("w", r=s * c * k, s=c * k, c=k, k=1),
            ),
            reduce=("r", "s", "c"),
            reduction="sum",
        )
        chosen = choose(plain, ORDER)
        for element in SMALL:
            small = weights_as(plain, element)
            assert choose(small, ORDER) == chosen
            assert order_of_sums(small, choose(small, M4)) == order_of_sums(plain, chosen)
        orders.add(order_of_sums(plain, chosen))
    assert len(orders) > 3


def weights_as(nest: Nest, element: Element) -> Nest:
    return with_tensors(nest, lambda t: replace(t, element=element) if t.buffer == "w" else t)


def test_what_costs_more_to_read_is_read_for_more_positions() -> None:
    """The second convolution of the digits: 3×3, 16 channels to 32, in panels of 4."""
    plain = Nest(
        (("K", 8), ("y", 4), ("x", 4), ("k", 4), ("r", 3), ("c", 48)),
        (Store(tensor("out", K=4, y=128, x=32, k=1), Accumulator()),),
        (tensor("in", y=96, x=16, r=96, c=1) * tensor("w", K=576, r=192, c=4, k=1),),
        reduce=("r", "c"),
        reduction="sum",
    )
    positions = {}
    for element in ("real", *SMALL):
        tile = dict(choose(weights_as(plain, element), M4).tile)
        positions[element] = tile.get("y", 1) * tile.get("x", 1)
    assert positions["i8"] == positions["bf16"] == 2 * positions["real"]


def test_bfloat16_numbers_are_not_stored() -> None:
    assert BYTES["bf16"] == 2
    with pytest.raises(ValueError, match=r"only read, but stored in \['out'\]"):
        Nest((("x", 4),), (Store(tensor("out", "bf16", x=1), tensor("in", x=1)),))
