"""The order in which the points of a tile take their terms: one for which the registers suffice.

What several points of a tile read is loaded once, and stays in a register from the first of them to
the last. A tile of two vectors, three filters and two rows holds 12 sums, and of a processor's 16
registers 4 are left. Row by row, the weights of three filters wait while the two vectors of a row
are multiplied: 5 registers, so a sum is put away and fetched again in each turn, and the next turn
waits for it: twice the time. Vector by vector, three weights and one vector suffice.

No order changes a result: each point still takes its own terms one after the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence

from striate.nest.algebra import Tensor

Point = Mapping[str, int]


def in_registers(points: Sequence[Point], read: Sequence[Tensor], free: int) -> list[int]:
    """The numbers of some points, in the order in which each takes a term in one turn of the
    innermost loop.

    It is the given order if so many registers suffice for that, else the one of all orders axis by
    axis that needs the fewest.

    Args:
        points: offsets of the points of a tile along its axes; zeros may be left out.
        read: what a term reads.
        free: registers beside those of the sums.
    """
    given = [*range(len(points))]
    seen = [_elements(read, point) for point in points]
    best, least = given, _most_live(seen, given)
    axes = sorted({axis for point in points for axis in point})
    for axes_in_turn in itertools.permutations(axes):
        if least <= free:
            break
        order = sorted(given, key=lambda i: [points[i].get(axis, 0) for axis in axes_in_turn])
        live = _most_live(seen, order)
        if live < least:
            best, least = order, live
    return best


def _elements(read: Iterable[Tensor], point: Point) -> list[Hashable]:
    """What tells the elements that a point reads from those that others read."""
    return [
        (
            number,
            sum(stride * point.get(axis, 0) for axis, stride in tensor.strides),
            sum(stride * point.get(axis, 0) for axis, stride in tensor.rows or ()),
        )
        for number, tensor in enumerate(read)
    ]


def _most_live(seen: Sequence[Sequence[Hashable]], order: Sequence[int]) -> int:
    """How many elements are in registers at most: each from where it is first read to the last."""
    reads = [seen[i] for i in order]
    last = {element: place for place, some in enumerate(reads) for element in some}
    live, most = set[Hashable](), 0
    for place, some in enumerate(reads):
        live.update(some)
        most = max(most, len(live))
        live.difference_update(element for element in some if last[element] == place)
    return most
