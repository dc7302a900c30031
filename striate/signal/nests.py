"""The loop nests of correlation: copy a block with its border, then sum products of taps.

Most algorithms gather a block into a scratch buffer, borders included, and sweep it from there;
lanes of a vector are neighbouring columns.  How each nest is scheduled is chosen by its caller,
from `striate.signal.nest_schedules`.

The axes of all nests in this room:

- ``z``, ``y``, ``x``: planes, rows and columns of a block, of the output where both differ
- ``c``: channels of a pixel
- ``q``, ``r``, ``s``: the taps of the kernel along z, y and x
- ``p``: the phase of a stride along x (see `Blocks`); in `long_row` the tap within a vector of taps
- ``j``: the terms of a kernel of low rank
- ``b``, ``u``: blocks and runs, where a row or a sum of rows is cut into such
- ``k``: the frequency, in rows of a transformed block

The buffers: "source" and "out", through tables of the addresses of rows; "scratch", where a block
is gathered; "weights"; others are named where they occur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from striate.nest import algebra as a
from striate.nest.algebra import Binary, Element, Expression, Nest, Store, Tensor, strides_of
from striate.nest.elementary import maximum, minimum, rint
from striate.signal.request import Order

CHECKED = 8
"""Rows that `finite_check` sums up apart."""


@dataclass(frozen=True)
class Epilogue:
    """What is done to a finished sum before it is stored in the output.

    Attributes:
        element: how the numbers of the output are stored.
        clip: round to the nearest whole number and clip to this range first.
        streaming: write past the caches (non-temporal stores): the output is large, and its rows
            begin whole vectors.
    """

    element: Element = "real"
    clip: tuple[float, float] | None = None
    streaming: bool = False

    def store(self, target: Tensor, value: Expression) -> Store:
        """Write `value` to the output."""
        if self.clip is not None:
            low, high = self.clip
            value = maximum(minimum(rint(value), high), low)
        return Store(target, value, self.streaming)


@dataclass(frozen=True)
class BlockStrides:
    """Where the numbers of a block lie that a nest reads.

    Attributes:
        row, plane, phase, term: numbers from one row, plane, phase or term to the next.
        inside: the block is read where it is, in the source itself; otherwise in the scratch
            buffer. Without `row` a table has the address of each of its rows, else of the first.
    """

    row: int
    plane: int = 0
    phase: int = 0
    term: int = 0
    inside: bool = False

    def tensor(
        self, planes: dict[str, int], rows: dict[str, int], columns: dict[str, int]
    ) -> Tensor:
        """The numbers of the block, by linear forms of plane, row and column."""
        if self.inside and not self.row:
            return Tensor("source", strides_of(columns), rows=strides_of(rows))
        form = {axis: step * self.plane for axis, step in planes.items()}
        form |= {axis: step * self.row for axis, step in rows.items()}
        form |= {**columns, "p": self.phase, "j": self.term}
        if self.inside:
            return Tensor("source", strides_of(form), rows=())
        return Tensor("scratch", strides_of(form))


def gather(rows: int, columns: int, step: int, channels: int, pitch: int, source: Element) -> Nest:
    """Rows of the source, through a table of their addresses, into the scratch buffer:

    for y, x, c:
        scratch[y · pitch + x · channels + c] = source[row y][x · step · channels + c]

    Channels of a pixel stay together.  A step of 0 repeats one pixel, -1 runs backwards.
    """
    axes = [("y", rows), ("x", columns), ("c", channels)]
    stride = step * channels
    if step == 1:
        axes, stride, channels = [("y", rows), ("x", columns * channels)], 1, 1
    elif channels == 1:
        axes.pop()
    here = Tensor("scratch", strides_of({"y": pitch, "x": channels, "c": 1}))
    there = Tensor("source", strides_of({"x": stride, "c": 1}), 0, source, strides_of({"y": 1}))
    if len(axes) == 2:
        here = Tensor("scratch", strides_of({"y": pitch, "x": channels}))
        there = Tensor("source", strides_of({"x": stride}), 0, source, strides_of({"y": 1}))
    return Nest(tuple(axes), (Store(here, there),))


def direct(
    size: tuple[int, int, int],
    taps: tuple[int, int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int, int],
    source: BlockStrides,
    phases: int,
    epilogue: Epilogue,
    terms: int = 1,
) -> Nest:
    """The sum itself, from the rows of a block to the rows of the output:

    for z, y, x:
        sum = 0
        for j, q, s, p, r:
            sum += source[j, z · stride_z + q · dilation_z, y · stride_y + r · dilation_y, p,
                          x + s · dilation_x] · weights[j, q, r, s, p]
        out[row z · Y + y][x] = sum

    Args:
        size: planes, rows and columns (numbers) of the block.
        taps: along z, y and x.
        stride: of the output, along z and y.  That along x is in the phases: column x of phase p
            is element ``x · phases + p`` of the input.
        dilation: from tap to tap, in planes, rows and numbers.
        source: where the block lies.
        phases: the stride along x.
        epilogue: what is done to each sum.
        terms: how many scratch buffers, one behind the other, are summed up.
    """
    (planes, rows, columns), (depth, height, width) = size, taps
    numbers = source.tensor(
        {"z": stride[0], "q": dilation[0]},
        {"y": stride[1], "r": dilation[1]},
        {"x": 1, "s": dilation[2]},
    )
    each = depth * height * width * phases
    weight = Tensor(
        "weights",
        strides_of(
            {
                "j": each,
                "q": height * width * phases,
                "r": width * phases,
                "s": phases,
                "p": 1,
            }
        ),
    )
    table = strides_of({"z": rows, "y": 1})
    out = Tensor("out", strides_of({"x": 1}), 0, epilogue.element, table)
    extents = {"z": planes, "y": rows, "x": columns}
    reduced = {"j": terms, "q": depth, "s": width, "p": phases, "r": height}
    return _nest(extents, reduced, numbers * weight, epilogue.store(out, a.Accumulator()))


def in_order(
    size: tuple[int, int, int],
    taps: tuple[int, int, int],
    dilation: tuple[int, int, int],
    source: BlockStrides,
    order: Order,
    epilogue: Epilogue,
) -> Nest:
    """`direct` in one of the orders of `Request`; i stands for q, r and s:

    for z, y, x:
        sum = 0                        or the product of tap m
        for i:                         or from 0 to m - 1:
            sum += source[x + i] · weights[i]
                                       or (source[x + i] ± source[x + n - 1 - i]) · weights[i]
        out[row z · Y + y][x] = sum

    For "line", m is the last of n taps, for pairs that in the centre.
    """
    numbers = source.tensor(
        {"z": 1, "q": dilation[0]}, {"y": 1, "r": dilation[1]}, {"x": 1, "s": dilation[2]}
    )
    steps = {"q": taps[1] * taps[2], "r": taps[2], "s": 1}
    weight = Tensor("weights", strides_of(steps))
    table = strides_of({"z": size[1], "y": 1})
    out = Tensor("out", strides_of({"x": 1}), 0, epilogue.element, table)
    extents = dict(zip("zyx", size, strict=True))
    reduced = dict(zip("qrs", taps, strict=True))
    store = epilogue.store(out, a.Accumulator())
    count = math.prod(taps)
    if order == "rows" or count == 1:
        return _nest(extents, reduced, numbers * weight, store)
    along = max(reduced, key=reduced.__getitem__)
    first = count - 1 if order == "line" else count // 2

    def at(tensor: Tensor, tap: int, direction: int) -> Tensor:
        """What a tap further on reads, or further backwards from there."""
        step = tensor.stride(along)
        form = dict(tensor.strides) | {along: direction * step}
        return replace(tensor, strides=strides_of(form), offset=tensor.offset + tap * step)

    value: Expression = numbers
    if order == "sums":
        value = numbers + at(numbers, count - 1, -1)
    elif order == "differences":
        value = numbers - at(numbers, count - 1, -1)
    start = at(numbers, first, 0) * at(weight, first, 0)
    return _nest(extents, {along: first}, value * weight, store, start)


def long_row(width: int, taps: int, runs: int, lanes: int, epilogue: Epilogue) -> Nest:
    """The sum itself along one long row, for a kernel of ``taps`` vectors:

    for b, u, x:                                (``runs`` vectors u in each of the blocks b)
        sum = 0
        for p, q:                               (tap q · lanes + p)
            sum += scratch[b, u + q, x + p] · weights[q, p]
        out[row 0][b, u, x] = sum

    For each p, vectors that begin p numbers later serve all u and q: ``runs + taps - 1`` are
    loaded, across cache lines, for ``runs · taps`` multiply-adds.
    """
    block = runs * lanes
    numbers = Tensor("scratch", strides_of({"b": block, "u": lanes, "x": 1, "p": 1, "q": lanes}))
    weight = Tensor("weights", strides_of({"q": lanes, "p": 1}))
    out = Tensor("out", strides_of({"b": block, "u": lanes, "x": 1}), 0, epilogue.element, ())
    axes = (("b", width // block), ("u", runs), ("x", lanes), ("p", lanes), ("q", taps))
    store = epilogue.store(out, a.Accumulator())
    return Nest(axes, (store,), (numbers * weight,), ("p", "q"), "sum")


def vertical_pass(
    rows: int,
    width: int,
    taps: int,
    stride: int,
    dilation: int,
    source: BlockStrides,
    terms: int,
    pitch: int,
    apart: int,
) -> Nest:
    """The vertical half of separable kernels, one for each term, whose results lie `apart`:

    for j, y, x:
        middle[j, y, x] = Σ_r source[y · stride + r · dilation, x] · weights[j, r]
    """
    numbers = source.tensor({}, {"y": stride, "r": dilation}, {"x": 1})
    weight = Tensor("weights", strides_of({"j": taps, "r": 1}))
    target = Tensor("middle", strides_of({"j": apart, "y": pitch, "x": 1}))
    extents = {"j": terms, "y": rows, "x": width}
    return _nest(extents, {"r": taps}, numbers * weight, Store(target, a.Accumulator()))


def copy_out(rows: int, width: int, pitch: int, parts: int, apart: int, epilogue: Epilogue) -> Nest:
    """Rows to the output as they are, from `parts` runs of rows that lie `apart`:

    for p, y, x:
        out[row p · rows + y][x] = source[p, y, x]
    """
    source = Tensor("source", strides_of({"p": apart, "y": pitch, "x": 1}))
    table = strides_of({"p": rows, "y": 1})
    out = Tensor("out", strides_of({"x": 1}), 0, epilogue.element, table)
    return Nest((("p", parts), ("y", rows), ("x", width)), (epilogue.store(out, source),))


def finite_check(rows: int, width: int, pitch: int) -> Nest:
    """Some numbers that are 0 if all of a scratch buffer is finite, and NaN otherwise: one, or of
    `CHECKED` rows, or a multiple, as many.

    for u:
        flags[u] = Σ_y,x scratch[U y + u, x] · 0
    """
    every = CHECKED if rows % CHECKED == 0 else 1
    numbers = Tensor("scratch", strides_of({"y": every * pitch, "u": pitch, "x": 1}))
    flags = Tensor("flags", strides_of({"u": 1}))
    axes = (("u", every), ("y", rows // every), ("x", width))
    store = Store(flags, a.Accumulator())
    return Nest(axes, (store,), (numbers * 0.0,), ("y", "x"), "sum")


def _nest(
    extents: dict[str, int],
    reduced: dict[str, int],
    term: Expression,
    store: Store,
    start: Expression | None = None,
) -> Nest:
    """The nest of a sum of products, without the axes of one element."""
    kept = {
        axis: extent for axis, extent in (extents | reduced).items() if extent > 1 or axis == "x"
    }

    def cut(expression: Expression) -> Expression:
        if isinstance(expression, Binary):
            return replace(expression, left=cut(expression.left), right=cut(expression.right))
        return cut_tensor(expression) if isinstance(expression, Tensor) else expression

    def cut_tensor(tensor: Tensor) -> Tensor:
        strides = tuple(pair for pair in tensor.strides if pair[0] in kept)
        rows = tensor.rows
        if rows is not None:
            rows = tuple(pair for pair in rows if pair[0] in kept)
        return replace(tensor, strides=strides, rows=rows)

    reduce = tuple(axis for axis in reduced if axis in kept)
    store = replace(store, target=cut_tensor(store.target))
    initial = () if start is None else (cut(start),)
    if not reduce:
        kept["s"], reduce = 1, ("s",)
    return Nest(tuple(kept.items()), (store,), (cut(term),), reduce, "sum", initial)
