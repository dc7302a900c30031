"""Propagates receptive fields through a network: from those of a layer's inputs to its own.

Channels whose units have the same fields are of one *kind*. In most networks all channels of a
layer are; after Concat, and after grouped convolutions, there may be several kinds. For each kind
there are the intervals of the fields, as formulas in the unit's row and column, and for each unit
the bounding box of the pixels that it reads, as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.cached_property import cached_property
from striate.common.short_repr import short_repr
from striate.inspect.dependency_masks import as_image
from striate.layers.reads import (
    Concatenation,
    FullyConnected,
    PixelChannels,
    PointwiseMerge,
    Reads,
    TransposedWindow,
    Window,
)
from striate.ops.shapes import Field, Pair, Shape, extent

Fields = tuple[Field, ...]
"""Intervals whose union is the receptive field of a unit."""
Numbers = npt.NDArray[np.int32]

# A bounding box is (first row, last row, first column, last column). An empty one has its ends far
# outside, so that the bounding box of it and another box is the other box.
_FAR = 2**30
_EMPTY = np.array([_FAR, -_FAR, _FAR, -_FAR], np.int32)


@short_repr
@dataclass(frozen=True, eq=False)
class LayerFields:
    """The receptive fields of all units of a layer.

    Attributes:
        grid: (height, width, channels) of the units; a flattened image keeps its own.
        kinds: the kind of each channel, int (channels,).
        fields: for each kind, the intervals whose union is the field of a unit.
        boxes: the bounding boxes of the pixels that units read, int32 (4, kinds, height, width).
    """

    grid: tuple[int, int, int]
    kinds: npt.NDArray[np.intp]
    fields: tuple[Fields, ...]
    boxes: Numbers

    def field(self, row: int, column: int, kind: int) -> tuple[Pair, Pair]:
        """First and last (row, column) of the field of a unit."""
        rows, columns = self.spans(0), self.spans(1)
        return (
            (int(rows[0][kind, row]), int(columns[0][kind, column])),
            (int(rows[1][kind, row]), int(columns[1][kind, column])),
        )

    def spans(self, axis: int) -> tuple[Numbers, Numbers]:
        """First and last rows (axis 0) or columns (axis 1) of the fields of all units.

        Each is int32 (kinds, height or width).
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


def image_fields(shape: Shape) -> LayerFields:
    """The fields of the image's own pixels: each is its own field."""
    height, width, channels = as_image(shape)
    rows, columns = np.indices((height, width), np.int32)
    boxes = np.stack([rows, rows, columns, columns])[:, None]
    return LayerFields((height, width, channels), np.zeros(channels, np.intp), ((Field(),),), boxes)


def propagate(
    reads: Reads, inputs: Sequence[LayerFields], shapes: Sequence[Shape], output: Shape
) -> LayerFields:
    """The fields of a layer's units from those of its inputs.

    Args:
        reads: which values of its inputs each unit reads.
        inputs: the fields of the inputs.
        shapes: the shapes of the inputs.
        output: the shape of the output.
    """
    if isinstance(reads, Window | TransposedWindow):
        return _windows(reads, _unflattened(inputs[0], shapes[0]), as_image(output))
    if isinstance(reads, FullyConnected):
        return _fully_connected(inputs, as_image(output))
    if isinstance(reads, PointwiseMerge | Concatenation):
        if len({fields.grid[:2] for fields in inputs}) > 1 or len(output) == 1:
            inputs = [
                _unflattened(fields, shape) for fields, shape in zip(inputs, shapes, strict=True)
            ]
        if isinstance(reads, Concatenation):
            return _concatenation(inputs)
        return _pointwise_merge([_spread(source, as_image(output)) for source in inputs])
    if isinstance(reads, PixelChannels):
        return _pixel_channels(reads, _unflattened(inputs[0], shapes[0]))
    return inputs[0]  # Pointwise and Reshaped: a flattened image keeps its grid


def _unflattened(source: LayerFields, shape: Shape) -> LayerFields:
    """The fields over the value's own shape, so a flattened image is one pixel of many kinds."""
    if source.grid == as_image(shape):
        return source
    height, width, channels = source.grid
    fields: list[Fields] = []
    for row, column, channel in np.ndindex(height, width, channels):
        fields.append((Field(*source.field(row, column, int(source.kinds[channel]))),))
    boxes = np.moveaxis(source.boxes[:, source.kinds], 1, 3).reshape(4, -1, 1, 1)
    count = height * width * channels
    return LayerFields((1, 1, count), np.arange(count), tuple(fields), boxes)


