"""From nests and schedules to functions in C99: the textbook loops, under the names of the axes.

    for (int y = 0; y < 10; y += 5)
        for (int x = 0; x < 10; x++) {
            float sum[5][16];
            ...
            for (int c = 0; c < 30; c++)
                for (int r = 0; r < 5; r++)
                    for (int yy = 0; yy < 5; yy++)
                        for (int k = 0; k < 16; k++)
                            sum[yy][k] = multiply_add(
                                in[84*(y + yy + r) + 6*x + c], filters[480*r + 16*c + k],
                                sum[yy][k]);

A schedule's tile becomes an array of accumulators, whose last axis is the one that fills the lanes,
and its order of sums that of the loops, so that the results have the bits of the machine code that
LLVM makes of the same nest. Everything else is left to the compiler: it writes the loops over the
tile out, holds the accumulators in registers, and fills vectors as wide as its processor's.

Where tiles do not go into an axis, the last one begins earlier, and computes some of the one before
again; where that must not be, tiles are smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from striate.freestanding.c.c_expressions import CPoint, CText, c_type
from striate.freestanding.c.c_loops import CLoop, indented, nested, wrapped
from striate.freestanding.c.c_names import free_name
from striate.freestanding.c.c_tiles import (
    LEAST_TURNS,
    extent_of,
    tiled_axes,
    variables,
    with_long_lanes,
)
from striate.nest.algebra import COUNTS, Accumulator, Binary, Constant, Expression, Nest
from striate.nest.rewrite import written_out
from striate.nest.schedule import Schedule, order_of_sums


@dataclass(frozen=True)
class CFunction:
    """Nests as a function of the addresses of their buffers.

    Attributes:
        name: of the function.
        parameters: (role, declaration) pairs.
        body: its lines.
        helpers: what it calls: names of functions of `templates/functions.h`.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    body: tuple[str, ...]
    helpers: frozenset[str]

    @property
    def text(self) -> str:
        """Its definition."""
        head = f"static void {self.name}("
        declared = [declaration for _, declaration in self.parameters]
        one = f"{head}{', '.join(declared)})"
        if len(one) > _WIDTH:
            one = f"{head}\n    " + ",\n    ".join(declared) + ")"
        body = [part for line in indented(self.body) for part in wrapped(line, _WIDTH)]
        return "\n".join([one, "{", *body, "}"])


_WIDTH = 100


def emit_c(name: str, *scheduled: tuple[Nest, Schedule]) -> CFunction:
    """Nests, one after the other, as one function; a nest of a network may come alone.

    Args:
        name: of the function: a name in C.
        scheduled: the nests, with their schedules. Buffers of one name are one buffer.

    Raises:
        ValueError: a nest has pairs of bfloat16 numbers, which C does not know.
    """
    nests = [nest for nest, _ in scheduled]
    taken = {name for nest in nests for axis, _ in nest.axes for name in variables(axis)}
    names: dict[str, str] = {}
    for role in dict.fromkeys(role for nest in nests for role in nest.buffers):
        names[role] = free_name(_ROLES.get(role, role), {*taken, *_OWN, *names.values()})
    helpers: set[str] = set()
    body: list[str] = []
    for nest, schedule in scheduled:
        body += _NestWriter(written_out(nest), schedule, names, helpers).lines()
    parameters = tuple((role, _parameter(role, names[role], nests)) for role in names)
    return CFunction(name, parameters, tuple(body), frozenset(helpers))


# What a nest reads is often called x, as is an axis.
_ROLES = {"x": "in"}
# Names of variables that functions have beside the axes.
_OWN = {"sum", "best", "which", "term", "first", "last", "total"}


def _parameter(role: str, name: str, nests: Sequence[Nest]) -> str:
    if role == COUNTS:
        return f"const int64_t *restrict {name}"
    of_role = [t for nest in nests for t in nest.tensors() if t.buffer == role]
    written = any(store.target.buffer == role for nest in nests for store in nest.stores)
    kind = c_type(of_role[0]) if written else f"const {c_type(of_role[0])}"
    return f"{kind} *{'const *' * (of_role[0].rows is not None)}restrict {name}"


