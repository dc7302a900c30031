"""The loop nests of array convolution, each beside the schedule that runs it.

Work is done in blocks: some rows by some columns (and planes) of the output.  A block is gathered
into a scratch buffer, borders included, then swept from there.  Lanes are neighbouring columns.

Axes: ``z`` planes, ``y`` rows, ``x`` columns of the block; ``q``, ``r``, ``s`` the taps along
them; ``p`` the phase of a stride along x; ``j`` the terms of a kernel of low rank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from striate.nest import algebra as a
from striate.nest.algebra import Binary, Element, Expression, Nest, Store, Tensor, strides_of
from striate.nest.ir import BYTES, Number
from striate.nest.schedule import Schedule
from striate.nest.target import Target
from striate.signal.request import Order


@dataclass(frozen=True)
class NestStage:
    """A nest and how it is run."""

    nest: Nest
    schedule: Schedule


@dataclass(frozen=True)
class Finish:
    """What becomes of a finished sum.

    Attributes
    ----------
    element
        The storage type of the output.
    clip
        Round to the nearest whole number and clip to this range first.
    streaming
        Write past the caches: the output is large, and its rows are aligned.
    """

    element: Element = "real"
    clip: tuple[float, float] | None = None
    streaming: bool = False

    def store(self, target: Tensor, value: Expression) -> Store:
        """Write `value` to the output."""
        if self.clip is not None:
            low, high = self.clip
            value = a.maximum(a.minimum(a.rint(value), high), low)
        return Store(target, value, self.streaming)


@dataclass(frozen=True)
class Rows:
    """Where the rows of a block are: numbers from one row, plane, phase, term to the next.

    In a scratch buffer, or with `inside` in the source itself, where a table of one entry has the
    address of the block.
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
        form = {axis: step * self.plane for axis, step in planes.items()}
        form |= {axis: step * self.row for axis, step in rows.items()}
        form |= {**columns, "p": self.phase, "j": self.term}
        if self.inside:
            return Tensor("source", strides_of(form), rows=())
        return Tensor("scratch", strides_of(form))


def gather(
    rows: int, columns: int, step: int, channels: int, pitch: int, offset: int, source: Element
) -> Nest:
    """Rows of the source, through a table of their addresses, into the scratch buffer:

    for y, x, c:
        scratch[y · pitch + offset + x · channels + c] = source[row y][x · step · channels + c]

    Channels of a pixel stay together.  A step of 0 repeats one pixel, -1 runs backwards.
    """
    axes = [("y", rows), ("x", columns), ("c", channels)]
    stride = step * channels
    if step == 1:
        axes, stride, channels = [("y", rows), ("x", columns * channels)], 1, 1
    elif channels == 1:
        axes.pop()
    here = Tensor("scratch", strides_of({"y": pitch, "x": channels, "c": 1}), offset)
    there = Tensor("source", strides_of({"x": stride, "c": 1}), 0, source, strides_of({"y": 1}))
    if len(axes) == 2:
        here = Tensor("scratch", strides_of({"y": pitch, "x": channels}), offset)
        there = Tensor("source", strides_of({"x": stride}), 0, source, strides_of({"y": 1}))
    return Nest(tuple(axes), (Store(here, there),))


def copying(nest: Nest, target: Target, element: Number) -> NestStage:
    """Gathering runs as it is written; lanes are columns."""
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element])))


