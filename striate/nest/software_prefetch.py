"""What an inner loop fetches before it is read.

A processor guesses what will be read next, but only within a page of memory and along lines that
follow each other.  Two ways of reading escape it, and would wait for the outer caches:

- a sum over pixels that reads some of very many channels jumps far at each turn: so its loop asks
  for what is read some turns later;
- a product of matrices reads the numbers of a few rows one by one, and then other rows: so its loop
  asks for the next tile's rows, as it goes along those of this one.

That changes no result.  What is asked for may lie past the end of a buffer: then nothing happens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from striate.nest.algebra import Nest, Tensor
from striate.nest.ir import BYTES, Number
from striate.nest.schedule import Schedule

# Bytes from turn to turn that the processor does not follow by itself.
_JUMP = 1024
# Vector operations in the time that a line takes to come from the outer caches.
_WAIT = 200
# Bytes of a row that are worth asking for.
_ROW = 256
_LINE = 64
Point = Mapping[str, int]


def fetched(
    nest: Nest, schedule: Schedule, axis: str, body: Sequence[Point], element: Number
) -> Iterator[tuple[Tensor, Point]]:
    """What the innermost loop over the reduced `axis` asks for in each turn: tensors, and how far
    from where it stands.

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
            yield from _next_tile(schedule, tensor, body)


def _later(
    nest: Nest, schedule: Schedule, tensor: Tensor, axis: str, body: Sequence[Point], size: int
) -> Iterator[tuple[Tensor, Point]]:
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
            yield tensor, {**point, axis: ahead}


def _next_tile(
    schedule: Schedule, tensor: Tensor, body: Sequence[Point]
) -> Iterator[tuple[Tensor, Point]]:
    """The same numbers of the rows that the next tile reads, where it reads other ones."""
    sizes = {name: size for name, size in schedule.tile if tensor.stride(name)}
    if len(sizes) == 1:
        ((name, size),) = sizes.items()
        for index in sorted({point.get(name, 0) for point in body}):
            yield tensor, {name: index + size}
