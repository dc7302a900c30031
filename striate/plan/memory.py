"""Memory of a plan: buffers that are never needed at the same time lie at the same place.

Three rules.  A buffer whose every number is written before it is read may lie anywhere that is free
while it lives.  One with a halo keeps what was filled in when memory was made, so it shares
only with buffers of the very same form, one after the other.  What each thread has of its own
lies in a stretch of its own, since threads are never at the same step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.nest.ir import Number
from striate.plan.layout import Buffer

_DTYPES = {
    "f32": np.float32,
    "f64": np.float64,
    "u8": np.uint8,
    "i32": np.int32,
    "u32": np.uint32,
    "u64": np.uint64,
    "pair": np.uint32,
}
_LINE = 64


@dataclass(frozen=True)
class Use:
    """That a buffer needs `elements` of memory from step `start` to step `stop`, both included.

    With `threads` each of them needs that much.
    """

    buffer: Buffer
    elements: int
    start: int
    stop: int
    threads: int = 0


def dtype_of(buffer: Buffer, element: Number) -> npt.DTypeLike:
    """How NumPy calls the buffer's numbers."""
    return _DTYPES[element if buffer.element == "real" else buffer.element]


@dataclass(frozen=True)
class Memory:
    """Where buffers lie.

    Attributes
    ----------
    arrays
        The memory of each buffer: that of the first thread, where each has some of its own.
    strides
        Bytes from a thread's memory to the next thread's.
    """

    arrays: dict[Buffer, npt.NDArray[np.generic]]
    strides: dict[Buffer, int]


def allot(uses: Iterable[Use], element: Number) -> Memory:
    """Memory for every buffer."""
    arrays: dict[Buffer, npt.NDArray[np.generic]] = {}
    strides: dict[Buffer, int] = {}
    free: dict[int, list[Use]] = {}
    # For each form of a halo: the buffers of each stretch of memory that they share.
    slots: dict[Hashable, list[list[Use]]] = {}
    for use in sorted(uses, key=lambda use: (use.start, use.stop)):
        buffer = use.buffer
        if buffer.scope not in ("auto", "partial", "thread", "temporary"):
            arrays[buffer] = _filled(use.elements, dtype_of(buffer, element), buffer.fill)
        elif buffer.form is None:
            free.setdefault(use.threads, []).append(use)
        else:
            form = (buffer.form, use.elements, buffer.element, use.threads)
            same = slots.setdefault(form, [])
            _slot_for(use, same).append(use)
    for group in slots.values():
        for slot in group:
            first = slot[0]
            stride = _bytes(first, element)
            memory = _filled(max(first.threads, 1) * stride, np.uint8, 0)
            shared = memory.view(dtype_of(first.buffer, element))
            if first.buffer.fill:
                shared.fill(first.buffer.fill)
            arrays.update((use.buffer, shared) for use in slot)
            strides.update((use.buffer, stride) for use in slot)
    for threads, some in free.items():
        places, stride = _places(some, element)
        memory = _filled(max(threads, 1) * stride, np.uint8, 0)
        for use, place in places.items():
            part = memory[place : place + use.elements * _itemsize(use, element)]
            arrays[use.buffer] = part.view(dtype_of(use.buffer, element))
            strides[use.buffer] = stride
    return Memory(arrays, strides)


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
    return -(-use.elements * _itemsize(use, element) // _LINE) * _LINE


def _filled(size: int, dtype: npt.DTypeLike, fill: float) -> npt.NDArray[np.generic]:
    """Memory that begins at a cache line, filled."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size + _LINE // itemsize, dtype)
    start = (-raw.ctypes.data % _LINE) // itemsize
    array = raw[start : start + size]
    if fill:
        array.fill(fill)
    return array
