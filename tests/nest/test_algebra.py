"""What a nest refuses, and what it knows about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from striate.nest.algebra import (
    Accumulator,
    Index,
    Nest,
    Store,
    Tensor,
    strides_of,
)
from striate.nest.rewrite import with_tensors


def tensor(role: str, offset: int = 0, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), offset)


def test_errors_name_the_axis() -> None:
    store = Store(tensor("out", i=1), Accumulator())
    x = tensor("x", i=1, j=3)
    with pytest.raises(ValueError, match=r"unknown axes \['j'\]; the nest has \['i'\]"):
        Nest((("i", 3),), (store,), (x,), (), "sum")
    with pytest.raises(ValueError, match=r"axis named twice: \['i', 'i'\]"):
        Nest((("i", 3), ("i", 2)), (store,))
    with pytest.raises(ValueError, match=r"axes without extent: \['i'\]"):
        Nest((("i", 0),), (store,))
    with pytest.raises(ValueError, match=r"'out'.* is outside the reduction but moves along {'i'}"):
        Nest((("i", 3), ("j", 2)), (store,), (x,), ("i",), "sum")
    with pytest.raises(ValueError, match=r"'b'.* is outside the reduction but moves along {'j'}"):
        Nest((("i", 3), ("j", 2)), (store,), (x,), ("j",), "sum", (tensor("b", j=1),))
    with pytest.raises(ValueError, match=r"unknown axes \['k'\]"):
        Nest((("i", 3),), (Store(tensor("out", i=1), Index(strides_of({"k": 1}))),))
    with pytest.raises(ValueError, match="terms and a reduction go together"):
        Nest((("i", 3), ("j", 2)), (store,), (x,))
    with pytest.raises(ValueError, match="argmax reduces one term, not 2"):
        Nest((("i", 3), ("j", 2)), (store,), (x, x), ("j",), "argmax")
    with pytest.raises(ValueError, match="give `order`"):
        Nest((("i", 3), ("j", 2)), (store,), (x,), ("j",), "argmax")
    with pytest.raises(ValueError, match="only sums have `initial`"):
        Nest((("i", 3), ("j", 2)), (store,), (x,), ("j",), "max", (tensor("b", i=1),))


def test_reach_and_buffers() -> None:
    x = tensor("x", 10, i=-2, j=5)
    nest = Nest(
        (("i", 4), ("j", 3)),
        (Store(tensor("out", i=1), Accumulator()),),
        (x * tensor("f", j=1),),
        ("j",),
        "sum",
    )
    assert nest.reach(x) == (4, 20)
    assert nest.buffers == ("x", "f", "out")
    assert nest.outputs == ("i",)
    assert nest.multiply_adds == 12


def test_equal_nests_have_equal_keys() -> None:
    def nest(stride: int) -> Nest:
        return Nest((("i", 4),), (Store(tensor("out", i=1), tensor("x", i=stride) * 2.0),))

    assert repr(nest(1)) == repr(nest(1))
    assert repr(nest(1)) != repr(nest(2))


def test_tables_are_tensors_of_the_nest_and_change_with_it() -> None:
    inner = Tensor("inner", strides_of({"n": 1}), 0, "i32")
    table = Tensor("table", strides_of({"x": 1}), 0, "i32", shift=(inner,))
    source = Tensor("source", (), 0, "u8", strides_of({"v": 1}), (table,))
    nest = Nest((("n", 2), ("x", 4), ("v", 3)), (Store(tensor("out", n=12, x=3, v=1), source),))
    assert nest.tensors() == (tensor("out", n=12, x=3, v=1), source, table, inner)
    assert nest.buffers == ("out", "source", "table", "inner")
    assert [source.is_looked_up(axis) for axis in "nxvz"] == [True, True, True, False]
    assert [table.is_looked_up(axis) for axis in "nxv"] == [True, False, False]
    moved = with_tensors(nest, lambda t: replace(t, offset=t.offset + 1))
    assert [(t.buffer, t.offset) for t in moved.tensors()] == [
        ("out", 1), ("source", 1), ("table", 1), ("inner", 1),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unknown axes"):
        Nest((("n", 2), ("x", 4)), (Store(tensor("out", n=4, x=1), source),))
