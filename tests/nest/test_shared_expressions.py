"""`with_tensors`: every tensor changed, and what was computed once is computed once still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from striate.nest.algebra import (
    Accumulator,
    Expression,
    Index,
    Keep,
    MultiplyAdd,
    Nest,
    Store,
    Tensor,
    strides_of,
)
from striate.nest.compiler import compile_nest
from striate.nest.elementary import exp, maximum, sqrt, where
from striate.nest.kernel_module import emit
from striate.nest.rewrite import with_tensors
from striate.nest.schedule import Schedule


def tensor(role: str, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides))


def renamed(old: Tensor) -> Tensor:
    return replace(old, buffer=old.buffer + "'", offset=old.offset + 1)


def objects(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in expression.children():
        yield from objects(child)


def roots_in(n: int) -> Nest:
    """Stores that share a root, and one that shares a root of it."""
    root = sqrt(tensor("x", i=1) + 2.0)
    both = MultiplyAdd(root, root, tensor("y", i=1))
    twice = sqrt(both)
    return Nest(
        (("i", n),),
        (
            Store(tensor("out0", i=1), root),
            Store(tensor("out1", i=1), both * root),
            Store(tensor("out2", i=1), where(root, ">", 1.0, twice, twice * 2.0)),
        ),
    )


def test_what_is_shared_is_computed_once() -> None:
    schedule = Schedule("i", 8)
    nest = roots_in(8)
    assert emit(nest, schedule).count("call <8 x float> @llvm.sqrt") == 2
    assert emit(with_tensors(nest, renamed), schedule).count("call <8 x float> @llvm.sqrt") == 2


def test_sharing_is_that_of_objects() -> None:
    nest = roots_in(8)

    def distinct(some: Nest) -> int:
        return len({id(e) for store in some.stores for e in objects(store.value)})

    assert distinct(with_tensors(nest, renamed)) == distinct(nest)
    again = with_tensors(nest, lambda old: old)
    assert repr(again) == repr(nest)
    assert distinct(again) == distinct(nest)


def test_shared_values_are_right() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 3, 21), rng.uniform(0, 3, 21)
    arrays = {"x": x.astype("f"), "y": y.astype("f")}
    arrays |= {f"out{i}": np.zeros(21, "f") for i in range(3)}
    nest = roots_in(21)
    compile_nest(nest)(*(arrays[role] for role in nest.buffers))
    root = np.sqrt(x + 2)
    both = root * root + y
    np.testing.assert_allclose(arrays["out0"], root, rtol=1e-6)
    np.testing.assert_allclose(arrays["out1"], both * root, rtol=1e-6)
    np.testing.assert_allclose(arrays["out2"], np.sqrt(both) * np.where(root > 1, 1, 2), rtol=1e-6)


def test_every_tensor_is_changed() -> None:
    """Targets, values, terms, first addends; inside every kind of expression."""
    names = iter(f"t{i}" for i in range(99))

    def fresh() -> Tensor:
        return tensor(next(names), i=1)

    key = Tensor(next(names), strides_of({"i": 1}), element="u32")
    value = where(
        MultiplyAdd(fresh(), fresh(), fresh()),
        ">",
        maximum(fresh(), exp(fresh())),
        Keep(key, Index(strides_of({"i": 1})), 3, 1 << 31),
        Accumulator() / fresh(),
    )
    nest = Nest(
        (("i", 5), ("j", 3)),
        (Store(fresh(), value), Store(fresh(), Accumulator() - fresh(), streaming=True)),
        (fresh() * tensor(next(names), i=3, j=1),),
        ("j",),
        "sum",
        (fresh() + 1.0,),
    )
    changed = with_tensors(nest, renamed)
    before, after = nest.tensors(), changed.tensors()
    assert len(before) == 13
    assert set(after) == {renamed(old) for old in before}
    assert [store.streaming for store in changed.stores] == [False, True]
    assert (changed.axes, changed.reduce, changed.reduction) == (nest.axes, ("j",), "sum")


def test_the_order_of_a_maximum_is_kept() -> None:
    nest = Nest(
        (("i", 5), ("r", 3)),
        (Store(tensor("out", i=1), Accumulator(1)),),
        (tensor("x", i=3, r=1),),
        ("r",),
        "argmax",
        order=Index(strides_of({"r": 2}), 1),
    )
    assert with_tensors(nest, renamed).order == nest.order
