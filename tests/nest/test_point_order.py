"""Tiles on processors with few registers: the order of their points, and lanes in parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest, source_of
from striate.nest.point_order import in_registers
from striate.nest.schedule import Schedule, alternatives
from striate.nest.target import ORDER, Target, assembly_text, describe, host

HASWELL = describe(
    "x86_64-pc-linux-gnu", "haswell", {"avx": True, "avx2": True, "fma": True, "sse4.2": True}
)


def tensor(role: str, offset: int = 0, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), offset)


def waiting(points: Sequence[dict[str, int]], read: Sequence[Tensor], order: Sequence[int]) -> int:
    """Elements in registers at most, counted turn by turn: an independent account."""
    uses = [
        {(t.buffer, sum(s * points[i].get(a, 0) for a, s in t.strides)) for t in read}
        for i in order
    ]
    return max(
        sum(
            any(element in u for u in uses[: now + 1]) and any(element in u for u in uses[now:])
            for element in set().union(*uses)
        )
        for now in range(len(uses))
    )


def box(**sizes: int) -> list[dict[str, int]]:
    points: list[dict[str, int]] = [{}]
    for axis, size in sizes.items():
        points = [{**point, axis: i} for point in points for i in range(size)]
    return points


def test_the_example_of_the_module() -> None:
    points = box(y=2, c=3, v=2)
    read = (tensor("x", y=64, v=8), tensor("filters", c=1))
    assert waiting(points, read, range(12)) == 5
    order = in_registers(points, read, 4)
    assert sorted(order) == [*range(12)]
    assert waiting(points, read, order) == 4
    assert in_registers(points, read, 5) == [*range(12)], "an order that fits stays"


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=3),
    st.integers(0, 8),
)
def test_no_order_is_worse_than_the_given_one(
    sizes: list[int], moves: list[list[int]], free: int
) -> None:
    axes = "yxk"[: len(sizes)]
    points = box(**dict(zip(axes, sizes, strict=True)))
    read = tuple(
        tensor(f"t{i}", **{axis: 5 * stride for axis, stride in zip(axes, some, strict=False)})
        for i, some in enumerate(moves)
    )
    order = in_registers(points, read, free)
    assert sorted(order) == [*range(len(points))]
    before, after = (waiting(points, read, o) for o in (range(len(points)), order))
    assert after <= before
    assert before > free or order == [*range(len(points))]


def rows(lanes: int) -> Nest:
    """out[y, c, v] = sum over r, k of x[y + r, k, v] * f[r, c, k]"""
    return Nest(
        (("y", 4), ("c", 6), ("v", lanes), ("r", 3), ("k", 7)),
        (Store(tensor("out", y=6 * lanes, c=lanes, v=1), Accumulator()),),
        (tensor("x", y=7 * lanes, r=7 * lanes, k=lanes, v=1) * tensor("f", r=42, c=7, k=1),),
        ("r", "k"),
        "sum",
    )


def run(nest: Nest, schedule: Schedule, target: Target, **arrays: np.ndarray) -> None:
    compile_nest(nest, schedule, target=target)(*(arrays[name] for name in nest.buffers))


def spills(text: str) -> list[str]:
    """Instructions that put a vector away, or fetch it."""
    return [line for line in text.splitlines() if re.search(r"ymm.*%rsp|%rsp.*ymm", line)]


TILES = [
    (("v", 2), ("c", 3), ("y", 2)),
    (("c", 6), ("y", 2)),
    (("c", 3), ("y", 4)),
    (("c", 2), ("y", 4), ("v", 1)),
]


@pytest.mark.parametrize("tile", TILES)
def test_no_sum_is_put_away_in_an_inner_loop(tile: tuple[tuple[str, int], ...]) -> None:
    source = source_of(rows(16), Schedule("v", 8, tile), HASWELL, "f32")
    text = assembly_text(source, HASWELL)
    assert text.count("vfmadd") >= 8
    assert not spills(text)


@pytest.mark.parametrize("tile", TILES)
def test_the_order_changes_no_bit(tile: tuple[tuple[str, int], ...]) -> None:
    random, target = np.random.default_rng(0), host().narrowed(min(host().vector_bytes, 32))
    lanes = target.lanes(4)
    x = random.standard_normal((6, 7, 2 * lanes)).astype(np.float32)
    f = random.standard_normal((3, 6, 7)).astype(np.float32)
    found = []
    for some in (tile, ()):
        out = np.zeros((4, 6, 2 * lanes), np.float32)
        run(rows(2 * lanes), Schedule("v", lanes, some), target, out=out, x=x, f=f)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])
    wanted = sum(
        np.einsum("ykv,ck->ycv", x[r : r + 4].astype(float), f[r].astype(float)) for r in range(3)
    )
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-5)


# --- lanes in parts ------------------------------------------------------------------------------


def filter_gradient(filters: int, channels: int) -> Nest:
    """out[c, k] += sum over x, v of seen[x, c, v] * spread[x, k, v], as it is in 16 lanes."""
    target = tensor("out", c=filters, k=1)
    return Nest(
        (("c", channels), ("k", filters), ("x", 9), ("v", 16)),
        (Store(target, Accumulator()),),
        (tensor("seen", x=16 * channels, c=16, v=1) * tensor("spread", x=16 * filters, k=16, v=1),),
        ("x", "v"),
        "sum",
        (target,),
    )


def in_sixteen_lanes(seen: np.ndarray, spread: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Sums rounded after each multiply-add, lane by lane, then neighbours added first.

    Products of two float32 and their sum with a third are exact in float64 but for its rounding,
    which a second rounding to float32 leaves as it is for these numbers of few bits.
    """
    total = np.zeros((seen.shape[1], spread.shape[1], 16), np.float32)
    for x in range(len(seen)):
        product = seen[x, :, None].astype(float) * spread[x, None].astype(float)
        total = (total.astype(float) + product).astype(np.float32)
    while total.shape[-1] > 1:
        total = total[..., ::2] + total[..., 1::2]
    return before + total[..., 0]


