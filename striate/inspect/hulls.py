"""The fields of all units of a layer, from those of the layers it reads.

Channels that see the same share one *kind*: of most networks all channels are of one kind; after
Concat, and after groups, there may be several. For each kind there are the intervals of the
fields, which are formulas, and for each unit the hull of the pixels it reads, which are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from striate.inspect.masks import as_image
from striate.layers.reads import Beside, Everything, Reads, Together, Window
from striate.ops.shapes import Field, Pair, Shape, extent

Fields = tuple[Field, ...]
Numbers = npt.NDArray[np.int32]

# A hull is (first row, last row, first column, last column). That of nothing has its ends far away,
# so that the least and the largest of it and another are the other.
_FAR = 2**30
_NOTHING = np.array([_FAR, -_FAR, _FAR, -_FAR], np.int32)


@dataclass(frozen=True, eq=False)
class Hull:
    """What the units of a layer see.

    Attributes:
        grid: (height, width, channels) of the units; a flattened image keeps its own.
        kinds: int (channels,): the kind of each channel.
        fields: of each kind, the intervals whose union is a unit's field.
        read: int32 (4, kinds, height, width): the hull of the pixels that a unit reads.
    """

    grid: tuple[int, int, int]
    kinds: npt.NDArray[np.intp]
    fields: tuple[Fields, ...]
    read: Numbers

    def field(self, row: int, column: int, kind: int) -> tuple[Pair, Pair]:
        """First and last (row, column) of the field of a unit."""
        rows, columns = self.spans(0), self.spans(1)
        return (
            (int(rows[0][kind, row]), int(columns[0][kind, column])),
            (int(rows[1][kind, row]), int(columns[1][kind, column])),
        )

    def spans(self, axis: int) -> tuple[Numbers, Numbers]:
        """First and last rows (or columns, along axis 1) of the fields of units, in the union of
        their intervals: int32 (kinds, height or width).
        """
        return self._spans[axis]

    @cached_property
    def _spans(self) -> list[tuple[Numbers, Numbers]]:
        spans = []
        for axis in (0, 1):
            places = np.arange(self.grid[axis], dtype=np.int32)
            first = [
                np.min([f.first[axis] + places * f.jump[axis] for f in fields], axis=0)
                for fields in self.fields
            ]
            last = [
                np.max([f.last[axis] + places * f.jump[axis] for f in fields], axis=0)
                for fields in self.fields
            ]
            spans.append((np.array(first), np.array(last)))
        return spans

    def inside(
        self, kind: int, start: Pair, stop: Pair
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """The rows and columns of units whose fields lie in the box `start` … `stop` (excluded)."""
        rows, columns = (
            (first[kind] >= start[axis]) & (last[kind] < stop[axis])
            for axis, (first, last) in enumerate(self._spans)
        )
        return rows, columns


def of_image(shape: Shape) -> Hull:
    """Of the image itself: each pixel sees itself."""
    height, width, channels = as_image(shape)
    rows, columns = np.indices((height, width), np.int32)
    read = np.stack([rows, rows, columns, columns])[:, None]
    return Hull((height, width, channels), np.zeros(channels, np.intp), ((Field(),),), read)


def through(reads: Reads, inputs: Sequence[Hull], shapes: Sequence[Shape], output: Shape) -> Hull:
    """Of a layer's output (of shape `output`), from those of its inputs."""
    if isinstance(reads, Window):
        return _window(reads, _placed(inputs[0], shapes[0]), as_image(output))
    if isinstance(reads, Everything):
        return _everything(inputs, as_image(output))
    if isinstance(reads, Together | Beside):
        if len({hull.grid[:2] for hull in inputs}) > 1 or len(output) == 1:
            inputs = [_placed(hull, shape) for hull, shape in zip(inputs, shapes, strict=True)]
        return _beside(inputs) if isinstance(reads, Beside) else _together(inputs)
    return inputs[0]  # Same and Reshaped: a flattened image keeps its grid


def _placed(hull: Hull, shape: Shape) -> Hull:
    """The hull over the value's own shape: a flattened image becomes one pixel of many kinds."""
    if hull.grid == as_image(shape):
        return hull
    height, width, channels = hull.grid
    fields: list[Fields] = []
    for row, column, channel in np.ndindex(height, width, channels):
        fields.append((Field(*hull.field(row, column, int(hull.kinds[channel]))),))
    read = np.moveaxis(hull.read[:, hull.kinds], 1, 3).reshape(4, -1, 1, 1)
    count = height * width * channels
    return Hull((1, 1, count), np.arange(count), tuple(fields), read)


