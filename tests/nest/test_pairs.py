"""Pairs of bfloat16 numbers, with the processor's instructions for them and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from striate.nest.algebra import (
    Accumulator,
    Constant,
    Expression,
    Nest,
    Pair,
    Store,
    Tensor,
    product,
    strides_of,
)
from striate.nest.compiler import compile_nest
from striate.nest.schedule import Schedule
from striate.nest.target import Target, describe, host

COUNTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33]


def plain() -> Target:
    """This processor as if it had no instructions for pairs."""
    return replace(host(), features=host().features.replace("+avx512bf16", "-avx512bf16"))


TARGETS = [
    pytest.param(plain(), id="spelled out"),
    pytest.param(plain().narrowed(16), id="spelled out, short vectors"),
    *(
        pytest.param(
            host().narrowed(width, host().registers),
            id=f"instructions of {width} bytes",
            marks=pytest.mark.skipif(not host().bfloat16, reason="no bfloat16 on this processor"),
        )
        for width in (16, 32, 64)
    ),
]


def rounded(values: np.ndarray) -> np.ndarray:
    """To bfloat16, by comparing with both neighbours: nearest, of two the even one."""
    words = values.astype(np.float32).view(np.uint32)
    low = words & np.uint32(0xFFFF0000)
    high = low + np.uint32(0x10000)
    below, above = (w.view(np.float32).astype(np.float64) for w in (low, high))
    exact = values.astype(np.float64)
    up = np.abs(above - exact) < np.abs(exact - below)
    tie = np.abs(above - exact) == np.abs(exact - below)
    up |= tie & (low >> 16 & 1).astype(bool)
    return np.where(up, high, low).view(np.float32)


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    words = [rounded(part).view(np.uint32) for part in (first, second)]
    return words[0] >> 16 | words[1]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Of sizes so alike that sums of two products are exact in 64 bits."""
    rng = np.random.default_rng(seed)
    return (rng.choice([-1, 1], shape) * rng.uniform(0.25, 4, shape)).astype(np.float32)


def tensor(buffer: str, offset: int = 0, element: str = "real", **strides: int) -> Tensor:
    return Tensor(buffer, strides_of(strides), offset, element)  # type: ignore[arg-type]


def run(nest: Nest, target: Target, **arrays: np.ndarray) -> None:
    compile_nest(nest, target=target)(*(arrays[name] for name in nest.buffers))


def pack(target: Target, pair: Pair, count: int, **arrays: np.ndarray) -> np.ndarray:
    out = np.zeros(count, np.uint32)
    nest = Nest((("e", count),), (Store(tensor("out", element="pair", e=1), pair),))
    run(nest, target, **arrays, out=out)
    return out


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("count", COUNTS)
def test_numbers_are_rounded_to_the_nearest(target: Target, count: int) -> None:
    a, b = numbers(count), numbers(count, seed=1)
    got = pack(target, Pair(tensor("a", e=1), tensor("b", e=1)), count, a=a, b=b)
    np.testing.assert_array_equal(got, packed(a, b))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("count", COUNTS)
def test_neighbours_become_a_pair(target: Target, count: int) -> None:
    a = numbers(2 * count + 1)
    got = pack(target, Pair(tensor("a", 1, e=2), tensor("a", 2, e=2)), count, a=a)
    np.testing.assert_array_equal(got, packed(a[1::2], a[2::2]))


@pytest.mark.parametrize("target", TARGETS)
def test_numbers_two_apart_are_no_neighbours(target: Target) -> None:
    a = numbers(40)
    got = pack(target, Pair(tensor("a", 1, e=2), tensor("a", 3, e=2)), 18, a=a)
    np.testing.assert_array_equal(got, packed(a[1:37:2], a[3:39:2]))


@pytest.mark.parametrize("target", TARGETS)
def test_one_number_and_nothing(target: Target) -> None:
    a = numbers(19)
    got = pack(target, Pair(tensor("a", e=1), Constant(0.0)), 19, a=a)
    np.testing.assert_array_equal(got, packed(a, np.zeros(19, "f")))


