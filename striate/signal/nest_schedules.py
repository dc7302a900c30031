"""How the nests of a sweep are run: tiles held in registers, and loops that are written out.

Lanes of a vector are always neighbouring columns x.  Each function is a `Scheduler`: it gives the
schedule of a nest for a machine and the type that is computed in.
"""

from __future__ import annotations

from collections.abc import Callable

from striate.nest.algebra import Nest
from striate.nest.ir import BYTES, Number
from striate.nest.schedule import Schedule
from striate.nest.target import Target

Scheduler = Callable[[Nest, Target, Number], Schedule]
RUNS = 4  # runs of columns that share each weight of a transformed kernel
_BODY = 128  # multiply-adds in one loop body: enough to hide the loop, little to compile
_TALL = 40  # taps along y that are written out even if the body grows beyond that


def as_written(nest: Nest, target: Target, element: Number) -> Schedule:
    """Loops run as they are written."""
    return Schedule("x", target.lanes(BYTES[element]))


def tiled_rows(nest: Nest, target: Target, element: Number) -> Schedule:
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
    return Schedule("x", target.lanes(BYTES[element]), tile, tuple(unroll))


def tiled_run(nest: Nest, target: Target, element: Number) -> Schedule:
    """For `nests.long_row`: all vectors of a run at once, for all vectors of taps."""
    tile = (("u", nest.extent("u")),)
    return Schedule("x", target.lanes(BYTES[element]), tile, ("q",))


def shared_weights(nest: Nest, target: Target, element: Number) -> Schedule:
    """For `butterflies.products_along_rows`: each weight that is read serves `RUNS` runs."""
    return Schedule("x", target.lanes(BYTES[element]), (("u", RUNS),))


def added_rows(nest: Nest, target: Target, element: Number) -> Schedule:
    """For `box_nests.first_sums`: the rows that are added at once are written out."""
    return Schedule("x", target.lanes(BYTES[element]), (), ("u",))


def independent_sums(nest: Nest, target: Target, element: Number) -> Schedule:
    """For `nests.finite_check`: all sums at once, so that none waits for the addition before."""
    tile = (("u", nest.extent("u")),) if nest.extent("u") > 1 else ()
    return Schedule("x", target.lanes(BYTES[element]), tile)
