"""Nests with a grid: `Transformed`, written out, against NumPy."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from striate.nest.algebra import (
    Accumulator,
    Constant,
    Index,
    Matrix,
    Nest,
    Store,
    Tensor,
    Transformed,
    strides_of,
)
from striate.nest.compiler import compile_nest
from striate.nest.elementary import maximum
from striate.nest.kernel_module import emit
from striate.nest.rewrite import with_tensors, written_out
from striate.nest.schedule import Schedule, alternatives, choose
from striate.nest.small_matrix import grid_of
from striate.nest.target import host

LEFT: Matrix = tuple(tuple(map(Fraction, row)) for row in ((1, 2, 0), (1, -2, 3)))
RIGHT: Matrix = tuple(
    tuple(map(Fraction, row)) for row in (("1/2", 0, 1, 4), (0, 1, -1, 1), (0, 0, "1/3", 0))
)
LANES, TILES, ROWS, COLUMNS = 19, 3, 4, 5


def nest(flipped: bool = False) -> Nest:
    """out[t][i][j][c] = max((left x right')[i, j], 0) + bias[c], x[p, q] at x[t][p][q][c] of a
    larger image, or from its last pixel backwards."""
    sense, start = (-1, 2 * COLUMNS + 3) if flipped else (1, 0)
    x = Tensor(
        "x",
        strides_of(
            {"t": ROWS * COLUMNS * LANES, "p": sense * COLUMNS * LANES, "q": sense * LANES, "c": 1}
        ),
        start * LANES,
    )
    out = Tensor("out", strides_of({"t": 6 * LANES, "i": 3 * LANES, "j": LANES, "c": 1}))
    bias = Tensor("bias", strides_of({"c": 1}))
    value = maximum(Transformed(LEFT, RIGHT, x), 0.0) + bias
    return Nest((("t", TILES), ("c", LANES)), (Store(out, value),), grid=grid_of(LEFT, RIGHT))


def expected(x: np.ndarray, bias: np.ndarray, flipped: bool) -> np.ndarray:
    left, right = np.array(LEFT, float), np.array(RIGHT, float)
    seen = x[:, :3, :4].astype(float)
    if flipped:
        seen = seen[:, ::-1, ::-1]
    return np.maximum(np.einsum("ip,jq,tpqc->tijc", left, right, seen), 0) + bias


@pytest.mark.parametrize("flipped", [False, True])
def test_a_transform_is_a_product_of_three_matrices(flipped: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TILES, ROWS, COLUMNS, LANES)).astype(np.float32)
    bias = rng.standard_normal(LANES).astype(np.float32)
    out = np.full((TILES, 2, 3, LANES), np.nan, np.float32)
    kernel = compile_nest(nest(flipped))
    kernel(*({"x": x, "bias": bias, "out": out}[role] for role in kernel.nest.buffers))
    np.testing.assert_allclose(out, expected(x, bias, flipped), rtol=1e-5, atol=1e-5)


def test_written_out_it_has_a_store_for_each_index_and_the_same_roles_in_order() -> None:
    plain = written_out(nest())
    assert not plain.grid and len(plain.stores) == 2 * 3
    offsets = [store.target.offset for store in plain.stores]
    assert offsets == [LANES * k for k in range(6)]
    assert plain.buffers == nest().buffers
    assert len([t for t in plain.tensors() if t.buffer == "x"]) == 3 * 4
    assert written_out(plain) is plain


def test_sums_are_shared_between_stores() -> None:
    # With even and odd columns apart, the left matrix takes 1 + 2 sums for each of 4 columns, the
    # right one 2 + 2 + 0 for each of 2 rows; then each of 6 results gets its bias.
    code = emit(replace(nest(), axes=(("t", 1), ("c", 8))), Schedule("c", 8))
    sums = [line for line in code.splitlines() if re.search("= fadd|= fsub|= call .*fma", line)]
    assert len(sums) == 4 * (1 + 2) + 2 * (2 + 2) + 6


def test_the_reach_of_a_tensor_counts_the_grid() -> None:
    (x,) = (t for t in nest(flipped=True).tensors() if t.buffer == "x")
    low, high = nest(flipped=True).reach(x)
    assert low == 0
    assert high == (2 * ROWS * COLUMNS + 2 * COLUMNS + 3) * LANES + LANES - 1


def test_tensors_of_a_grid_can_be_changed() -> None:
    moved = with_tensors(nest(), lambda old: replace(old, offset=old.offset + 7))
    assert {t.offset for t in moved.tensors()} == {7}
    assert min(t.offset for t in written_out(moved).tensors()) == 7


def test_a_number_of_a_place_counts_the_grid() -> None:
    out = Tensor("out", strides_of({"i": 3, "j": 1, "c": 6}))
    number = Index(strides_of({"i": 3, "j": 1, "c": 6}))
    matrix: Matrix = ((Fraction(1),),)
    grid = (("i", 2), ("j", 3), *grid_of(matrix, matrix)[2:])
    numbered = Nest((("c", 4),), (Store(out, number),), grid=grid)
    with pytest.raises(ValueError, match="unknown axes"):
        replace(numbered, grid=())
    found = np.zeros(24, np.float32)
    compile_nest(numbered, Schedule("c", 1))(found)
    np.testing.assert_array_equal(found, np.arange(24))


def test_schedules_are_chosen_as_for_what_it_stands_for() -> None:
    assert choose(nest(), host()) == choose(written_out(nest()), host())
    assert alternatives(nest(), host()) == alternatives(written_out(nest()), host())


def test_a_grid_and_a_reduction_exclude_each_other() -> None:
    term = Tensor("x", strides_of({"r": 1}))
    with pytest.raises(ValueError, match="reduces nothing"):
        Nest(
            (("r", 3),),
            (Store(Tensor("out", ()), Accumulator()),),
            (term,),
            ("r",),
            "sum",
            grid=grid_of(LEFT, RIGHT),
        )


def test_axes_of_the_grid_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="named twice"):
        Nest((("i", 3),), (Store(Tensor("out", ()), Constant(0.0)),), grid=grid_of(LEFT, RIGHT))
