"""Pointers that an inner loop carries, where loads could not compute their addresses themselves.

A load of x86 adds a pointer, an index and any constant. Others add a pointer and a small constant:
1,020 bytes at most for the floats of a Cortex-M4. There LLVM computes the other addresses anew in
each turn, from one index, since it saves registers first. So the loop carries a pointer for each
stretch of memory that its turns read (strength reduction), placed so that the constants reach all
of it, and moves it on by one addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.nest.algebra import Nest, Tensor
from striate.nest.ir import BYTES, Number

Reach = tuple[int, int]
"""Bytes that a load's constant may be, the least and the most."""
Point = Mapping[str, int]


@dataclass(frozen=True)
class InductionPointer:
    """A pointer that a loop carries.

    Attributes:
        tensor: one of those that are read through it: the buffer, and how it moves.
        first, last: elements from there that are read, both included.
        middle: the one that the pointer points to.
        turn: bytes from one index of the loop to the next.
    """

    tensor: Tensor
    first: int
    last: int
    middle: int
    turn: int


def induction_pointers(
    nest: Nest, axis: str, body: Sequence[Point], reach: Reach, element: Number
) -> list[InductionPointer]:
    """What the innermost loop over the reduced `axis` carries.

    Args:
        nest: what is computed.
        axis: the axis of the loop.
        body: the points of a turn.
        reach: of the processor's loads.
        element: the kernel's own numbers.
    """
    alike: dict[Tensor, set[int]] = {}
    for tensor in nest.read:
        if tensor.rows is None and not tensor.shift and tensor.stride(axis):
            # Those that differ in the offset alone share what they are read through.
            form = Tensor(tensor.buffer, tensor.strides, 0, tensor.element)
            strides = dict(tensor.strides)
            alike.setdefault(form, set()).update(
                tensor.offset + sum(strides.get(name, 0) * index for name, index in point.items())
                for point in body
            )
    found = []
    for form, offsets in alike.items():
        size = BYTES[element if form.element == "real" else form.element]
        low, high = (bound // size for bound in (reach[0] + size - 1, reach[1]))
        for stretch in _stretches(sorted(offsets), high - low):
            first, last = stretch[0], stretch[-1]
            # Where the constants reach, at the beginning: then the first load needs none.
            middle = first if last - first <= high else last - high
            found.append(InductionPointer(form, first, last, middle, form.stride(axis) * size))
    return found


def _stretches(offsets: list[int], longest: int) -> list[list[int]]:
    """Rising offsets in as few runs as can be, none longer than that."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and offset - runs[-1][0] <= longest:
            runs[-1].append(offset)
        else:
            runs.append([offset])
    return runs