def direct(
    size: tuple[int, int, int],
    taps: tuple[int, int, int],
    stride: tuple[int, int],
    spread: tuple[int, int, int],
    source: Rows,
    phases: int,
    finish: Finish,
    terms: int = 1,
) -> Nest:
    """The sum itself, from the rows of a block to the rows of the output:

    for z, y, x:
        sum = 0
        for j, q, s, p, r:
            sum += source[j, z · stride_z + q · spread_z, y · stride_y + r · spread_y, p,
                          x + s · spread_x] · weights[j, q, r, s, p]
        out[row z · Y + y][x] = sum

    Parameters
    ----------
    size
        Planes, rows and columns of the block.
    taps
        Along z, y and x.
    stride
        Of the output, along z and y.  That along x is in the phases: column x of phase p is
        element ``x · phases + p`` of the input.
    spread
        From tap to tap, in planes, rows and columns.
    terms
        How many scratch buffers, one behind the other, are summed up.
    """
    (planes, rows, columns), (depth, height, width) = size, taps
    numbers = source.tensor(
        {"z": stride[0], "q": spread[0]},
        {"y": stride[1], "r": spread[1]},
        {"x": 1, "s": spread[2]},
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
    out = Tensor("out", strides_of({"x": 1}), 0, finish.element, table)
    extents = {"z": planes, "y": rows, "x": columns}
    reduced = {"j": terms, "q": depth, "s": width, "p": phases, "r": height}
    return _nest(extents, reduced, numbers * weight, finish.store(out, a.Accumulator()))


def in_order(
    size: tuple[int, int, int],
    taps: tuple[int, int, int],
    spread: tuple[int, int, int],
    source: Rows,
    order: Order,
    finish: Finish,
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
        {"z": 1, "q": spread[0]}, {"y": 1, "r": spread[1]}, {"x": 1, "s": spread[2]}
    )
    steps = {"q": taps[1] * taps[2], "r": taps[2], "s": 1}
    weight = Tensor("weights", strides_of(steps))
    out = Tensor("out", strides_of({"x": 1}), 0, finish.element, strides_of({"z": size[1], "y": 1}))
    extents = dict(zip("zyx", size, strict=True))
    reduced = dict(zip("qrs", taps, strict=True))
    store = finish.store(out, a.Accumulator())
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


def one_row(width: int, taps: int, runs: int, lanes: int, finish: Finish) -> Nest:
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
    out = Tensor("out", strides_of({"b": block, "u": lanes, "x": 1}), 0, finish.element, ())
    axes = (("b", width // block), ("u", runs), ("x", lanes), ("p", lanes), ("q", taps))
    store = finish.store(out, a.Accumulator())
    return Nest(axes, (store,), (numbers * weight,), ("p", "q"), "sum")


def columns(
    rows: int, width: int, taps: int, stride: int, spread: int, source: Rows, terms: int, pitch: int
) -> Nest:
    """The vertical half of separable kernels, one for each term:

    for j, y, x:
        middle[j, y, x] = Σ_r source[y · stride + r · spread, x] · weights[j, r]
    """
    numbers = source.tensor({}, {"y": stride, "r": spread}, {"x": 1})
    weight = Tensor("weights", strides_of({"j": taps, "r": 1}))
    target = Tensor("middle", strides_of({"j": rows * pitch, "y": pitch, "x": 1}))
    extents = {"j": terms, "y": rows, "x": width}
    return _nest(extents, {"r": taps}, numbers * weight, Store(target, a.Accumulator()))


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
        return _cut(expression) if isinstance(expression, Tensor) else expression

    def _cut(tensor: Tensor) -> Tensor:
        strides = tuple(pair for pair in tensor.strides if pair[0] in kept)
        rows = tensor.rows
        if rows is not None:
            rows = tuple(pair for pair in rows if pair[0] in kept)
        return replace(tensor, strides=strides, rows=rows)

    reduce = tuple(axis for axis in reduced if axis in kept)
    store = replace(store, target=_cut(store.target))
    initial = () if start is None else (cut(start),)
    if not reduce:
        kept["s"], reduce = 1, ("s",)
    return Nest(tuple(kept.items()), (store,), (cut(term),), reduce, "sum", initial)


def sweeping(nest: Nest, target: Target, element: Number) -> NestStage:
    """A tile of eight rows; taps along y, or all of a small kernel, are written out.

    Eight accumulators are enough for multiply-adds never to wait for each other.  With the taps
    along y written out, ``8 + taps - 1`` vectors are loaded for ``8 · taps`` multiply-adds, where
    any other order loads more.
    """
    extents = dict(nest.axes)
    rows = 8 if target.registers >= 32 else 4
    tile = tuple((axis, min(extents[axis], rows)) for axis in ("y",) if extents.get(axis, 1) > 1)
    points = min(extents.get("y", 1), rows)
    unroll: list[str] = []
    for axis in reversed(nest.reduce):  # r first
        if points * extents[axis] <= _BODY or (
            axis == "r" and not unroll and extents[axis] <= _TALL
        ):
            unroll.append(axis)
            points *= extents[axis]
        else:
            break
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element]), tile, tuple(unroll)))


_BODY = 128  # multiply-adds in one loop body: enough to hide the loop, little to compile
_TALL = 40  # taps along y that are written out even if the body grows beyond that


def along_rows(
    length: int, runs: int, width: int, taps: int, spread: int, pitch: int, target_pitch: int
) -> Nest:
    """Transformed columns times the transformed kernel, summed up along the rows:

    for k, u, x:
        target[k, u, x] = Σ_s rows[k, u, x + s · spread] · weights[k, s]      (complex)

    A row of ``runs · width`` columns is cut into runs, so that several share each weight.
    """
    run = {"u": width, "x": 1}

    def part(buffer: str, own_pitch: int, imaginary: int, *, moving: bool) -> Tensor:
        strides = {"k": own_pitch, "s": spread if moving else 0, **run}
        return Tensor(buffer, strides_of(strides), imaginary * length * own_pitch)

    real, imag = (part("rows", pitch, i, moving=True) for i in (0, 1))
    weight, imag_weight = (
        Tensor("weights", strides_of({"k": 2 * taps, "s": 2}), i) for i in (0, 1)
    )
    terms = (real * weight, imag * imag_weight, real * imag_weight, imag * weight)
    sums = [a.Accumulator(i) for i in range(4)]
    stores = (
        Store(part("target", target_pitch, 0, moving=False), sums[0] - sums[1]),
        Store(part("target", target_pitch, 1, moving=False), sums[2] + sums[3]),
    )
    axes = (("k", length), ("u", runs), ("x", width), ("s", taps))
    return Nest(axes, stores, terms, ("s",), "sum")


