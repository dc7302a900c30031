"""How a nest is run: which axis fills the lanes, what is held in registers, what is unrolled.

The choice comes from a small cost model of the machine: a multiply-add needs an arithmetic
slot, every distinct element read needs a load slot, and accumulators wait for each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from striate.nest.algebra import Nest, Tensor, tensors_in
from striate.nest.ir import BYTES
from striate.nest.target import Target

# Latency of a multiply-add in cycles, times those that start in one cycle.
_IN_FLIGHT = 8
# Operations spent on the loop itself (index, compare, branch) at each turn.
_LOOP_COST = 2.0
# Points unrolled in one loop body: more costs compile time and instruction cache.
_BODY = 160
_TILE_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24)


@dataclass(frozen=True)
class Schedule:
    """Everything about how.

    Parameters
    ----------
    lane
        The axis whose neighbours fill a vector.
    lanes
        Elements a vector.
    tile
        Output axes of which several indices are computed at once, in registers.
    unroll
        Reduced axes whose loop is written out in full.
    """

    lane: str
    lanes: int
    tile: tuple[tuple[str, int], ...] = ()
    unroll: tuple[str, ...] = ()


def choose(nest: Nest, target: Target, element: str = "f32") -> Schedule:
    """The schedule that the cost model finds cheapest."""
    lanes = target.lanes(BYTES[element])
    lane = _lane(nest, lanes)
    extents = dict(nest.axes)
    accumulators = max(len(nest.terms), 1) * (2 if nest.reduction == "argmax" else 1)
    room = max(target.accumulators // accumulators, 1)
    tileable = [axis for axis in nest.outputs if axis != lane and extents[axis] > 1]
    reduced = [axis for axis in nest.reduce if axis != lane]
    best, best_cost = Schedule(lane, lanes), math.inf
    for tile in _tiles(tileable, extents, room):
        for unroll in _unrolls(reduced, extents, math.prod(tile.values()) * accumulators):
            cost = _cost(nest, tile, unroll, lane, extents)
            if cost < best_cost * (1 - 1e-9):
                chosen = tuple((axis, size) for axis, size in tile.items() if size > 1)
                best, best_cost = Schedule(lane, lanes, chosen, unroll), cost
    return best


def _lane(nest: Nest, lanes: int) -> str:
    """The axis that reads and writes whole vectors: nothing gathered or scattered number by
    number, few lanes idle, many tensors contiguous, stores first."""
    targets = {store.target for store in nest.stores}
    inner = _read(nest) if nest.terms else nest.tensors()

    def merit(axis: str) -> tuple[float, ...]:
        # Where lanes are summed up in the end, stores are single numbers anyway.
        touched = {*inner, *targets} if axis in nest.outputs else {*inner}
        scattered = sum(tensor.stride(axis) not in (0, 1) for tensor in touched)
        extent = nest.extent(axis)
        used = extent / (-(-extent // lanes) * lanes)
        contiguous = [tensor for tensor in touched if tensor.stride(axis) == 1]
        return -scattered, used, len(contiguous), len(targets.intersection(contiguous))

    summed = nest.reduction == "sum"  # lanes can be added up, nothing else
    candidates = [
        name
        for name, extent in nest.axes
        if name in nest.outputs or (summed and extent % lanes == 0)
    ]
    # The innermost axis wins what is still a tie.
    return max(reversed(candidates), key=merit)


def _tiles(axes: list[str], extents: Mapping[str, int], room: int) -> Iterable[dict[str, int]]:
    """Sizes for up to three output axes whose product fits the registers."""
    for few in itertools.combinations(axes[-5:], min(3, len(axes))):
        sizes = [[s for s in _TILE_SIZES if s <= min(extents[axis], room)] for axis in few]
        for chosen in itertools.product(*sizes):
            if math.prod(chosen) <= room:
                yield dict(zip(few, chosen, strict=True))


def _unrolls(
    reduced: list[str], extents: Mapping[str, int], points: int
) -> Iterable[tuple[str, ...]]:
    """Sets of small reduced axes, innermost first, whose points stay within one body."""
    small = [axis for axis in reduced if extents[axis] <= 8]
    yield tuple(axis for axis in reduced if extents[axis] == 1)
    for count in range(1, len(small) + 1):
        for few in itertools.combinations(small, count):
            if points * math.prod(extents[axis] for axis in few) <= _BODY:
                yield few


def _cost(
    nest: Nest,
    tile: Mapping[str, int],
    unroll: tuple[str, ...],
    lane: str,
    extents: Mapping[str, int],
) -> float:
    """Estimated slots of the whole nest, per vector of lanes."""
    turns = math.prod(extents[axis] for axis in nest.reduce if axis != lane and axis not in unroll)
    outer = math.prod(extents[axis] for axis in nest.outputs if axis not in tile and axis != lane)
    written = {axis: extents[axis] for axis in unroll}
    total = 0.0
    for sizes, count in _parts(tile, extents):
        points = math.prod(sizes.values()) * max(len(nest.terms), 1)
        inside = points * math.prod(written.values())
        loads = sum(_loads(t, {**sizes, **written}) for t in _read(nest))
        waiting = math.prod(written.values()) * _IN_FLIGHT / 2
        turn = max(inside, loads, waiting) + 0.3 * min(inside, loads) + _LOOP_COST
        ends = 3.0 * points
        total += count * (turns * turn + ends)
    return total * outer


def _parts(
    tile: Mapping[str, int], extents: Mapping[str, int]
) -> Iterable[tuple[dict[str, int], int]]:
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


def _read(nest: Nest) -> list[Tensor]:
    """The tensors that the innermost loop reads."""
    return list(dict.fromkeys(t for term in nest.terms for t in tensors_in(term)))


def _loads(tensor: Tensor, sizes: Mapping[str, int]) -> int:
    """Distinct elements (or vectors) of a tensor that a body of these sizes reads."""
    offsets = {0}
    for axis, size in sizes.items():
        if stride := tensor.stride(axis):
            offsets = {offset + stride * i for offset in offsets for i in range(size)}
    return len(offsets)
