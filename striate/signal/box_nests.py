"""The loop nests of box filters, whose weights are all equal: sums of sums instead of products.

Two ways to sum n neighbours.  Along columns a running sum is carried down the rows: what comes in
is added, what goes out subtracted.  Along either axis, sums by doubling: two sums of m neighbours,
the second beginning m further on, are one of 2m, so that n take about log2 n additions.

Axes as in `striate.signal.nests`.  Buffers: "sums", the sums so far; "single", the elements
themselves; "ahead", the rows that come into a running sum, while "source" has those that go out.
"""

from __future__ import annotations

from striate.nest import algebra as a
from striate.nest.algebra import Element, Expression, Nest, Store, Tensor, strides_of
from striate.signal.nests import Epilogue


def add_shifted(rows: int, width: int, pitch: int, source: str, added: str, ahead: int) -> Nest:
    """One addition of a box filter, longer sums from shorter ones ("sums") or elements ("single"):

    for y, x:
        sums[y, x] = source[y, x] + added[y, x + ahead]

    Where sums are added to themselves, those ahead are read before they are written.
    """
    strides = strides_of({"y": pitch, "x": 1})
    longer = Tensor(source, strides) + Tensor(added, strides, ahead)
    return Nest((("y", rows), ("x", width)), (Store(Tensor("sums", strides), longer),))


def last_addition(
    rows: int,
    width: int,
    pitch: int,
    source: str,
    added: str,
    ahead: int,
    mean: bool,
    epilogue: Epilogue,
) -> Nest:
    """The last addition of a box filter:

    for y, x:
        out[row y][x] = (source[y, x] + added[y, x + ahead]) · weights[0]      (or / weights[0])
    """
    strides = strides_of({"y": pitch, "x": 1})
    total = Tensor(source, strides) + Tensor(added, strides, ahead)
    return Nest((("y", rows), ("x", width)), (_store_weighted(total, mean, epilogue),))


def _store_weighted(total: Expression, mean: bool, epilogue: Epilogue) -> Store:
    """A finished sum times the weight, or for a mean divided by it."""
    out = Tensor("out", strides_of({"x": 1}), 0, epilogue.element, strides_of({"y": 1}))
    weight = Tensor("weights", ())
    return epilogue.store(out, total / weight if mean else total * weight)


def zero_sums(width: int) -> Nest:
    """Sums of nothing."""
    return Nest((("x", width),), (Store(Tensor("sums", strides_of({"x": 1})), a.Constant(0.0)),))


def first_sums(width: int, rows: int, element: Element) -> Nest:
    """What the first rows add to running sums, some rows u at once:

    for b, x:
        sums[x] += Σ_u source[row b · U + u][x]
    """
    few = max(n for n in range(1, 9) if rows % n == 0)
    sums = Tensor("sums", strides_of({"x": 1}))
    source = Tensor("source", sums.strides, 0, element, strides_of({"b": few, "u": 1}))
    axes = (("b", rows // few), ("x", width), ("u", few))
    return Nest(axes, (Store(sums, a.Accumulator()),), (source,), ("u",), "sum", (sums,))


def running_sums(rows: int, width: int, mean: bool, element: Element, epilogue: Epilogue) -> Nest:
    """Running sums down the columns: the row that comes in is "ahead" of that which goes out.

    for y, x:
        total = sums[x] + ahead[row y][x]
        out[row y][x] = total · weights[0]      (or / weights[0])
        sums[x] = total - source[row y][x]
    """
    sums = Tensor("sums", strides_of({"x": 1}))
    coming, going = (
        Tensor(name, sums.strides, 0, element, strides_of({"y": 1})) for name in ("ahead", "source")
    )
    total = sums + coming
    stores = (_store_weighted(total, mean, epilogue), Store(sums, total - going))
    return Nest((("y", rows), ("x", width)), stores)