def rolling(nest: Nest, target: Target, element: Number) -> NestStage:
    """All vectors of a run at once, for all vectors of taps."""
    tile = (("u", nest.extent("u")),)
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element]), tile, ("q",)))


def sharing(nest: Nest, target: Target, element: Number) -> NestStage:
    """Four runs at once: each weight that is read serves all of them."""
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element]), (("u", RUNS),)))


RUNS = 4


def doubled(rows: int, width: int, pitch: int, source: str, added: str, ahead: int) -> Nest:
    """One addition of a box filter, longer sums from shorter ones ("sums") or elements ("single"):

    for y, x:
        sums[y, x] = source[y, x] + added[y, x + ahead]

    Where sums are added to themselves, those ahead are read before they are written.
    """
    strides = strides_of({"y": pitch, "x": 1})
    longer = Tensor(source, strides) + Tensor(added, strides, ahead)
    return Nest((("y", rows), ("x", width)), (Store(Tensor("sums", strides), longer),))


def boxed(
    rows: int,
    width: int,
    pitch: int,
    source: str,
    added: str,
    ahead: int,
    mean: bool,
    finish: Finish,
) -> Nest:
    """The last addition of a box filter:

    for y, x:
        out[row y][x] = (source[y, x] + added[y, x + ahead]) · weights[0]      (or / weights[0])
    """
    strides = strides_of({"y": pitch, "x": 1})
    total = Tensor(source, strides) + Tensor(added, strides, ahead)
    return Nest((("y", rows), ("x", width)), (_boxed(total, mean, finish),))


def _boxed(total: Expression, mean: bool, finish: Finish) -> Store:
    """A finished sum of a box filter."""
    out = Tensor("out", strides_of({"x": 1}), 0, finish.element, strides_of({"y": 1}))
    weight = Tensor("weights", ())
    return finish.store(out, total / weight if mean else total * weight)


def cleared(width: int) -> Nest:
    """Sums of nothing."""
    return Nest((("x", width),), (Store(Tensor("sums", strides_of({"x": 1})), a.Constant(0.0)),))


def gathered_sums(width: int, rows: int, element: Element) -> Nest:
    """What the first rows add to running sums, some rows u at once:

    for b, x:
        sums[x] += Σ_u source[row b · U + u][x]
    """
    few = max(n for n in range(1, 9) if rows % n == 0)
    sums = Tensor("sums", strides_of({"x": 1}))
    source = Tensor("source", sums.strides, 0, element, strides_of({"b": few, "u": 1}))
    axes = (("b", rows // few), ("x", width), ("u", few))
    return Nest(axes, (Store(sums, a.Accumulator()),), (source,), ("u",), "sum", (sums,))


def running(rows: int, width: int, mean: bool, element: Element, finish: Finish) -> Nest:
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
    stores = (_boxed(total, mean, finish), Store(sums, total - going))
    return Nest((("y", rows), ("x", width)), stores)


def finished(rows: int, width: int, pitch: int, parts: int, apart: int, finish: Finish) -> Nest:
    """Rows to the output as they are, from `parts` runs of rows that lie `apart`:

    for p, y, x:
        out[row p · rows + y][x] = source[p, y, x]
    """
    source = Tensor("source", strides_of({"p": apart, "y": pitch, "x": 1}))
    table = strides_of({"p": rows, "y": 1})
    out = Tensor("out", strides_of({"x": 1}), 0, finish.element, table)
    return Nest((("p", parts), ("y", rows), ("x", width)), (finish.store(out, source),))


def suspicion(rows: int, pitch: int) -> Nest:
    """Eight numbers that are 0 if all of a scratch buffer is finite, and NaN otherwise:

    for u:
        flags[u] = Σ_y,x scratch[8 y + u, x] · 0
    """
    every = math.gcd(rows, 8)
    numbers = Tensor("scratch", strides_of({"y": every * pitch, "u": pitch, "x": 1}))
    flags = Tensor("flags", strides_of({"u": 1}))
    axes = (("u", every), ("y", rows // every), ("x", pitch))
    store = Store(flags, a.Accumulator())
    return Nest(axes, (store,), (numbers * 0.0,), ("y", "x"), "sum")


def adding(nest: Nest, target: Target, element: Number) -> NestStage:
    """The rows of `gathered_sums` that are added at once are written out."""
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element]), (), ("u",)))


def checking(nest: Nest, target: Target, element: Number) -> NestStage:
    """All sums at once, so that none waits for the addition before."""
    tile = (("u", nest.extent("u")),) if nest.extent("u") > 1 else ()
    return NestStage(nest, Schedule("x", target.lanes(BYTES[element]), tile))
