"""Allocation: buffers whose lifetimes do not overlap share memory.

Three rules.  A buffer whose every number is written before it is read may lie anywhere that is free
while it lives.  One with a halo keeps what was filled in when memory was made, so it shares
only with buffers of the very same form, one after the other.  What each thread has of its own
lies in a stretch of its own, since threads are never at the same step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.memory import whole_lines, zeros_in_pages
from striate.nest.ir import Number
from striate.plan.layout import Buffer
from striate.plan.memory.liveness import Use

_DTYPES = {
    "f32": np.float32,
    "f64": np.float64,
    "u8": np.uint8,
    "i32": np.int32,
    "u32": np.uint32,
    "u64": np.uint64,
    "pair": np.uint32,
}


def dtype_of(buffer: Buffer, element: Number) -> npt.DTypeLike:
    """How NumPy calls the buffer's numbers."""
    return _DTYPES[element if buffer.element == "real" else buffer.element]


@dataclass(frozen=True)
class Allocation:
    """Where buffers lie.

    Attributes:
        arrays: the memory of each buffer: that of the first thread, where each has some of its own.
        strides: bytes from a thread's memory to the next thread's.
    """

    arrays: dict[Buffer, npt.NDArray[np.generic]]
    strides: dict[Buffer, int]


def allot(uses: Iterable[Use], element: Number) -> Allocation:
    """Memory for every buffer."""
    room = _Room()
    free: dict[int, list[Use]] = {}
    # For each form of a halo: the buffers of each stretch of memory that they share.
    slots: dict[Hashable, list[list[Use]]] = {}
    for use in sorted(uses, key=lambda use: (use.start, use.stop)):
        buffer = use.buffer
        if buffer.scope not in ("auto", "partial", "thread", "temporary"):
            room.add({use: 0}, _bytes(use, element))
        elif buffer.form is None:
            free.setdefault(use.threads, []).append(use)
        else:
            form = (buffer.form, use.elements, buffer.element, use.threads)
            same = slots.setdefault(form, [])
            _slot_for(use, same).append(use)
    for group in slots.values():
        for slot in group:
            room.add(dict.fromkeys(slot, 0), _bytes(slot[0], element))
    for some in free.values():
        room.add(*_places(some, element))
    return room.memory(element)


class _Room:
    """Memory of which stretch after stretch is taken: one mapping, so that large pages hold it.

    Small pages would lie anywhere in the machine, and what a core has at hand would then be in its
    own way in its cache, more or less so from one start of the program to the next.
    """

    def __init__(self) -> None:
        # For each number of threads (0: no thread's own) where buffers begin, and the bytes in all.
        self._places: dict[int, dict[Use, int]] = {}
        self._sizes: dict[int, int] = {}

    def add(self, places: Mapping[Use, int], size: int) -> None:
        """A stretch of `size` bytes, one for each thread if the uses are by thread, and where in it
        each buffer begins.
        """
        for use, place in places.items():
            begin = self._sizes.setdefault(use.threads, 0)
            self._places.setdefault(use.threads, {})[use] = begin + place
        for threads in {use.threads for use in places}:
            self._sizes[threads] += size

    def memory(self, element: Number) -> Allocation:
        """All of it, filled; what threads have of their own comes first."""
        arrays: dict[Buffer, npt.NDArray[np.generic]] = {}
        strides: dict[Buffer, int] = {}
        whole = zeros_in_pages(sum(max(threads, 1) * size for threads, size in self._sizes.items()))
        for threads in sorted(self._sizes, reverse=True):
            stride, count = self._sizes[threads], max(threads, 1)
            mine, whole = whole[: count * stride].reshape(count, stride), whole[count * stride :]
            for use, place in self._places[threads].items():
                part = mine[:, place : place + use.elements * _itemsize(use, element)]
                part = part.view(dtype_of(use.buffer, element))
                if use.buffer.fill:
                    part[...] = use.buffer.fill
                arrays[use.buffer], strides[use.buffer] = part[0], stride
        return Allocation(arrays, strides)


def _slot_for(use: Use, slots: list[list[Use]]) -> list[Use]:
    """The first slot that is free again; uses come in the order of their starts."""
    for slot in slots:
        if slot[-1].stop < use.start:
            return slot
    slots.append([])
    return slots[-1]


def _places(uses: list[Use], element: Number) -> tuple[dict[Use, int], int]:
    """Where each buffer begins in one stretch of memory, and how many bytes that has.

    Each is put at the lowest place that is free while it lives: the largest first, or those that
    live longest first, whichever takes less memory.
    """
    sizes = {use: _bytes(use, element) for use in uses}
    orders = (
        sorted(uses, key=lambda use: (-sizes[use], -use.stop)),
        sorted(uses, key=lambda use: (use.start - use.stop, -sizes[use])),
    )
    return min((_in_order(order, sizes) for order in orders), key=lambda found: found[1])


def _in_order(uses: list[Use], sizes: dict[Use, int]) -> tuple[dict[Use, int], int]:
    """The places if buffers are put into memory in this order, and the bytes."""
    starts = np.array([use.start for use in uses])
    stops = np.array([use.stop for use in uses])
    lows, highs = np.zeros((2, len(uses)), np.int64)
    for i, use in enumerate(uses):
        meets = (starts[:i] <= use.stop) & (stops[:i] >= use.start)
        order = lows[:i][meets].argsort()
        taken, until = lows[:i][meets][order], highs[:i][meets][order]
        # From where memory may be free: from its beginning, or behind all that lies lower.
        free = np.maximum.accumulate(np.concatenate(([0], until)))
        fits = np.flatnonzero(taken - free[:-1] >= sizes[use])
        lows[i] = free[fits[0] if len(fits) else -1]
        highs[i] = lows[i] + sizes[use]
    return dict(zip(uses, lows.tolist(), strict=True)), int(highs.max(initial=0))


def _itemsize(use: Use, element: Number) -> int:
    return np.dtype(dtype_of(use.buffer, element)).itemsize


def _bytes(use: Use, element: Number) -> int:
    return whole_lines(use.elements * _itemsize(use, element))
