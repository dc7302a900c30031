"""How a nest is run: which axis fills the lanes, what is held in registers, what is unrolled.

The choice comes from a small cost model of the machine: a multiply-add needs an arithmetic
slot, every distinct element read needs a load slot, more where it comes from farther than the
nearest cache, and accumulators wait for each other.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Nest
from striate.nest.ir import BYTES
from striate.nest.rewrite import written_out
from striate.nest.target import Target

# Latency of a multiply-add in cycles, times those that start in one cycle.
_IN_FLIGHT = 8
# Operations lost to the loop itself (index, compare, branch) at each turn: most are hidden.
_LOOP_COST = 0.25
# Elements closer than this lie in one page of memory; a body that reads many is a little dearer.
_PAGE, _PAGE_COST = 1024, 0.02
# Bytes that stay in the nearest cache from one tile to the next; slots that a vector takes from the
# core's larger cache, and from farther away.
_NEAREST, _FROM_CORE, _FROM_FAR = 3 << 13, 1.0, 3.0
# Bytes that lie beside each other and are brought by the processor's own foresight.
_BESIDE = 256
# Slots to put a register away and fetch it again, where all that is read has one.
_SPILL = 4.0
# Points unrolled in one loop body: more costs compile time and instruction cache.
_BODY = 160
# Results that a nest without a reduction may compute in one turn.
_RESULTS = 4
# Lanes of the vectors that have masks: of 32 bits, in AVX-512.
_MASKED = 16
# Kinds of weights in few bits, which become numbers in registers.
_SMALL = ("bf16", "i8")


@dataclass(frozen=True)
class Schedule:
    """Everything about how.

    Args:
        lane: the axis whose neighbours fill a vector.
        lanes: elements a vector.
        tile: output axes of which several indices are computed at once, in registers; along the
            lane axis several vectors.
        unroll: reduced axes whose loop is written out in full.
    """

    lane: str
    lanes: int
    tile: tuple[tuple[str, int], ...] = ()
    unroll: tuple[str, ...] = ()


def choose(nest: Nest, target: Target, element: str = "f32") -> Schedule:
    """The schedule that the cost model finds cheapest; of a portable target, of those that add in
    the order that is cheapest for `Target.order`.
    """
    nest = written_out(nest)
    model = _model(nest, target.order, element)
    best = _cheapest(nest, model, _room(nest, target.order, model.lanes, element))
    if not target.portable:
        return best
    model = _model_in_order_of(best, nest, target, element)
    room = _room(nest, target, model.lanes, element)
    return _cheapest(nest, model, room, order_of_sums(nest, best))


def _cheapest(
    nest: Nest, model: _CostModel, room: int, order: tuple[str, ...] | None = None
) -> Schedule:
    """The cheapest schedule; of those with one order of sums, if that is given."""
    best, least = model.schedule({}, ()), math.inf
    for cost, tile, unroll in model.candidates(room):
        if cost < least * (1 - 1e-9):
            schedule = model.schedule(tile, unroll)
            if order is None or order_of_sums(nest, schedule) == order:
                best, least = schedule, cost
    return best


def alternatives(nest: Nest, target: Target, element: str = "f32") -> list[Schedule]:
    """All schedules that compute the same bits as the chosen one, this first, then by their cost.

    The order of a sum is part of its result, and unrolling changes it: an axis that is written out
    runs inside all others.  Tiles change nothing, and the lane axis stays the same.
    """
    nest = written_out(nest)
    best = choose(nest, target, element)
    model = _CostModel(nest, best.lane, best.lanes, target)
    order = order_of_sums(nest, best)
    ranked = {best: -math.inf}
    for cost, tile, unroll in model.candidates(_room(nest, target, best.lanes, element)):
        schedule = model.schedule(tile, unroll)
        if order_of_sums(nest, schedule) == order:
            ranked.setdefault(schedule, cost)
    return sorted(ranked, key=ranked.__getitem__)


def order_of_sums(nest: Nest, schedule: Schedule) -> tuple[str, ...]:
    """The reduced axes in the order of their loops, outermost first, without those of one turn."""
    turns = dict(nest.axes)
    if schedule.lane in nest.reduce:
        turns[schedule.lane] //= schedule.lanes
    inside = [axis for axis in nest.reduce if axis not in nest.rounds and turns[axis] > 1]
    loops = [axis for axis in inside if axis not in schedule.unroll]
    return (*nest.rounds, *loops, *(axis for axis in inside if axis in schedule.unroll))


def writes_out(nest: Nest, target: Target) -> bool:
    """Whether axes that are unrolled are written out; see `Target.writes_out`. What one tensor
    alone reads is used at once, so it takes no registers anyway.
    """
    return target.writes_out or len(nest.read) <= 1


def expected_share(nest: Nest, schedule: Schedule, target: Target) -> float:
    """How much of the processor's arithmetic the cost model expects a schedule to use: 0 to 1."""
    model = _CostModel(written_out(nest), schedule.lane, schedule.lanes, target)
    ideal = nest.multiply_adds / schedule.lanes
    return min(ideal / model.cost(dict(schedule.tile), schedule.unroll), 1.0)


