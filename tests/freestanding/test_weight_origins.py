"""Where the numbers of constants come from, and which of them sums add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from striate.freestanding.weights.weight_origins import origins_of
from striate.freestanding.weights.weight_reads import WeightRead, labels_of, weight_of
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.layout import Buffer, Location
from striate.plan.stage import BoundNest


def test_copies_are_found_and_nothing_else() -> None:
    count = 40_000  # more than the digits of one number
    flat = np.random.default_rng(0).standard_normal(count).astype(np.float32)
    flat[0], flat[1], flat[9], flat[-1] = 0.0, 1.0, np.nan, -0.0
    kept = flat.copy()
    turned = np.random.default_rng(1).permutation(count)
    names = ("itself", "turned", "gaps", "ones", "zeros", "sums", "squares", "whole numbers")
    buffers = {name: Buffer(name, count, "real", "global") for name in names}
    arrays = {buffer: np.zeros(count, np.float32) for buffer in buffers.values()}
    arrays[buffers["itself"]] = flat
    arrays[buffers["ones"]][...] = 1.0  # as flat[1] is
    arrays[buffers["whole numbers"]] = np.zeros(count, np.int32)

    def lay_out() -> None:
        arrays[buffers["turned"]][...] = flat[turned]
        arrays[buffers["gaps"]][::2] = flat[::2]
        arrays[buffers["sums"]][...] = flat + flat[::-1]
        arrays[buffers["squares"]][...] = flat * flat
        arrays[buffers["whole numbers"]][...] = 1

    lay_out()
    found = origins_of(buffers.values(), arrays, flat, lay_out)
    np.testing.assert_array_equal(flat, kept)
    np.testing.assert_array_equal(arrays[buffers["turned"]], flat[turned])
    assert {buffer.name for buffer in found} == {"itself", "turned", "gaps"}
    np.testing.assert_array_equal(found[buffers["itself"]], np.arange(count))
    np.testing.assert_array_equal(found[buffers["turned"]], turned)
    expected = np.where(np.arange(count) % 2, -1, np.arange(count))
    np.testing.assert_array_equal(found[buffers["gaps"]], expected)


def test_what_any_sum_adds_up_has_one_label() -> None:
    def read(*rows: tuple[int, ...]) -> WeightRead:
        return WeightRead(Tensor("w", ()), np.array(rows, np.int32), ())

    # Two sums that share a number with a third one, and a chain that goes back through the reads.
    reads = [read((0, 1), (2, 3), (12, 11)), read((1, 2, 2)), read((8, 9), (9, 10))]
    reads.append(read((10, 11)))
    labels = labels_of(reads, 14)
    assert labels.tolist() == [0, 0, 0, 0, -1, -1, -1, -1, 1, 1, 1, 1, 1, -1]


X, W = (Tensor(role, strides_of({"k": 1, "c": 4})) for role in ("x", "w"))
SUMS = Tensor("out", strides_of({"k": 1}))
BIAS = Tensor("bias", strides_of({"k": 1}))
TABLE = Tensor("table", strides_of({"k": 1}), 0, "i32")
PLAIN = Nest(
    (("k", 4), ("c", 3)),
    (Store(SUMS, Accumulator() * 2.0),),
    (X * W,),
    reduce=("c",),
    reduction="sum",
    initial=(BIAS,),
)
DECLINED = {
    "two sums": replace(
        PLAIN,
        terms=(X * W, X),
        initial=(BIAS, BIAS),
        stores=(Store(SUMS, Accumulator(0) * Accumulator(1)),),
    ),
    "a maximum": replace(PLAIN, reduction="max", initial=()),
    "no product": replace(PLAIN, terms=(X + W,)),
    "a product in a sum": replace(PLAIN, terms=(X + X * W,)),
    "two weights": replace(PLAIN, terms=(replace(W, offset=1) * W,)),
    "a square": replace(PLAIN, terms=(W * W,)),
    "in the bias, too": replace(PLAIN, initial=(replace(SUMS, buffer="w"),)),
    "in what is stored, too": replace(
        PLAIN, stores=(Store(SUMS, Accumulator() * replace(SUMS, buffer="w")),)
    ),
    "in both factors": replace(PLAIN, terms=(W * (X + W),)),
    "sums that go on": replace(PLAIN, stores=(Store(SUMS, Accumulator()),), initial=(SUMS,)),
    "looked up": replace(PLAIN, terms=(X * replace(W, shift=(TABLE,)),)),
    "rows by address": replace(PLAIN, terms=(X * replace(W, rows=strides_of({"k": 1})),)),
    "other numbers": replace(PLAIN, terms=(X * replace(W, element="u8"),)),
    "counted": replace(PLAIN, counted=("k",)),
}


def bound(nest: Nest, **other: Any) -> tuple[BoundNest, set[Buffer]]:
    places = {role: Location(Buffer(role, 99, "real", "global")) for role in nest.buffers}
    return BoundNest(nest, places, **other), {places["w"].buffer}


def test_weights_are_what_terms_are_multiplied_by() -> None:
    for term in (X * W, W * X, (X + 1.0) * W):
        assert weight_of(*bound(replace(PLAIN, terms=(term,)))) == W
    step, _ = bound(PLAIN)
    assert weight_of(step, set()) is None


@pytest.mark.parametrize("why", list(DECLINED))
def test_what_scaled_weights_cannot_do_is_left_alone(why: str) -> None:
    assert weight_of(*bound(DECLINED[why])) is None


def test_weights_of_several_tasks_are_left_alone() -> None:
    assert weight_of(*bound(PLAIN, advance={"w": 12})) is None
