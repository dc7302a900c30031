"""Steps that write the rows of an image in order, and which rows they read for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from striate.common.cached_property import cached_property
from striate.plan.layout import Buffer
from striate.plan.stage import BoundNest, can_be_cut, strides_along

_ROWS = "y"


@dataclass(frozen=True)
class RowStep:
    """A step that writes the rows of one buffer in order, each as it will stay.

    Attributes:
        rows: how many.
        strides: elements from row to row, by role.
        first, last: the elements of the buffer between which the first row lies.
        row: elements from one row to the next.
    """

    step: BoundNest
    buffer: Buffer
    rows: int
    strides: Mapping[str, int]
    first: int
    last: int
    row: int

    @classmethod
    def of(cls, step: BoundNest) -> RowStep | None:
        """The step as one that can be taken through some rows at a time, if it can."""
        nest = step.nest
        targets = {store.target.buffer for store in nest.stores}
        if _ROWS not in nest.outputs or len(targets) != 1 or step.band is not None:
            return None
        by_tables = any(t.rows is not None or t.shift for t in nest.tensors())
        if by_tables or not can_be_cut(nest, _ROWS):
            return None
        strides = strides_along(nest, _ROWS)
        (target,) = targets
        row, rows, place = strides[target], nest.extent(_ROWS), step.places[target]
        if min(strides.values()) < 0 or row == 0 or target in nest.inputs:
            return None
        reached = [nest.reach(store.target) for store in nest.stores]
        first = place.offset + min(low for low, _ in reached)
        last = place.offset + max(high for _, high in reached) - (rows - 1) * row
        return cls(step, place.buffer, rows, strides, first, last, row)

    @property
    def size(self) -> int:
        """Elements of all rows."""
        return self.rows * self.row

    @property
    def buffers(self) -> set[Buffer]:
        """All memory that is read or written."""
        return {place.buffer for place in self.step.places.values()}

    def reads(self, rows: range) -> Iterator[tuple[Buffer, int, int]]:
        """Buffers, and the first and the last element that some rows read there."""
        for buffer, low, high, stride in self._reached:
            yield buffer, low + rows.start * stride, high - (self.rows - rows.stop) * stride

    @cached_property
    def _reached(self) -> list[tuple[Buffer, int, int, int]]:
        """What all rows read: first and last element, and elements from row to row."""
        nest, found = self.step.nest, []
        for tensor in nest.tensors():
            if tensor.buffer in nest.inputs:
                place = self.step.places[tensor.buffer]
                low, high = (place.offset + end for end in nest.reach(tensor))
                found.append((place.buffer, low, high, self.strides[tensor.buffer]))
        return found

    def rows_between(self, low: int, high: int) -> range:
        """The rows that have written anything between two elements of the buffer."""
        start, within = divmod(low - self.first, self.row)
        start += self.first + within > self.last  # behind the last pixel of that row
        stop = (high - self.first) // self.row + 1
        return range(min(max(start, 0), self.rows), min(max(stop, 0), self.rows))

    def part(self, rows: range) -> BoundNest:
        """The step for some of its rows."""
        return self.step.part(_ROWS, rows)
