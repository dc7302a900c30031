"""What an inner loop fetches before it is read.

A processor guesses what will be read next, but only within a page of memory and along lines that
follow each other.  Three ways of reading escape it, and would wait for the outer caches:

- a sum over pixels that reads some of very many channels jumps far at each turn: so its loop asks
  for what is read some turns later;
- a product of matrices reads the numbers of a few rows one by one, and then other rows: so its loop
  asks for the next tile's rows, as it goes along those of this one;
- weights that lie in panels are read as fast as they come from memory by the first tile of pixels,
  and from the core's own cache by the others: so all tiles together ask for the next panel, each
  for an equal part of it.

That changes no result.  What is asked for may lie past the end of a buffer: then nothing happens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Nest, Tensor, strides_of
from striate.nest.ir import BYTES, Number
from striate.nest.schedule import Schedule

# Bytes from turn to turn that the processor does not follow by itself.
_JUMP = 1024
# Vector operations in the time that a line takes to come from the outer caches.
_WAIT = 200
# Bytes of a row that are worth asking for.
_ROW = 128
# Bytes of a panel that is worth asking for, bytes of two that the core's cache holds beside all
# else, and lines in one turn that are not too many.
_PANEL, _MOST_PANEL, _MOST_LINES = 1 << 14, 1 << 18, 4
_LINE = 64
Point = Mapping[str, int]


@dataclass(frozen=True)
class Fetch:
    """Something to ask for.

    Attributes:
        tensor: what is read there, or a form of its own over the same buffer.
        point: how far from where the loop stands.
        near: whether it is wanted in the nearest cache, or in the core's larger one.
    """

    tensor: Tensor
    point: Point
    near: bool = True


def fetched(
    nest: Nest, schedule: Schedule, axis: str, body: Sequence[Point], element: Number
) -> Iterator[Fetch]:
    """What the innermost loop over the reduced `axis` asks for in each turn.

    `body` are the points that a turn computes, `element` the kernel's own numbers.
    """
    for tensor in nest.read:
        if tensor.rows is not None or tensor.shift:
            continue
        size = BYTES[element if tensor.element == "real" else tensor.element]
        step, along = tensor.stride(axis) * size, tensor.stride(schedule.lane)
        if abs(step) >= _JUMP and along <= 1:
            yield from _later(nest, schedule, tensor, axis, body, size)
        elif step == size and along == 0 and nest.extent(axis) * size >= _ROW:
            yield from _next_tile(nest, schedule, tensor, axis, body, size)
        elif along == 1:
            yield from _next_panel(nest, schedule, tensor, size)


def _later(
    nest: Nest, schedule: Schedule, tensor: Tensor, axis: str, body: Sequence[Point], size: int
) -> Iterator[Fetch]:
    """The lines that are first read some turns later, where there are so many turns."""
    ahead = math.ceil(_WAIT / (len(body) * len(nest.terms)))
    inside = {*nest.reduce} - {*nest.rounds, *schedule.unroll, schedule.lane}
    if math.prod(nest.extent(name) for name in inside) < 2 * ahead:
        return
    lines: dict[int, Point] = {}
    for point in body:
        place = sum(tensor.stride(name) * index for name, index in point.items())
        lines.setdefault(place * size // _LINE, point)
    step = tensor.stride(axis) * size // _LINE
    for line, point in lines.items():
        if line + step not in lines:
            yield Fetch(tensor, {**point, axis: ahead})


def _next_tile(
    nest: Nest, schedule: Schedule, tensor: Tensor, axis: str, body: Sequence[Point], size: int
) -> Iterator[Fetch]:
    """The same numbers of the rows that the next tile reads, where it reads other ones.

    Rows that follow each other are one stretch of memory: each turn asks for an equal part of it.
    For others each turn asks for all that the next tile reads in the same turn.
    """
    sizes = {name: count for name, count in schedule.tile if tensor.stride(name)}
    if len(sizes) != 1:
        return
    ((name, count),) = sizes.items()
    row, turns = tensor.stride(name), nest.extent(axis)
    if not 0 < row <= turns:
        for index in sorted({point.get(name, 0) for point in body}):
            yield Fetch(tensor, {name: index + count})
        return
    share, line = -(-count * row // turns), _LINE // size
    form = strides_of({**dict(tensor.strides), axis: share})
    for number in range(-(-share // line)):
        first = tensor.offset + count * row + number * line
        yield Fetch(Tensor(tensor.buffer, form, first, tensor.element), {})


def _next_panel(nest: Nest, schedule: Schedule, tensor: Tensor, size: int) -> Iterator[Fetch]:
    """Some lines of the panel that follows the one at hand: in each turn the next ones.

    A panel is what one index of the innermost output axis that the tensor moves along reads, and a
    pass is one tile of the axes inside of that; every pass reads the whole panel.
    """
    lane, tile = schedule.lane, dict(schedule.tile)
    outside = [a for a in nest.around if a != lane and tensor.stride(a) and nest.extent(a) > 1]
    if lane not in nest.outputs or not outside or outside[-1] in tile or nest.counted:
        return
    inner = [a for a in nest.reduce if a not in nest.rounds]
    panel = nest.extent(lane) * math.prod(nest.extent(a) for a in inner if tensor.stride(a))
    reach = sum(abs(tensor.stride(a)) * (nest.extent(a) - 1) for a in (lane, *inner))
    if reach >= panel or not _PANEL <= panel * size <= _MOST_PANEL:  # gaps, near, or too much
        return
    # The loops inside of the outer axis, and how far an index moves on in each.
    passes = nest.around[nest.around.index(outside[-1]) + 1 :]
    moves = {a: tile.get(a, 1) * (schedule.lanes if a == lane else 1) for a in passes}
    turns = {a: -(-nest.extent(a) // moves[a]) for a in passes}
    turns |= {a: nest.extent(a) for a in inner if a not in schedule.unroll}
    if math.prod(turns[a] for a in passes) < 2:
        return
    strides = {a: tensor.stride(a) for a in outside}
    share = panel
    for name, count in turns.items():  # the part of the panel that a turn of each loop asks for
        share = -(-share // count)
        strides[name] = -(-share // moves.get(name, 1))
    line = _LINE // size
    lines = -(-share // line)
    if lines > _MOST_LINES:
        return
    first = tensor.offset + abs(tensor.stride(outside[-1]))
    for number in range(max(lines, 1)):
        form = Tensor(tensor.buffer, strides_of(strides), first + number * line, tensor.element)
        yield Fetch(form, {}, near=False)
