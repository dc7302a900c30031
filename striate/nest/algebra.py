"""The algebra of loop nests: what is computed, and nothing about how.

A nest runs over named axes.  At every point it evaluates one or more terms, reduces them over
some of the axes, and stores expressions of the results:

    for every point of the output axes:
        accumulator = initial
        for every point of the reduced axes:
            accumulator = reduction(accumulator, term)
        store(expression of the accumulators)

A tensor is a buffer with a linear form: the address of an element is
``offset + sum(stride[axis] * axis)``, in elements.  That one rule expresses strides, padding
(a negative offset into a halo of zeros), dilation, groups, flipped filters and transposes, so
a convolution, both of its gradients, a dense layer, pooling and an optimiser are all nests.

Everything here is immutable and its ``repr`` is complete: it is the key of the code cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Literal

from striate.common.cached_property import cached_property

Reduction = Literal["none", "sum", "max", "argmax"]
Element = Literal[
    "real", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bf16", "pair"
]
Strides = tuple[tuple[str, int], ...]
COUNTS = "counts"
"""The buffer of extents that are known at run time only, 64-bit words: see `Nest.counted`."""
Matrix = tuple[tuple[Fraction, ...], ...]


def strides_of(form: Mapping[str, int]) -> Strides:
    """A linear form without its zero terms, in a canonical order."""
    return tuple(sorted((axis, stride) for axis, stride in form.items() if stride))


class Expression:
    """A value at one point of a nest.  Arithmetic on expressions builds larger ones."""

    def __add__(self, other: Expression | float) -> Expression:
        return Binary("add", self, as_expression(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Binary("sub", self, as_expression(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Binary("mul", self, as_expression(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Binary("div", self, as_expression(other))

    def children(self) -> Iterator[Expression]:
        """The expressions that this one is made of."""
        return (getattr(self, name) for name in child_names(self))


_CHILDREN: dict[type[Expression], tuple[str, ...]] = {}


def child_names(expression: Expression) -> tuple[str, ...]:
    """The fields of its class that hold expressions: finding them each time would be most of the
    work.
    """
    kind = type(expression)
    if kind not in _CHILDREN:
        names = (field.name for field in fields(expression))  # type: ignore[arg-type]
        _CHILDREN[kind] = tuple(n for n in names if isinstance(getattr(expression, n), Expression))
    return _CHILDREN[kind]


def as_expression(value: Expression | float) -> Expression:
    """Numbers become constants."""
    return value if isinstance(value, Expression) else Constant(float(value))


@dataclass(frozen=True)
class Tensor(Expression):
    """A buffer read or written through a linear form.  As an expression: the element read.

    "real" elements have the kernel's own type; others become it when they are read, and are made
    from it when written, as C converts numbers.  "bf16", the upper half of an "f32", is only read.
    A "pair" of bfloat16 numbers is never one number: only `Pair` makes one and only `PairProduct`
    reads it.

    With `rows` the buffer is a table of addresses: that linear form says which of them is where
    offset and strides count from.  So rows may lie anywhere, in any order, and repeatedly.

    With `shift` the numbers found in other tensors, of whole numbers, are added to the offset: a
    table of what lies where.  Such a tensor is only read, and whoever fills the table must see to
    it that nothing outside the buffer is.
    """

    buffer: str
    strides: Strides
    offset: int = 0
    element: Element = "real"
    rows: Strides | None = None
    shift: tuple[Tensor, ...] = ()

    def children(self) -> Iterator[Expression]:
        """The tables that say where it lies."""
        return iter(self.shift)

    def stride(self, axis: str) -> int:
        """Elements from one index of `axis` to the next; 0 where it does not depend on it."""
        return dict(self.strides).get(axis, 0)

    def is_looked_up(self, axis: str) -> bool:
        """Whether tables say where it lies along `axis`, so that no stride can."""
        return axis in dict(self.rows or ()) or any(
            table.stride(axis) or table.is_looked_up(axis) for table in self.shift
        )


@dataclass(frozen=True)
class Constant(Expression):
    """The same number everywhere."""

    value: float


@dataclass(frozen=True)
class Accumulator(Expression):
    """The reduced value of term `number`; of an argmax, 0 is the maximum and 1 its order."""

    number: int = 0


@dataclass(frozen=True)
class Binary(Expression):
    """An operation on two values."""

    operation: Literal["add", "sub", "mul", "div", "max", "min"]
    left: Expression
    right: Expression


@dataclass(frozen=True)
class MultiplyAdd(Expression):
    """left * right + addend, rounded once where the processor can."""

    left: Expression
    right: Expression
    addend: Expression


@dataclass(frozen=True)
class Pair(Expression):
    """Two numbers of 32 bits rounded to bfloat16 (to nearest, of two to the even one), side by side
    in 32 bits.  NaN stays NaN; denormals may become zero.
    """

    first: Expression
    second: Expression


@dataclass(frozen=True)
class PairProduct(Expression):
    """The sum of the products of the numbers of two pairs.

    As a term of a sum: the product of the second numbers is added, then that of the first, each
    exact and each sum rounded to 32 bits.  Denormals may become zero.
    """

    left: Tensor
    right: Tensor


@dataclass(frozen=True)
class Unary(Expression):
    """A function of one value."""

    operation: Literal["exp", "expm1", "log", "sqrt", "rint", "mills"]
    operand: Expression


@dataclass(frozen=True)
class Where(Expression):
    """`then` where `left` compares true with `right`, else `otherwise`."""

    comparison: Literal[">", "=="]
    left: Expression
    right: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class Index(Expression):
    """The value of a linear form of the axes themselves, as a number."""

    strides: Strides
    offset: int = 0


@dataclass(frozen=True)
class Keep(Expression):
    """1 where hashed bits of (key, index, salt) reach `threshold`, else 0: see `hashing`."""

    key: Tensor
    index: Index
    salt: int
    threshold: int


@dataclass(frozen=True)
class Transformed(Expression):
    """Element (i, j) of ``left @ x @ right.T``, where x[p, q] is the operand: the axes i, j, p and
    q are those of the nest's `grid`.
    """

    left: Matrix
    right: Matrix
    operand: Expression


@dataclass(frozen=True)
class Store(Expression):
    """Write `value` to `target`; `streaming` past the caches, which wants whole aligned vectors."""

    target: Tensor
    value: Expression
    streaming: bool = False


@dataclass(frozen=True)
class Nest:
    """A loop nest.

    Args:
        axes: (name, extent) pairs.  Their order is the order of the loops, outermost first, as far
            as a schedule says nothing else; reduced axes run inside the others.
        stores: what is written at each point of the axes that are not reduced.
        terms: what is reduced; without a reduction, none.
        reduce: the names of the reduced axes.
        reduction: "sum", "max", or "argmax" (one term; also yields the first index of the maximum,
            which is `order`).
        initial: what the accumulators start from; default the neutral element.
        order: for "argmax": the number given to each point of the reduced axes, rising in loop
            order.
        grid: axes that are no loops: all is written out for each of their indices.  See `grid_of`.
        counted: axes whose extent is known at run time only, and then stands in the buffer
            `COUNTS`, in this order; what `axes` say of them is the least that it may be.
        rounds: reduced axes that do not run inside all others, but where they stand among `axes`,
            so that what one of their indices reads stays in the cache.  Sums are stored after each,
            and go on from what is stored; they start from `initial` in the first, and only after
            the last is it the stores' values that are stored, unless the nest `goes_on` anyway.
    """

    axes: tuple[tuple[str, int], ...]
    stores: tuple[Store, ...]
    terms: tuple[Expression, ...] = ()
    reduce: tuple[str, ...] = ()
    reduction: Reduction = "none"
    initial: tuple[Expression, ...] = ()
    order: Index | None = None
    rounds: tuple[str, ...] = ()
    grid: tuple[tuple[str, int], ...] = ()
    counted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        every, extents = self.axes + self.grid, self._extents
        if len(extents) != len(every):
            raise ValueError(f"axis named twice: {[name for name, _ in every]}")
        if empty := [name for name, extent in every if extent < 1]:
            raise ValueError(f"axes without extent: {empty}")
        inside, outside = self.forms
        used = {axis for form in (*inside, *outside) for axis, _ in moving_along(form)}
        if unknown := (used | set(self.reduce)) - set(extents):
            raise ValueError(f"unknown axes {sorted(unknown)}; the nest has {sorted(extents)}")
        for form in outside if self.reduce else ():
            if moving := {axis for axis, _ in moving_along(form)} & set(self.reduce):
                raise ValueError(f"{form} is outside the reduction but moves along {moving}")
        if (self.reduction == "none") != (not self.terms):
            raise ValueError("terms and a reduction go together")
        if self.reduction in ("max", "argmax") and len(self.terms) != 1:
            raise ValueError(f"{self.reduction} reduces one term, not {len(self.terms)}")
        if (self.reduction == "argmax") != (self.order is not None):
            raise ValueError("an argmax, and only that, numbers what it reduces: give `order`")
        if self.rounds and not (self.goes_on or self._can_keep_sums):
            raise ValueError("rounds need a store for each sum, where it is kept in between")
        if not set(self.rounds) <= set(self.reduce):
            raise ValueError(f"rounds {self.rounds} are not among the reduced axes {self.reduce}")
        if self.reduction != "sum" and self.initial:
            raise ValueError(f"{self.reduction} starts from nothing: only sums have `initial`")
        if self.grid and self.reduction != "none":
            raise ValueError("a nest with a grid reduces nothing")
        if halves := [s.target.buffer for s in self.stores if s.target.element == "bf16"]:
            raise ValueError(f"bf16 numbers are only read, but stored in {halves}")
        if not set(self.counted) <= set(extents) - set(self.rounds):
            raise ValueError(f"counted axes {self.counted} are not among {sorted(extents)}")

    def extent(self, axis: str) -> int:
        """How many indices `axis` has."""
        return self._extents[axis]

    @cached_property
    def _extents(self) -> dict[str, int]:
        return dict(self.axes + self.grid)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The axes that are not reduced, outermost first."""
        return tuple(name for name, _ in self.axes if name not in self.reduce)

    @property
    def around(self) -> tuple[str, ...]:
        """The axes of the loops around the sums of one tile, outermost first: those that are not
        reduced, and rounds.
        """
        inside = {*self.reduce} - {*self.rounds}
        return tuple(name for name, _ in self.axes if name not in inside)

    def expressions(self) -> tuple[Expression, ...]:
        """All expressions of the nest, the order included."""
        order = (self.order,) if self.order is not None else ()
        return (*self.terms, *self.initial, *order, *self.stores)

    def tensors(self) -> tuple[Tensor, ...]:
        """Every distinct tensor read or written, in order of appearance."""
        return self._tensors

    @cached_property
    def _tensors(self) -> tuple[Tensor, ...]:
        inside, outside = self.forms
        return tuple(dict.fromkeys(f for f in (*inside, *outside) if isinstance(f, Tensor)))

    @cached_property
    def forms(self) -> tuple[list[Tensor | Index], list[Tensor | Index]]:
        """The linear forms inside the reduction, and those outside; those of a shared expression
        once.
        """
        order = () if self.order is None else (self.order,)
        return _forms_of((*self.terms, *order)), _forms_of((*self.initial, *self.stores))

    @cached_property
    def goes_on(self) -> bool:
        """Whether sums start from what they are stored in."""
        kept = tuple(store.target for store in self.stores)
        plain = tuple(Accumulator(i) for i in range(len(self.terms)))
        values = tuple(store.value for store in self.stores)
        return bool(self.initial) and self.initial == kept and values == plain

    @property
    def _can_keep_sums(self) -> bool:
        """Whether each sum has a place of its own, in the nest's own numbers, that no term reads,
        nor what is stored in the end.
        """
        targets = {store.target for store in self.stores}
        values = (*self.terms, *(store.value for store in self.stores))
        read = {form.buffer for form in _forms_of(values) if isinstance(form, Tensor)}
        return (
            self.reduction == "sum"
            and len(targets) == len(self.stores) == len(self.terms)
            and all(target.element == "real" for target in targets)
            and not any(store.streaming for store in self.stores)
            and read.isdisjoint(target.buffer for target in targets)
        )

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The buffers that are read."""
        values = (*self.terms, *self.initial, *(store.value for store in self.stores))
        return frozenset(form.buffer for form in _forms_of(values) if isinstance(form, Tensor))

    @cached_property
    def read(self) -> tuple[Tensor, ...]:
        """The distinct tensors that the terms read."""
        return tuple(dict.fromkeys(form for form in self.forms[0] if isinstance(form, Tensor)))

    @cached_property
    def buffers(self) -> tuple[str, ...]:
        """The buffers, in the order in which the compiled kernel takes their pointers."""
        names = dict.fromkeys(tensor.buffer for tensor in self.tensors())
        return (*names, COUNTS) if self.counted else tuple(names)

    @cached_property
    def may_repeat(self) -> bool:
        """Whether a point that is computed twice leaves what it leaves once."""
        return self.inputs.isdisjoint(store.target.buffer for store in self.stores)

    def reach(self, tensor: Tensor) -> tuple[int, int]:
        """The least and the largest element of its buffer that a tensor touches."""
        ends = [stride * (self._extents[axis] - 1) for axis, stride in tensor.strides]
        low = tensor.offset + sum(min(end, 0) for end in ends)
        return low, tensor.offset + sum(max(end, 0) for end in ends)

    @property
    def multiply_adds(self) -> int:
        """Points of the whole nest times its terms."""
        return math.prod(extent for _, extent in self.axes) * max(len(self.terms), 1)


def forms_in(expression: Expression) -> Iterator[Tensor | Index]:
    """The linear forms inside an expression, depth first."""
    if isinstance(expression, Tensor | Index):
        yield expression
    for child in expression.children():
        yield from forms_in(child)


def _forms_of(expressions: Iterable[Expression]) -> list[Tensor | Index]:
    """`forms_in`, without expressions that were seen already: the same object, met again."""
    seen: set[int] = set()
    found: list[Tensor | Index] = []

    def visit(expression: Expression) -> None:
        if id(expression) in seen:
            return
        seen.add(id(expression))
        if isinstance(expression, Tensor):
            found.append(expression)
            for table in expression.shift:
                visit(table)
        elif isinstance(expression, Index):
            found.append(expression)
        else:
            for name in child_names(expression):
                visit(getattr(expression, name))

    for expression in expressions:
        visit(expression)
    return found


def moving_along(form: Tensor | Index) -> Strides:
    """All (axis, stride) pairs of a form, those of a table of rows included."""
    return form.strides + ((form.rows or ()) if isinstance(form, Tensor) else ())


def tensors_in(expression: Expression) -> Iterator[Tensor]:
    """The tensors inside an expression, depth first."""
    return (form for form in forms_in(expression) if isinstance(form, Tensor))


def product(left: Tensor, right: Tensor) -> Expression:
    """The product of two elements: of two numbers, or of two pairs."""
    return PairProduct(left, right) if left.element == "pair" else left * right