def few_bits(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (random.integers(-511, 512, shape) / 64).astype(np.float32)


@pytest.mark.skipif(not host().fused, reason="products are rounded on their own")
@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize(
    "tile", [(), (("k", 2), ("c", 3)), (("k", 4), ("c", 3)), (("c", 4),), (("k", 5), ("c", 2))]
)
def test_lanes_in_parts_are_added_as_if_whole(
    tile: tuple[tuple[str, int], ...], width: int
) -> None:
    random, target = np.random.default_rng(1), host().narrowed(width)
    seen, spread = few_bits(random, 9, 6, 16), few_bits(random, 9, 11, 16)
    before = few_bits(random, 6, 11)
    out = before.copy()
    nest = filter_gradient(11, 6)
    run(nest, Schedule("v", 16, tile), target, out=out, seen=seen, spread=spread)
    np.testing.assert_array_equal(out, in_sixteen_lanes(seen, spread, before))


@pytest.mark.parametrize("registers", [16, 32])
@pytest.mark.parametrize("width", [16, 32])
def test_tiles_are_as_large_as_with_one_register_a_sum(width: int, registers: int) -> None:
    target = Target("", "", "", width, registers, portable=True)
    (best, *_) = alternatives(filter_gradient(16, 6), target)
    assert best.lanes == ORDER.lanes(4)
    points = np.prod([size for _, size in best.tile])
    halves = 16 // target.lanes(4) // 2
    assert target.accumulators // halves // 2 < points <= target.accumulators // halves


def test_parts_of_the_lanes_fit_into_registers() -> None:
    target = replace(HASWELL, portable=True)
    nest = filter_gradient(16, 6)
    (best, *_) = alternatives(nest, target)
    assert np.prod([size for _, size in best.tile]) == 12
    text = assembly_text(source_of(nest, best, target, "f32"), target)
    # The sums of the first half wait for those of the second, added up: two vectors.
    assert len(spills(text)) <= 8
