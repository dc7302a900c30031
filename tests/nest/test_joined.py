"""Axes that are passed through as one are one; the sums, and their order, stay the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.nest.algebra import Accumulator, Index, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.rewrite import in_rounds, joined
from striate.nest.schedule import Schedule


def tensor(role: str, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides))


def product(
    halo: int, rows: int = 4, columns: int = 6, channels: int = 3, filters: int = 5
) -> Nest:
    """A 1x1 convolution of an image with `halo` columns beside each row."""
    width = columns + halo
    return Nest(
        (("b", 1), ("y", rows), ("x", columns), ("k", filters), ("r", 1), ("c", channels)),
        (Store(tensor("out", y=columns * filters, x=filters, k=1), Accumulator()),),
        (tensor("in", y=width * channels, x=channels, c=1, r=7) * tensor("f", c=filters, k=1),),
        ("r", "c"),
        "sum",
    )


def test_rows_without_a_halo_are_one_row() -> None:
    nest = joined(product(halo=0))
    assert nest.axes == (("x", 24), ("k", 5), ("c", 3))
    assert nest.reduce == ("c",)
    assert nest.terms == (tensor("in", x=3, c=1) * tensor("f", c=5, k=1),)


def test_rows_with_a_halo_stay() -> None:
    assert joined(product(halo=2)).axes == (("y", 4), ("x", 6), ("k", 5), ("c", 3))


def test_of_axes_of_one_index_one_stays() -> None:
    nest = product(0, 1, 1, 1, 1)
    assert joined(nest).axes == (("k", 1), ("c", 1))
    assert joined(nest).reduce == ("c",)


def test_rounds_stay_outside() -> None:
    target = tensor("sum", c=1)
    sums = Nest(
        (("c", 3), ("y", 4), ("x", 6)),
        (Store(target, Accumulator()),),
        (tensor("in", y=18, x=3, c=1),),
        ("y", "x"),
        "sum",
        (target,),
    )
    assert joined(sums).axes == (("c", 3), ("x", 24))
    rounds = joined(in_rounds(sums, "y", 2))
    assert rounds.axes == (("Y", 2), ("c", 3), ("x", 12))
    assert rounds.rounds == ("Y",)
    inside = joined(in_rounds(sums, "y", 2, before="y"))
    assert inside.axes == (("c", 3), ("Y", 2), ("x", 12))


@pytest.mark.parametrize(
    "form", [Index((("y", 6), ("x", 1))), Tensor("t", (), 0, rows=(("y", 1),))]
)
def test_what_strides_do_not_tell_is_left_alone(form: Index | Tensor) -> None:
    nest = Nest((("y", 4), ("x", 6)), (Store(tensor("out", y=6, x=1), form),))
    assert joined(nest) is nest


@settings(max_examples=30, deadline=None)
@given(
    extents=st.tuples(*[st.integers(1, 4)] * 4),
    halo=st.integers(0, 1),
    seed=st.integers(0, 9),
)
def test_the_same_bits(extents: tuple[int, int, int, int], halo: int, seed: int) -> None:
    rows, columns, channels, filters = extents
    nest = product(halo, rows, columns, channels, filters)
    rng = np.random.default_rng(seed)
    arrays = {
        "in": rng.standard_normal((rows, columns + halo, channels), np.float32),
        "f": rng.standard_normal((channels, filters), np.float32),
    }
    results = []
    for some in (nest, joined(nest)):
        out = np.zeros((rows, columns, filters), np.float32)
        given_ = {**arrays, "out": out}
        plain = Schedule("k", 4)
        compile_nest(some, plain)(*(given_[role] for role in some.buffers))
        results.append(out)
    np.testing.assert_array_equal(*results)
    expected = arrays["in"][:, :columns].astype(np.float64) @ arrays["f"].astype(np.float64)
    np.testing.assert_allclose(results[0], expected, atol=1e-5)
    assert nest.multiply_adds == joined(nest).multiply_adds