class _NestWriter:
    """The lines of one nest."""

    def __init__(
        self, nest: Nest, schedule: Schedule, names: dict[str, str], helpers: set[str]
    ) -> None:
        schedule = with_long_lanes(nest, schedule)
        self.nest, self.schedule, self.names, self.helpers = nest, schedule, names, helpers
        self.lane_reduced = schedule.lane in nest.reduce
        self.lanes = schedule.lanes if self.lane_reduced else 1
        self.tiled = tiled_axes(nest, schedule)
        self.indices = {axis: tiled.indices for axis, tiled in self.tiled.items()}
        for axis in nest.reduce:
            if axis not in nest.rounds:
                self.indices[axis] = () if extent_of(nest, axis) == 1 else (axis,)
        # The loops over a tile, the lanes innermost, which its accumulators are found by.
        self.tile = [
            CLoop(tiled.indices[-1], tiled.size) for tiled in self.tiled.values() if tiled.size > 1
        ]
        if self.lanes > 1:
            several = nest.extent(schedule.lane) > self.lanes
            self.indices[schedule.lane] = variables(schedule.lane)[: 1 + several]
            self.tile.append(CLoop(self.indices[schedule.lane][-1], self.lanes))
        if schedule.lanes > 1 and self.tile and int(self.tile[-1].stop) < LEAST_TURNS:
            self.helpers.add("LANES")
            self.tile[-1] = replace(self.tile[-1], mark="LANES ")

    def lines(self) -> list[str]:
        """All of them."""
        nest = self.nest
        counts = [
            f"const int {variables(axis)[3]} = (int){self.names[COUNTS]}[{i}];"
            for i, axis in enumerate(nest.counted)
        ]
        loops = [each for tiled in self.tiled.values() for each in tiled.loops()]
        body = self._stores()
        if nest.reduction != "none":
            body = [*self._initial(), *self._reduce(), *body]
        if rounds := [*self._first_and_last()]:
            inside = max(
                (i + 1 for i, c in enumerate(loops) if c.variable in nest.rounds), default=0
            )
            body = [*rounds, *nested(loops[inside:], body)]
            loops = loops[:inside]
        return [*counts, *nested(loops, body)]

    # --- the accumulators of a tile ----------------------------------------------------------

    @property
    def _accumulators(self) -> tuple[str, ...]:
        """Their names."""
        match self.nest.reduction:
            case "none":
                return ()
            case "max":
                return ("best",)
            case "argmax":
                return ("best", "which")
        several = len(self.nest.terms) > 1
        return tuple(f"sum_{i}" if several else "sum" for i in range(len(self.nest.terms)))

    def _own(self) -> list[str]:
        """Those of one point."""
        subscripts = "".join(f"[{each.variable}]" for each in self.tile)
        return [f"{name}{subscripts}" for name in self._accumulators]

    def _point(self) -> CPoint:
        return CPoint(self.names, self.indices, self.helpers)

    def _initial(self) -> list[str]:
        nest, point = self.nest, self._point()
        neutral = Constant(0.0 if nest.reduction == "sum" else float("-inf"))
        first: Sequence[Expression] = [neutral] * len(nest.terms)
        if nest.reduction == "argmax":
            first = [neutral, Constant(0.0)]
        elif nest.initial and not self._adds_initial and not nest.rounds:
            first = nest.initial
        values = [point.value(value).text for value in first]
        assigned = [f"{own} = {value};" for own, value in zip(self._own(), values, strict=True)]
        if not self.tile:
            return [*point.lines, *(f"float {line}" for line in assigned)]
        sizes = "".join(f"[{each.stop}]" for each in self.tile)
        declared = [f"float {name}{sizes};" for name in self._accumulators]
        return [*declared, *nested(self.tile, [*point.lines, *assigned])]

    @property
    def _adds_initial(self) -> bool:
        """Whether sums start from 0, and `initial` is added in the end."""
        return self.lane_reduced or self.nest.goes_on

    def _reduce(self) -> list[str]:
        nest, loops = self.nest, list[CLoop]()
        for axis in order_of_sums(nest, self.schedule):
            if axis not in nest.rounds:
                step = self.schedule.lanes if axis == self.schedule.lane else 1
                loops.append(CLoop(axis, extent_of(nest, axis), step))
        point = self._point()
        point.share(nest.terms)
        lines = [*self._combined(point)]
        return nested([*loops, *self.tile], [*point.lines, *lines])

    def _combined(self, point: CPoint) -> Iterator[str]:
        """The statements that add one term to each accumulator of a point."""
        own = self._own()
        if self.nest.reduction != "sum":
            new = point.value(self.nest.terms[0]).text
            if self.nest.order is not None:
                order = point.value(self.nest.order).text
                yield f"const int won = {point.call('wins', new, own[0]).text};"
                yield f"{own[1]} = won ? {order} : {own[1]};"
            yield f"{own[0]} = {point.call('larger', own[0], new).text};"
            return
        for term, total in zip(self.nest.terms, own, strict=True):
            if isinstance(term, Binary) and term.operation == "mul":
                left, right = point.value(term.left).text, point.value(term.right).text
                yield f"{total} = {point.call('multiply_add', left, right, total).text};"
            else:
                yield f"{total} += {point.value(term).text};"

    # --- what is stored ----------------------------------------------------------------------

    def _stores(self) -> list[str]:
        nest, tile = self.nest, self.tile
        own = [CText(text) for text in self._own()]
        if self.lanes > 1:
            *tile, lanes = self.tile
            arrays = [text.removesuffix(f"[{lanes.variable}]") for text in self._own()]
            self.helpers.add("sum_of_lanes")
            own = [CText(f"sum_of_lanes({text}, {lanes.stop})") for text in arrays]
        point = self._point()
        if nest.rounds:
            own = self._after_round(point, own)
        elif self._adds_initial and nest.initial:
            own = self._added(point, nest.initial, own)
        if not self._is_plain or len(nest.stores) > len(own):
            names = [f"total_{i}" if len(own) > 1 else "total" for i in range(len(own))]
            own = [
                point.named(text, name) if " " in text.text else text
                for text, name in zip(own, names, strict=True)
            ]
        point.own = own
        return nested(tile, self._written(point))

    def _written(self, point: CPoint) -> list[str]:
        """The stores of a point. All is read before anything is written."""
        nest, stores = self.nest, self.nest.stores
        point.share([store.value for store in stores])
        values = [point.value(store.value) for store in stores]
        if nest.rounds and not self._is_plain:
            values = [
                CText(f"last ? {value.within(1)} : {total.text}", 0)
                for value, total in zip(values, point.own, strict=True)
            ]
        if len(stores) > 1 and not nest.may_repeat:
            values = [point.named(value) for value in values]
        written = [
            point.write(store.target, value) for store, value in zip(stores, values, strict=True)
        ]
        return [*point.lines, *written]

    @property
    def _is_plain(self) -> bool:
        """Whether nothing but the accumulators is stored, or there are none."""
        return all(isinstance(store.value, Accumulator) for store in self.nest.stores)

    @property
    def _kept(self) -> tuple[Expression, ...]:
        """Where sums are kept in between."""
        return tuple(store.target for store in self.nest.stores)

    def _added(
        self, point: CPoint, expressions: Sequence[Expression], own: Sequence[CText]
    ) -> list[CText]:
        return [
            CText(f"{point.value(expression).within(1)} + {value.within(2)}", 1)
            for expression, value in zip(expressions, own, strict=True)
        ]

    # --- rounds --------------------------------------------------------------------------------

    def _first_and_last(self) -> Iterator[str]:
        """Which round of a sum is at hand."""
        nest = self.nest
        if not nest.rounds or nest.goes_on:
            return
        several = [axis for axis in nest.rounds if nest.extent(axis) > 1]
        if nest.initial != self._kept:
            yield f"const int first = {' && '.join(f'{axis} == 0' for axis in several) or 1};"
        if not self._is_plain:
            ends = (f"{axis} == {nest.extent(axis) - 1}" for axis in several)
            yield f"const int last = {' && '.join(ends) or 1};"

    def _after_round(self, point: CPoint, own: Sequence[CText]) -> list[CText]:
        """The sums so far: those of a round and what was stored after the one before, of which
        there is none before the first.
        """
        nest = self.nest
        if nest.goes_on or nest.initial == self._kept:
            return self._added(point, self._kept, own)
        begun = nest.initial or [Constant(0.0)] * len(own)
        before = [
            CText(f"(first ? {point.value(start).within(1)} : {point.value(kept).text})")
            for start, kept in zip(begun, self._kept, strict=True)
        ]
        return [
            CText(f"{start.text} + {value.within(2)}", 1)
            for start, value in zip(before, own, strict=True)
        ]