def _windows(
    window: Window | TransposedWindow, source: LayerFields, output: tuple[int, int, int]
) -> LayerFields:
    per_group = source.grid[2] // window.groups
    # The kinds that each group reads; groups that read the same kinds give one new kind.
    read = [
        tuple(np.unique(source.kinds[g * per_group : (g + 1) * per_group]).tolist())
        for g in range(window.groups)
    ]
    new = {kinds: index for index, kinds in enumerate(dict.fromkeys(read))}
    of_group = np.array([new[kinds] for kinds in read])
    fields: list[Fields] = []
    boxes: list[Numbers] = []
    for kinds in new:
        together = [field for kind in kinds for field in source.fields[kind]]
        moved = [_moved(window, field, source.grid) for field in together]
        fields.append(_without_covered(moved))
        boxes_read = _bounding(source.boxes[:, list(kinds)])
        if isinstance(window, TransposedWindow):
            boxes.append(_spread_by_window(window, boxes_read, output))
        else:
            boxes.append(_under_window(window, boxes_read, output))
    return LayerFields(
        output,
        of_group.repeat(output[2] // window.groups),
        tuple(fields),
        np.stack(boxes, axis=1),
    )


def _moved(window: Window | TransposedWindow, field: Field, grid: tuple[int, int, int]) -> Field:
    """The field of a unit that reads units of this field, which are a `grid`."""
    reach = (
        extent(window.size[0], window.dilation[0]),
        extent(window.size[1], window.dilation[1]),
    )
    if isinstance(window, Window):
        return field.through(reach, window.stride, window.pads)
    last = (
        field.last[0] + (grid[0] - 1) * field.jump[0],
        field.last[1] + (grid[1] - 1) * field.jump[1],
    )
    whole = Field(field.first, last, (0, 0))
    return field.through_transposed(reach, window.stride, window.pads, whole)


def _spread_by_window(
    window: TransposedWindow, boxes: Numbers, output: tuple[int, int, int]
) -> Numbers:
    """The bounding boxes (4, rows, columns) of all boxes that are spread to each output."""
    for axis in (0, 1):
        units = boxes.shape[axis + 1]
        places = window.pixels(axis, units)
        shape = [4, *boxes.shape[1:]]
        shape[axis + 1] = output[axis]
        found = np.broadcast_to(_EMPTY[:, None, None], shape).copy()
        seen, given = np.moveaxis(found, axis + 1, 0), np.moveaxis(boxes, axis + 1, 0)
        for unit, reached in enumerate(places.tolist()):
            for place in reached:
                if 0 <= place < output[axis]:
                    pair = np.stack([seen[place], given[unit]], axis=1)[..., None]
                    seen[place] = _bounding(pair)[..., 0]
        boxes = found
    return boxes


def _under_window(window: Window, boxes: Numbers, output: tuple[int, int, int]) -> Numbers:
    """The bounding boxes (4, rows, columns) of all boxes under each position of a window."""
    top, bottom, left, right = window.pads
    for axis, pads in ((1, (top, bottom)), (2, (left, right))):
        before, after = (
            np.broadcast_to(
                _EMPTY[:, None, None],
                (4, *boxes.shape[1:axis], max(n, 0), *boxes.shape[axis + 1 :]),
            )
            for n in pads
        )
        padded = np.concatenate([before, boxes, after], axis)
        step, count = window.stride[axis - 1], output[axis - 1]
        found: Numbers | None = None
        for tap in range(window.size[axis - 1]):
            start = tap * window.dilation[axis - 1] + max(-pads[0], 0)  # windows may begin inside
            places = [slice(None)] * 3
            places[axis] = slice(start, start + (count - 1) * step + 1, step)
            part = padded[tuple(places)]
            found = part if found is None else _bounding(np.stack([found, part], axis=1))
        assert found is not None  # a window has at least one tap
        boxes = found
    return boxes


def _fully_connected(inputs: Sequence[LayerFields], output: tuple[int, int, int]) -> LayerFields:
    (source,) = inputs
    (top, bottom), (left, right) = source.spans(0), source.spans(1)
    field = Field((int(top.min()), int(left.min())), (int(bottom.max()), int(right.max())))
    boxes = _bounding(source.boxes.reshape(4, -1, 1, 1))[:, None]
    return LayerFields(output, np.zeros(output[2], np.intp), ((field,),), boxes)


def _pointwise_merge(inputs: Sequence[LayerFields]) -> LayerFields:
    read = list(zip(*(source.kinds.tolist() for source in inputs), strict=True))
    new = {kinds: index for index, kinds in enumerate(dict.fromkeys(read))}
    of_each = [list(zip(inputs, kinds, strict=True)) for kinds in new]
    fields = tuple(
        _without_covered([field for source, kind in parts for field in source.fields[kind]])
        for parts in of_each
    )
    boxes = [
        _bounding(np.stack([source.boxes[:, kind] for source, kind in parts], axis=1))
        for parts in of_each
    ]
    of_channel = np.array([new[kinds] for kinds in read])
    return LayerFields(inputs[0].grid, of_channel, fields, np.stack(boxes, axis=1))


def _spread(source: LayerFields, grid: tuple[int, int, int]) -> LayerFields:
    """The fields over a larger grid: along an axis of one index they are everywhere the same."""
    if source.grid == grid:
        return source
    moving = tuple(int(here == there) for here, there in zip(source.grid, grid, strict=True))
    fields = tuple(
        tuple(
            Field(field.first, field.last, (field.jump[0] * moving[0], field.jump[1] * moving[1]))
            for field in its_fields
        )
        for its_fields in source.fields
    )
    kinds = np.broadcast_to(source.kinds, grid[2])
    boxes = np.broadcast_to(source.boxes, (*source.boxes.shape[:2], *grid[:2]))
    return LayerFields(grid, kinds, fields, boxes)


def _pixel_channels(reads: PixelChannels, source: LayerFields) -> LayerFields:
    """Each channel of the output has the fields of all kinds of channels that it reads."""
    known: dict[tuple[int, ...], int] = {}
    of_range: dict[range, int] = {}
    for channels in reads.channels:
        if channels not in of_range:
            kinds = tuple(np.unique(source.kinds[channels.start : channels.stop]).tolist())
            of_range[channels] = known.setdefault(kinds, len(known))
    return LayerFields(
        (*source.grid[:2], len(reads.channels)),
        np.array([of_range[channels] for channels in reads.channels]),
        tuple(
            _without_covered([f for kind in kinds for f in source.fields[kind]]) for kinds in known
        ),
        np.stack([_bounding(source.boxes[:, list(kinds)]) for kinds in known], axis=1),
    )


def _concatenation(inputs: Sequence[LayerFields]) -> LayerFields:
    height, width, _ = inputs[0].grid
    known: dict[tuple[Fields, bytes], int] = {}
    fields: list[Fields] = []
    boxes: list[Numbers] = []
    kinds: list[npt.NDArray[np.intp]] = []
    for source in inputs:
        renamed = []
        for kind, its_fields in enumerate(source.fields):
            its_boxes = np.ascontiguousarray(source.boxes[:, kind])
            key = (its_fields, its_boxes.tobytes())
            if key not in known:
                known[key] = len(fields)
                fields.append(its_fields)
                boxes.append(its_boxes)
            renamed.append(known[key])
        kinds.append(np.array(renamed)[source.kinds])
    of_channel = np.concatenate(kinds)
    grid = (height, width, len(of_channel))
    return LayerFields(grid, of_channel, tuple(fields), np.stack(boxes, axis=1))


def _bounding(boxes: Numbers) -> Numbers:
    """The bounding box of several boxes, from (4, several, height, width) to (4, height, width)."""
    least = boxes.min(axis=1)
    most = boxes.max(axis=1)
    return np.stack([least[0], most[1], least[2], most[3]])


def _without_covered(fields: Sequence[Field]) -> Fields:
    """The intervals without those that lie in another one for every unit."""
    kept: list[Field] = []
    for field in dict.fromkeys(fields):
        if any(_covers(other, field) for other in kept):
            continue
        kept = [other for other in kept if not _covers(field, other)] + [field]
    # In a fixed order, so that equal kinds compare as equal.
    return tuple(sorted(kept, key=lambda field: (field.jump, field.first, field.last)))


def _covers(outer: Field, inner: Field) -> bool:
    return outer.jump == inner.jump and all(
        outer.first[axis] <= inner.first[axis] and outer.last[axis] >= inner.last[axis]
        for axis in (0, 1)
    )
