"""From nests to nests: other strides, sums in rounds, and what a grid stands for, written out."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from striate.nest.algebra import (
    Accumulator,
    Expression,
    Index,
    Nest,
    Store,
    Strides,
    Tensor,
    Transformed,
    child_names,
    strides_of,
)
from striate.nest.small_matrix import apply_both

AnyExpression = TypeVar("AnyExpression", bound=Expression)
Form = TypeVar("Form", Tensor, Index)


def with_fields(expression: AnyExpression, **fields: object) -> AnyExpression:
    """The expression with other fields: `dataclasses.replace` without its checks, which took
    longer than all else that is done to the thousands of expressions of a network.
    """
    changed = object.__new__(type(expression))
    changed.__dict__.update(expression.__dict__, **fields)
    return changed


def with_tensors(nest: Nest, change: Callable[[Tensor], Tensor], **fields: Any) -> Nest:
    """The nest with every tensor changed, and other `fields` of it; what expressions share, they
    go on sharing.
    """
    known: dict[int, Expression] = {}

    def changed(expression: Expression) -> Expression:
        if id(expression) not in known:
            known[id(expression)] = (
                _changed(expression, change)
                if isinstance(expression, Tensor)
                else _rebuilt(expression, changed)
            )
        return known[id(expression)]

    def store(old: Store) -> Store:
        return with_fields(old, target=change(old.target), value=changed(old.value))

    return replace(
        nest,
        stores=tuple(store(old) for old in nest.stores),
        terms=tuple(changed(term) for term in nest.terms),
        initial=tuple(changed(start) for start in nest.initial),
        **fields,
    )


def with_sums(nest: Nest, change: Callable[[Accumulator], Expression], **fields: Any) -> Nest:
    """The nest with something else stored where it stores its sums, and other `fields` of it."""
    known: dict[int, Expression] = {}

    def changed(expression: Expression) -> Expression:
        if id(expression) not in known:
            known[id(expression)] = (
                change(expression)
                if isinstance(expression, Accumulator)
                else _rebuilt(expression, changed)
            )
        return known[id(expression)]

    stores = tuple(with_fields(store, value=changed(store.value)) for store in nest.stores)
    return replace(nest, stores=stores, **fields)


def _changed(tensor: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """A tensor changed, and the tables that shift it."""
    shift = tuple(_changed(table, change) for table in tensor.shift)
    return with_fields(change(tensor), shift=shift) if shift else change(tensor)


def in_rounds(nest: Nest, axis: str, size: int, before: str | None = None) -> Nest:
    """The nest with a reduced axis cut into rounds of `size` indices, named in capitals: around all
    else, or around the axis `before` which they run and what is inside of it.
    """
    nest = in_parts(nest, axis, size, before=before or nest.axes[0][0])
    return replace(nest, rounds=(axis.upper(), *nest.rounds))


def in_parts(nest: Nest, axis: str, size: int, before: str) -> Nest:
    """The nest with an axis cut into parts of `size` indices.

    The axis over the parts is named in capitals and lies in front of another.
    """
    outer = axis.upper()

    def cut(tensor: Tensor) -> Tensor:
        strides = {**dict(tensor.strides), outer: tensor.stride(axis) * size}
        return with_fields(tensor, strides=strides_of(strides))

    axes = [(name, size if name == axis else extent) for name, extent in nest.axes]
    axes.insert([name for name, _ in axes].index(before), (outer, nest.extent(axis) // size))
    reduce = (outer, *nest.reduce) if axis in nest.reduce else nest.reduce
    return with_tensors(nest, cut, axes=tuple(axes), reduce=reduce)


def written_out(nest: Nest) -> Nest:
    """The nest without a grid: each store once for every index of the grid's axes i and j.

    The sums of a transform are shared among all of them.
    """
    return _written_out(nest) if nest.grid else nest


@functools.lru_cache(maxsize=16)
def _written_out(nest: Nest) -> Nest:
    extents = dict(nest.grid)
    transforms: dict[int, list[list[Expression]]] = {}

    def transform(whole: Transformed) -> list[list[Expression]]:
        if id(whole) not in transforms:
            rows, columns = range(extents["p"]), range(extents["q"])
            inputs = [[at(whole.operand, {"p": p, "q": q}, {}) for q in columns] for p in rows]
            transforms[id(whole)] = apply_both(whole.left, whole.right, inputs)
        return transforms[id(whole)]

    def at(old: Expression, point: Mapping[str, int], known: dict[int, Expression]) -> Expression:
        if isinstance(old, Tensor):
            return _fixed(old, point)
        if isinstance(old, Index):
            return _fixed(old, point)
        if isinstance(old, Transformed):
            return transform(old)[point["i"]][point["j"]]
        if id(old) not in known:
            known[id(old)] = _rebuilt(old, lambda child: at(child, point, known))
        return known[id(old)]

    def stores(point: Mapping[str, int]) -> list[Store]:
        known: dict[int, Expression] = {}
        return [
            with_fields(old, target=_fixed(old.target, point), value=at(old.value, point, known))
            for old in nest.stores
        ]

    places = itertools.product(range(extents["i"]), range(extents["j"]))
    every = [store for i, j in places for store in stores({"i": i, "j": j})]
    return replace(nest, stores=tuple(every), grid=())


def _fixed(form: Form, point: Mapping[str, int]) -> Form:
    """A linear form at some indices of some axes."""
    left: Strides = tuple(pair for pair in form.strides if pair[0] not in point)
    if left == form.strides:
        return form
    offset = sum(stride * point[axis] for axis, stride in form.strides if axis in point)
    return with_fields(form, strides=left, offset=form.offset + offset)


def without_axes(tensor: Tensor, axes: Container[str]) -> Tensor:
    """The tensor that stands still where these axes move."""
    return with_fields(tensor, strides=tuple(s for s in tensor.strides if s[0] not in axes))


def joined(nest: Nest) -> Nest:
    """The nest without axes of one index, and with neighbours made one where all tensors move
    through both as through one: where the outer one's step is the whole of the inner one.

    It computes the same, in the same order.
    """
    if any(map(_is_looked_up, (*nest.forms[0], *nest.forms[1]))):
        return nest
    kept: list[tuple[str, int]] = []
    gone = _idle(nest)
    for axis, extent in nest.axes:
        if axis in gone:
            continue
        whole = extent
        if kept and _is_one(nest, kept[-1][0], (axis, extent)):
            outer, turns = kept.pop()
            gone.add(outer)
            whole *= turns
        kept.append((axis, whole))
    if not gone:
        return nest

    reduce = tuple(axis for axis in nest.reduce if axis not in gone)
    return with_tensors(nest, lambda t: without_axes(t, gone), axes=tuple(kept), reduce=reduce)


def _is_looked_up(form: Tensor | Index) -> bool:
    """Whether more than its strides says where a form is."""
    return isinstance(form, Index) or form.rows is not None or bool(form.shift)


def _idle(nest: Nest) -> set[str]:
    """Axes of one index, without those that a nest must keep: some of each kind."""
    idle = {axis for axis, extent in nest.axes if extent == 1 and axis not in nest.rounds}
    for kind in (nest.outputs, nest.reduce):
        if idle >= {*kind}:
            idle -= {*kind[-1:]}
    return idle


def _is_one(nest: Nest, outer: str, inner: tuple[str, int]) -> bool:
    """Whether two neighbours are passed through as one."""
    axis, extent = inner
    if (outer in nest.reduce) != (axis in nest.reduce) or {outer, axis} & {*nest.rounds}:
        return False
    return all(t.stride(outer) == extent * t.stride(axis) for t in nest.tensors())


def _rebuilt(expression: Expression, changed: Callable[[Expression], Expression]) -> Expression:
    """The expression with its parts changed; itself if none is."""
    fresh = {
        name: new
        for name in child_names(expression)
        if (new := changed(value := getattr(expression, name))) is not value
    }
    return with_fields(expression, **fresh) if fresh else expression