@pytest.mark.parametrize("target", TARGETS)
def test_halves_ties_and_what_is_not_finite(target: Target) -> None:
    one = 1 + 2.0**-8  # halfway between 1 and 1 + 2^-7: the even one is 1
    three = 1 + 3 * 2.0**-8
    largest = np.finfo(np.float32).max
    a = np.array([one, three, -one, one * (1 + 2**-20), largest, np.inf, -np.inf, 0.0] * 2, "f")
    b = np.tile(np.array([0x7F800001, 0x7FFFFFFF, 0xFF800001, 0xFFC00000], np.uint32), 4)
    words = pack(target, Pair(tensor("a", e=1), tensor("b", e=1)), 16, a=a, b=b.view("f"))
    first = (words << 16).view(np.float32)
    second = (words & np.uint32(0xFFFF0000)).view(np.float32)
    wanted = [1, 1 + 2.0**-6, -1, 1 + 2.0**-7, np.inf, np.inf, -np.inf, 0]
    np.testing.assert_array_equal(first, np.array(wanted * 2, "f"))
    assert np.isnan(second).all()


def halves(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = words << np.uint32(16), words & np.uint32(0xFFFF0000)
    return first.view(np.float32), second.view(np.float32)


def summed(acc: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two products added, the second first, each sum rounded to 32 bits."""
    (a0, a1), (b0, b1) = halves(left), halves(right)
    exact = [x.astype(np.float64) * y for x, y in ((a1, b1), (a0, b0))]
    return (((acc + exact[0]).astype(np.float32)) + exact[1]).astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("count", COUNTS)
def test_products_are_added_in_turn(target: Target, count: int) -> None:
    # out[k] = start[k] + sum over e of x[e] . f[e, k], pair by pair
    pairs = 5
    x = packed(numbers(pairs), numbers(pairs, seed=1))
    f = packed(numbers(pairs, count, seed=2), numbers(pairs, count, seed=3))
    start, out = numbers(count, seed=4), np.zeros(count, np.float32)
    term = product(tensor("x", element="pair", e=1), tensor("f", element="pair", e=count, k=1))
    nest = Nest(
        (("k", count), ("e", pairs)),
        (Store(tensor("out", k=1), Accumulator()),),
        (term,),
        ("e",),
        "sum",
        (tensor("start", k=1),),
    )
    run(nest, target, x=x, f=f, start=start, out=out)
    wanted = start
    for e in range(pairs):
        wanted = summed(wanted, np.broadcast_to(x[e], count), f[e])
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("target", TARGETS)
def test_lanes_of_products_are_summed(target: Target) -> None:
    count = 48
    x, y = packed(numbers(count), numbers(count, seed=1)), packed(*numbers(2, count, seed=2))
    out = np.zeros(1, np.float32)
    nest = Nest(
        (("e", count),),
        (Store(tensor("out"), Accumulator()),),
        (product(tensor("x", element="pair", e=1), tensor("y", element="pair", e=1)),),
        ("e",),
        "sum",
    )
    lanes = target.lanes(4)
    schedule = Schedule("e", lanes)
    compile_nest(nest, schedule, target=target)(
        *({"x": x, "y": y, "out": out}[b] for b in nest.buffers)
    )
    exact = sum(a.astype(np.float64) @ b for a, b in zip(halves(x), halves(y), strict=True))
    assert out[0] == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_a_product_outside_of_a_sum(target: Target) -> None:
    x, y = packed(*numbers(2, 21)), packed(*numbers(2, 21, seed=1))
    out = np.zeros(21, np.float32)
    term: Expression = product(tensor("x", element="pair", e=1), tensor("y", element="pair", e=1))
    nest = Nest((("e", 21),), (Store(tensor("out", e=1), term * 2.0),))
    run(nest, target, x=x, y=y, out=out)
    np.testing.assert_array_equal(out, 2 * summed(np.zeros(21, "f"), x, y))


def test_numbers_are_multiplied_as_numbers() -> None:
    x = np.full(3, 1 + 2.0**-20, np.float32)
    out = np.zeros(3, np.float32)
    term = product(tensor("x", e=1), tensor("x", e=1))
    run(Nest((("e", 3),), (Store(tensor("out", e=1), term),)), host(), x=x, out=out)
    np.testing.assert_array_equal(out, x * x)


def test_who_has_the_instructions() -> None:
    features = {"avx2": True, "fma": True, "avx512f": True, "avx512vl": True}
    triple = "x86_64-unknown-linux-gnu"
    assert describe(triple, "some", {**features, "avx512bf16": True}).bfloat16
    assert not describe(triple, "some", {**features, "avx512bf16": False}).bfloat16
    assert not describe("aarch64-linux-gnu", "some", {"bf16": True}).bfloat16
