"""Where the numbers of constants come from, and which of them sums add up."""

from __future__ import annotations

import numpy as np

from striate.freestanding.weight_origins import NOWHERE, origins_of
from striate.freestanding.weight_reads import WeightRead, labels_of
from striate.nest.algebra import Tensor
from striate.plan.layout import Buffer


def test_copies_are_found_and_nothing_else() -> None:
    count = 40_000  # more than the digits of one number
    flat = np.random.default_rng(0).standard_normal(count).astype(np.float32)
    flat[7], flat[8], flat[9], flat[-1] = 1.0, 0.0, np.nan, -0.0
    kept = flat.copy()
    turned = np.random.default_rng(1).permutation(count)
    names = ("itself", "turned", "gaps", "ones", "zeros", "sums", "squares", "whole numbers")
    buffers = {name: Buffer(name, count, "real", "global") for name in names}
    arrays = {buffer: np.zeros(count, np.float32) for buffer in buffers.values()}
    arrays[buffers["itself"]] = flat
    arrays[buffers["ones"]][...] = 1.0  # as flat[7] is
    arrays[buffers["whole numbers"]] = np.zeros(count, np.int32)

    def lay_out() -> None:
        arrays[buffers["turned"]][...] = flat[turned]
        arrays[buffers["gaps"]][: 3 * 5_000].reshape(5_000, 3)[:, :2] = flat[:10_000].reshape(-1, 2)
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
    gaps = np.full(count, NOWHERE)
    gaps[: 3 * 5_000].reshape(5_000, 3)[:, :2] = np.arange(10_000).reshape(-1, 2)
    np.testing.assert_array_equal(found[buffers["gaps"]], gaps)


def test_what_any_sum_adds_up_has_one_label() -> None:
    def read(*rows: tuple[int, ...]) -> WeightRead:
        return WeightRead(Tensor("w", ()), np.array(rows, np.int32), ())

    # Two sums that share a number with a third one, gaps, and a chain through three reads.
    reads = [read((0, 1), (2, NOWHERE), (7, 8)), read((1, 2, NOWHERE)), read((8, 9), (9, 10))]
    reads.append(read((10, 12)))
    labels = labels_of(reads, 14)
    assert labels.tolist() == [0, 0, 0, -1, -1, -1, -1, 1, 1, 1, 1, -1, 1, -1, -1]
