"""Operators of ONNX that move numbers or take some of them: shapes, axes, reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.axis_view import AxisView
from striate.importing.graph_writer import Foreign
from striate.importing.onnx_reading import Reader, Reading
from striate.importing.onnx_rules import (
    argument,
    flattened,
    ints,
    shape_of,
    slices,
    split_sizes,
    target_shape,
)
from striate.importing.operation_graph import OnnxOperation


def _viewed(move: Callable[[Reading, OnnxOperation, AxisView], AxisView]) -> Reader:
    """An operator that moves axes, and no number."""

    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        value = reading.value(op)
        return Foreign(value.node, move(reading, op, value.view))

    return read


def _integers(reading: Reading, op: OnnxOperation, place: int, name: str) -> list[int] | None:
    """A list that is an input or an attribute; it must not depend on the images."""
    reading.constant(op, place, name)
    return argument(op, reading.constants(op), place, name)


def _reshape(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    wanted = _integers(reading, op, 1, "shape")
    if wanted is None:
        raise ViewError("its shape is left out")
    return view.reshaped(target_shape(view.shape, wanted, bool(op.attribute("allowzero", 0))))


def _flatten(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    return view.reshaped(flattened(op, view.shape))


def _squeeze(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    axes = _integers(reading, op, 1, "axes")
    if axes is None:
        axes = [i for i, atoms in enumerate(view.axes) if not atoms]
    return view.squeezed(axes)


def _unsqueeze(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    return view.unsqueezed(_integers(reading, op, 1, "axes") or ())


def _transpose(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    order = op.integers("perm")
    return view.transposed(tuple(range(len(view.axes)))[::-1] if order is None else order)


def _expand(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    wanted = _integers(reading, op, 1, "shape") or []
    rank = max(len(wanted), len(view.axes))
    view = view.padded_to(rank)
    shape = [1] * (rank - len(wanted)) + wanted
    if any(new not in (1, old) for new, old in zip(shape, view.shape, strict=True)):
        raise ViewError("it repeats values of the image")
    return view


def _tile(reading: Reading, op: OnnxOperation, view: AxisView) -> AxisView:
    if any(count != 1 for count in _integers(reading, op, 1, "repeats") or ()):
        raise ViewError("it repeats values of the image")
    return view


def _shape(reading: Reading, op: OnnxOperation) -> Array:
    return shape_of(op, reading.value(op).shape)


def _size(reading: Reading, op: OnnxOperation) -> Array:
    return np.asarray(int(np.prod(reading.value(op).shape)), np.int64)


def _concat(reading: Reading, op: OnnxOperation) -> Foreign:
    values = [reading.value(op, place) for place in range(len(op.inputs))]
    return reading.writer.concatenated(values, op.attribute("axis", 1))


def _split(reading: Reading, op: OnnxOperation) -> list[Foreign]:
    value = reading.value(op)
    reading.constant(op, 1, "split")
    axis = value.view.position(op.attribute("axis", 0))
    sizes = split_sizes(op, value.shape[axis], reading.constants(op))
    ends = np.cumsum(sizes).tolist()
    return [
        # What nobody reads is not cut out.
        reading.writer.picked(value, axis, range(end - size, end))
        if reading.readers.get(name)
        else value
        for name, size, end in zip(op.outputs, sizes, ends, strict=True)
    ]


def _slice(reading: Reading, op: OnnxOperation) -> Foreign:
    value = reading.value(op)
    for place, what in enumerate(("starts", "ends", "axes", "steps"), start=1):
        reading.constant(op, place, what)
    for axis, part in slices(op, len(value.shape), reading.constants(op)).items():
        taken = range(value.shape[axis])[part]
        value = reading.writer.picked(value, axis, taken)
    return value


def _gather(reading: Reading, op: OnnxOperation) -> Foreign:
    value = reading.value(op)
    indices = reading.constant(op, 1, "indices")
    axis = value.view.position(op.attribute("axis", 0))
    if indices is None or indices.ndim > 1:
        raise ViewError("its indices have several axes")
    count = value.shape[axis]
    wanted = ints(indices)
    if any(not -count <= index < count for index in wanted):
        raise ViewError(f"its indices are none of {count} elements")
    picked = reading.writer.picked(value, axis, [index % count for index in wanted])
    if indices.ndim == 0:
        return Foreign(picked.node, picked.view.squeezed([axis]))
    return picked


def _reduce(kind: str) -> Reader:
    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        value = reading.value(op)
        axes: Sequence[int] | None = _integers(reading, op, 1, "axes")
        if not axes and op.attribute("noop_with_empty_axes", 0):
            return value
        axes = axes or range(len(value.shape))
        return reading.writer.reduction(value, kind, axes, bool(op.attribute("keepdims", 1)))

    return read


LAYOUT: dict[str, Reader] = {
    "Concat": _concat,
    "Expand": _viewed(_expand),
    "Flatten": _viewed(_flatten),
    "Gather": _gather,
    "ReduceMax": _reduce("Max"),
    "ReduceMean": _reduce("Avg"),
    "ReduceSum": _reduce("Sum"),
    "Reshape": _viewed(_reshape),
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _viewed(_squeeze),
    "Tile": _viewed(_tile),
    "Transpose": _viewed(_transpose),
    "Unsqueeze": _viewed(_unsqueeze),
}
