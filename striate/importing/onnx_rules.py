"""What operators of ONNX mean in each version: shapes, slices, quantised numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.operation_graph import OnnxOperation


def ints(value: Array) -> list[int]:
    """A constant as whole numbers.

    Raises:
        ViewError: it holds others.
    """
    if value.dtype.kind not in "iu" or value.ndim > 1:
        raise ViewError("whole numbers are wanted")
    return [int(number) for number in value.reshape(-1)]


def argument(
    op: OnnxOperation, inputs: Sequence[Array | None], place: int, name: str
) -> list[int] | None:
    """Whole numbers that are an input in new versions of an operator, an attribute in old ones."""
    if len(inputs) > place and (given := inputs[place]) is not None:
        return ints(given)
    found = op.integers(name)
    return None if found is None else list(found)


def target_shape(shape: Sequence[int], wanted: Sequence[int], keep_zeros: bool) -> list[int]:
    """The shape that Reshape asks for, its 0 and -1 resolved.

    Raises:
        ViewError: it does not fit.
    """
    found = [
        shape[i] if extent == 0 and not keep_zeros and i < len(shape) else extent
        for i, extent in enumerate(wanted)
    ]
    total = math.prod(shape)
    rest = math.prod(extent for extent in found if extent != -1)
    if found.count(-1) == 1 and rest > 0 and total % rest == 0:
        found[found.index(-1)] = total // rest
    if any(extent < 0 for extent in found) or math.prod(found) != total or len(found) > 16:
        raise ViewError(f"{list(shape)} cannot be reshaped to {list(wanted)[:16]}")
    return found


def slices(op: OnnxOperation, rank: int, inputs: Sequence[Array | None]) -> dict[int, slice]:
    """What Slice takes of each axis that it names."""
    starts = argument(op, inputs, 1, "starts")
    ends = argument(op, inputs, 2, "ends")
    if starts is None or ends is None:
        raise ViewError("it has no starts or ends")
    axes = argument(op, inputs, 3, "axes") or list(range(len(starts)))
    steps = argument(op, inputs, 4, "steps") or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ViewError("its starts, ends, axes and steps do not fit")
    found = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -rank <= axis < rank:
            raise ViewError(f"axis {axis} is none of the {rank} axes")
        # An end before the first element, which NumPy would count from the end.
        stop = None if step < 0 and end < -(2**31) + 1 else end
        found[axis % rank] = slice(start, stop, step)
    return found


def split_sizes(op: OnnxOperation, extent: int, inputs: Sequence[Array | None]) -> list[int]:
    """How long the parts are into which Split divides an axis."""
    given = argument(op, inputs, 1, "split")
    count = len(op.outputs)
    if given is None:
        size = -(-extent // count)
        given = [min(size, extent - size * i) for i in range(count)]
    if sum(given) != extent or len(given) != count or any(size < 0 for size in given):
        raise ViewError(f"{extent} elements are not split into {given[:8]}")
    return given


def old_broadcast(op: OnnxOperation, rank: int, shape: Sequence[int]) -> list[int]:
    """The shape of a second input before version 7: its axes begin at `axis` of the first."""
    axis = op.attribute("axis", rank - len(shape))
    axis += rank if axis < 0 else 0
    if not 0 <= axis <= rank - len(shape):
        raise ViewError(f"{len(shape)} axes are broadcast to {rank} from axis {axis} on")
    return [*shape, *([1] * (rank - axis - len(shape)))]


def shape_of(op: OnnxOperation, shape: Sequence[int]) -> Array:
    """The output of Shape for a tensor of this shape."""
    start, end = op.attribute("start", 0), op.attribute("end", len(shape))
    return np.asarray(list(shape)[start:end], np.int64)


def flattened(op: OnnxOperation, shape: Sequence[int]) -> list[int]:
    """The shape that Flatten makes."""
    axis = op.attribute("axis", 1)
    axis += len(shape) if axis < 0 else 0
    return [math.prod(shape[:axis]), math.prod(shape[axis:])]


def dequantized(op: OnnxOperation, values: Array, scale: Array, zero: Array | None) -> Array:
    """(values - zero) · scale, per tensor or along an axis."""
    if op.attribute("block_size", 0):
        raise ViewError("its weights are quantised in blocks")
    axis = op.attribute("axis", 1)
    if scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = scale.size
        scale = scale.reshape(shape)
        zero = None if zero is None else zero.reshape(shape)
    else:
        scale = scale.reshape(())
        zero = None if zero is None else zero.reshape(())
    wide = values.astype(np.float32)
    if zero is not None:
        wide = wide - zero.astype(np.float32)
    return np.asarray(wide * scale.astype(np.float32))