def _model(nest: Nest, target: Target, element: str) -> _CostModel:
    lanes = target.lanes(BYTES[element])
    return _CostModel(nest, _lane(nest, lanes), lanes, target)


def _model_in_order_of(given: Schedule, nest: Nest, target: Target, element: str) -> _CostModel:
    """The model of schedules that add as a given one does: along the same lanes if these are
    summed up, and along none that are if not.
    """
    if given.lane in nest.reduce:
        return _CostModel(nest, given.lane, given.lanes, target)
    lanes = target.lanes(BYTES[element])
    return _CostModel(nest, _lane(nest, lanes, summed=False), lanes, target)


def _room(nest: Nest, target: Target, lanes: int, element: str) -> int:
    """Points that a tile may have, of vectors of so many lanes."""
    if nest.reduction == "none":
        return max(_RESULTS // len(nest.stores), 1)
    accumulators = len(nest.terms) * (2 if nest.reduction == "argmax" else 1)
    at_once = target.vectors(lanes, BYTES[element]) // lane_parts(lanes, target, element)
    return max(target.accumulators // (accumulators * at_once), 1)


def lane_parts(lanes: int, target: Target, element: str) -> int:
    """The most parts, two or one, in which so many lanes that are summed up come one after the
    other: two where a vector takes several of the target's own. Without any it would take many; and
    where another compiler hands out the registers, two loops are longer and no faster than one.
    """
    own = target.lanes(BYTES[element])
    return 2 if 1 < own < lanes and target.writes_out else 1


def _lane(nest: Nest, lanes: int, *, summed: bool = True) -> str:
    """The axis that reads and writes whole vectors: nothing gathered or scattered number by
    number, few lanes idle, many tensors contiguous, stores first.

    `summed`: whether it may be one whose lanes are summed up.
    """
    targets = {store.target for store in nest.stores}
    inner = nest.read if nest.terms else nest.tensors()

    def merit(axis: str) -> tuple[float, ...]:
        # Where lanes are summed up in the end, stores are single numbers anyway.
        touched = {*inner, *targets} if axis in nest.outputs else {*inner}
        scattered = sum(tensor.stride(axis) not in (0, 1) for tensor in touched)
        extent = nest.extent(axis)
        used = extent / (-(-extent // lanes) * lanes)
        contiguous = [tensor for tensor in touched if tensor.stride(axis) == 1]
        return -scattered, used, len(contiguous), len(targets.intersection(contiguous))

    summed = summed and nest.reduction == "sum"  # lanes can be added up, nothing else
    candidates = [
        name
        for name, extent in nest.axes
        if name in nest.outputs or (summed and extent % lanes == 0 and name not in nest.rounds)
    ]
    # The innermost axis wins what is still a tie.
    return max(reversed(candidates), key=merit)


def can_mask(nest: Nest, lane: str, lanes: int) -> bool:
    """Whether the last vector along the lane axis may be a whole one of which some lanes are
    masked: neither read nor stored.

    So that they need no tile of their own, as shorter vectors do.  It takes AVX-512, which has
    masks for all that it does, and vectors of numbers side by side.
    """
    numbers = all(tensor.element in ("real", *_SMALL) for tensor in nest.tensors()) and all(
        store.target.element == "real" for store in nest.stores
    )
    return (
        lanes == _MASKED
        and numbers
        and nest.reduction == "sum"
        and lane in nest.outputs
        and lane not in nest.counted
        and nest.extent(lane) % lanes > 0
        and all(t.stride(lane) in (0, 1) and not t.is_looked_up(lane) for t in nest.tensors())
        and all(store.target.stride(lane) == 1 and not store.streaming for store in nest.stores)
    )


Tile = Mapping[str, int]


class _CostModel:
    """What a nest costs under a tile and a set of unrolled axes, where vectors lie along `lane`.

    Along that axis everything counts vectors.
    """

    def __init__(self, nest: Nest, lane: str, lanes: int, target: Target) -> None:
        self.nest, self.lane, self.lanes = nest, lane, lanes
        self.writes_out = writes_out(nest, target)
        self.registers = math.inf if self.writes_out else target.registers
        self.extents = dict(nest.axes)
        more = lanes - 1 if can_mask(nest, lane, lanes) else 0
        self.extents[lane] = max((self.extents[lane] + more) // lanes, 1)
        self.terms = max(len(nest.terms), 1)
        self.sums = self.terms * (2 if nest.reduction == "argmax" else 1)
        self.reduced = [a for a in nest.reduce if a != lane and a not in nest.rounds]
        factor = {lane: lanes}
        # For every tensor that the innermost loop reads: how far it moves along each axis.
        self.reads = [
            {axis: stride * factor.get(axis, 1) for axis, stride in tensor.strides}
            for tensor in nest.read
        ]
        # Slots that one element, or one vector, takes to load and to convert.
        self.slots = [
            1 + (target.conversion if tensor.element in _SMALL else 0) for tensor in nest.read
        ]
        # Whether vectors of outputs read vectors of it, such as weights; else it is read number by
        # number, of which a line holds many.
        self.in_vectors = [
            tensor.stride(lane) == 1 and lane in nest.outputs for tensor in nest.read
        ]
        # How far each moves along all other axes, small steps first.
        self.others = [
            sorted((abs(stride), axis) for axis, stride in moves.items() if axis != lane)
            for moves in self.reads
        ]
        self.nearest, self.core, self.beside = (
            size // (4 * lanes) for size in (_NEAREST, target.core_cache // 2, _BESIDE)
        )

    def tiles(self, room: int) -> Iterator[Tile]:
        """Sizes for up to three output axes that fill the registers, inner axes first."""
        axes = [axis for axis in reversed(self.nest.outputs) if self.extents[axis] > 1][:5]
        full = min(math.prod(self.extents[axis] for axis in axes), room)
        for few in itertools.combinations(axes, min(3, len(axes))):
            sizes = [_sizes(self.extents[axis], room) for axis in few]
            for chosen in itertools.product(*sizes):
                if full <= 2 * math.prod(chosen) and math.prod(chosen) <= room:
                    yield dict(zip(few, chosen, strict=True))
        yield {}

    def candidates(self, room: int) -> Iterator[tuple[float, Tile, tuple[str, ...]]]:
        """(cost, tile, unrolled axes) of everything that is worth a thought."""
        for tile in self.tiles(room):
            for unroll in self.unrolls(tile):
                yield self.cost(tile, unroll), tile, unroll

    def schedule(self, tile: Tile, unroll: tuple[str, ...]) -> Schedule:
        """All of it; a tile of one index is none."""
        chosen = tuple((axis, size) for axis, size in tile.items() if size > 1)
        return Schedule(self.lane, self.lanes, chosen, unroll)

    def unrolls(self, tile: Tile) -> Iterator[tuple[str, ...]]:
        """Sets of small reduced axes, innermost first, whose points stay within one body."""
        points = math.prod(tile.values()) * self.sums
        small = [axis for axis in self.reduced if self.extents[axis] <= 8]
        yield tuple(axis for axis in self.reduced if self.extents[axis] == 1)
        for count in range(1, len(small) + 1):
            for few in itertools.combinations(small, count):
                if points * math.prod(self.extents[axis] for axis in few) <= _BODY:
                    yield few

    def cost(self, tile: Tile, unroll: tuple[str, ...]) -> float:
        """Estimated slots of the whole nest."""
        extents = self.extents
        unroll = unroll if self.writes_out else ()
        turns = math.prod(extents[axis] for axis in self.reduced if axis not in unroll)
        outer = math.prod(extents[axis] for axis in self.nest.outputs if axis not in tile)
        written = {axis: extents[axis] for axis in unroll}
        steps = math.prod(written.values())
        total = 0.0
        for sizes, count in _parts(tile, extents):
            points = math.prod(sizes.values()) * self.terms
            inside = points * steps
            loads, pages = self._loads({**sizes, **written})
            turn = max(inside, loads, steps * _IN_FLIGHT / 2) + 0.3 * min(inside, loads)
            turn += self._from_farther({**sizes, **written}, sizes)
            turn += _SPILL * max(points + loads - self.registers, 0)
            total += count * (turns * (turn * (1 + _PAGE_COST * pages) + _LOOP_COST) + 3.0 * points)
        return total * outer

    def _from_farther(self, body: Tile, tile: Tile) -> float:
        """More slots for vectors that the nearest cache has lost since the last tile read them."""
        slots = 0.0
        # Neighbours come together: to take some of them now and some later saves nothing.
        row = max(tile.get(self.lane, 1), min(self.extents[self.lane], self.beside))
        whole = {**tile, **{axis: self.extents[axis] for axis in self.reduced}}
        for moves, vectors in zip(self.others, self.in_vectors, strict=True):
            held = row * _seen(moves, whole) if vectors else 0
            if held > self.nearest:
                seen = row * _seen(moves, body)
                slots += seen * (_FROM_CORE if held <= self.core else _FROM_FAR)
        return slots

    def _loads(self, sizes: Tile) -> tuple[int, int]:
        """Slots in which a body of these sizes reads its elements (or vectors), and in how many
        pages they lie.
        """
        loads = pages = 0
        for moves, slots in zip(self.reads, self.slots, strict=True):
            steps = tuple((moves[axis], n) for axis, n in sizes.items() if n > 1 and axis in moves)
            more, there = _distinct(steps)
            loads, pages = loads + more * slots, pages + there
        return loads, pages


def _sizes(extent: int, room: int) -> list[int]:
    """Sizes of tiles: for each number of tiles the least that needs no more of them."""
    sizes = {-(-extent // tiles) for tiles in range(1, extent + 1)}
    return sorted((size for size in sizes if size <= room), reverse=True)


@functools.lru_cache(maxsize=4096)
def _distinct(steps: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Distinct offsets of (stride, size) pairs, and in how many pages they lie."""
    offsets = {0}
    for stride, size in steps:
        offsets = {offset + stride * i for offset in offsets for i in range(size)}
    return len(offsets), len({offset // _PAGE for offset in offsets})


def _seen(moves: Sequence[tuple[int, str]], sizes: Tile) -> int:
    """About how many elements are read over so many indices of axes that move by (step, axis),
    small steps first: windows that overlap read what they share once.
    """
    found, last, extent = 1, 0, 1
    for stride, axis in moves:
        size = sizes.get(axis, 1)
        if size == 1:
            continue
        if last and stride % last == 0 and stride < last * extent:
            more = (size - 1) * (stride // last)
            found, extent = found // extent * (extent + more), extent + more
        else:
            found, last, extent = found * size, stride, size
    return found


def _parts(tile: Tile, extents: Mapping[str, int]) -> Iterator[tuple[Tile, int]]:
    """The full tiles and the remainders, each with how often it occurs."""
    choices = []
    for axis, size in tile.items():
        full, rest = divmod(extents[axis], size)
        choices.append([(axis, size, full)] + ([(axis, rest, 1)] if rest else []))
    for combination in itertools.product(*choices):
        yield (
            {axis: size for axis, size, _ in combination},
            math.prod(count for _, _, count in combination),
        )