def _window(window: Window, hull: Hull, output: tuple[int, int, int]) -> Hull:
    per_input = hull.grid[2] // window.groups
    # The kinds that meet in each group; groups in which the same meet are one new kind.
    met = [
        tuple(np.unique(hull.kinds[g * per_input : (g + 1) * per_input]).tolist())
        for g in range(window.groups)
    ]
    new = {kinds: index for index, kinds in enumerate(dict.fromkeys(met))}
    of_group = np.array([new[kinds] for kinds in met])
    reach = tuple(extent(n, d) for n, d in zip(window.size, window.dilation, strict=True))
    fields: list[Fields] = []
    read: list[Numbers] = []
    for kinds in new:
        together = [field for kind in kinds for field in hull.fields[kind]]
        moved = [f.through((reach[0], reach[1]), window.stride, window.pads) for f in together]
        fields.append(_largest(moved))
        read.append(_slid(window, _joined(hull.read[:, list(kinds)]), output))
    return Hull(
        output,
        of_group.repeat(output[2] // window.groups),
        tuple(fields),
        np.stack(read, axis=1),
    )


def _slid(window: Window, read: Numbers, output: tuple[int, int, int]) -> Numbers:
    """The hull (4, rows, columns) of what lies under each position of a window."""
    top, bottom, left, right = window.pads
    for axis, pads in ((1, (top, bottom)), (2, (left, right))):
        before, after = (
            np.broadcast_to(
                _NOTHING[:, None, None], (4, *read.shape[1:axis], n, *read.shape[axis + 1 :])
            )
            for n in pads
        )
        padded = np.concatenate([before, read, after], axis)
        step, count = window.stride[axis - 1], output[axis - 1]
        slid: Numbers | None = None
        for tap in range(window.size[axis - 1]):
            start = tap * window.dilation[axis - 1]
            places = [slice(None)] * 3
            places[axis] = slice(start, start + (count - 1) * step + 1, step)
            part = padded[tuple(places)]
            slid = part if slid is None else _joined(np.stack([slid, part], axis=1))
        assert slid is not None  # a window has at least one tap
        read = slid
    return read


def _everything(inputs: Sequence[Hull], output: tuple[int, int, int]) -> Hull:
    (hull,) = inputs
    (top, bottom), (left, right) = hull.spans(0), hull.spans(1)
    field = Field((int(top.min()), int(left.min())), (int(bottom.max()), int(right.max())))
    read = _joined(hull.read.reshape(4, -1, 1, 1))[:, None]
    return Hull(output, np.zeros(output[2], np.intp), ((field,),), read)


def _together(inputs: Sequence[Hull]) -> Hull:
    met = list(zip(*(hull.kinds.tolist() for hull in inputs), strict=True))
    new = {kinds: index for index, kinds in enumerate(dict.fromkeys(met))}
    fields = tuple(
        _largest([f for hull, kind in zip(inputs, kinds, strict=True) for f in hull.fields[kind]])
        for kinds in new
    )
    read = [
        _joined(np.stack([h.read[:, kind] for h, kind in zip(inputs, kinds, strict=True)], axis=1))
        for kinds in new
    ]
    of_channel = np.array([new[kinds] for kinds in met])
    return Hull(inputs[0].grid, of_channel, fields, np.stack(read, axis=1))


def _beside(inputs: Sequence[Hull]) -> Hull:
    height, width, _ = inputs[0].grid
    known: dict[tuple[Fields, bytes], int] = {}
    fields: list[Fields] = []
    read: list[Numbers] = []
    kinds: list[npt.NDArray[np.intp]] = []
    for hull in inputs:
        renamed = []
        for kind, its_fields in enumerate(hull.fields):
            numbers = np.ascontiguousarray(hull.read[:, kind])
            key = (its_fields, numbers.tobytes())
            if key not in known:
                known[key] = len(fields)
                fields.append(its_fields)
                read.append(numbers)
            renamed.append(known[key])
        kinds.append(np.array(renamed)[hull.kinds])
    of_channel = np.concatenate(kinds)
    grid = (height, width, len(of_channel))
    return Hull(grid, of_channel, tuple(fields), np.stack(read, axis=1))


def _joined(read: Numbers) -> Numbers:
    """The hull of several hulls, (4, several, height, width) to (4, height, width)."""
    least = read.min(axis=1)
    most = read.max(axis=1)
    return np.stack([least[0], most[1], least[2], most[3]])


def _largest(fields: Sequence[Field]) -> Fields:
    """Without the intervals that lie in another one at every unit."""
    kept: list[Field] = []
    for field in dict.fromkeys(fields):
        if any(_covers(other, field) for other in kept):
            continue
        kept = [other for other in kept if not _covers(field, other)] + [field]
    # In a fixed order, so that kinds that are the same compare as such.
    return tuple(sorted(kept, key=lambda field: (field.jump, field.first, field.last)))


def _covers(outer: Field, inner: Field) -> bool:
    return outer.jump == inner.jump and all(
        outer.first[axis] <= inner.first[axis] and outer.last[axis] >= inner.last[axis]
        for axis in (0, 1)
    )
