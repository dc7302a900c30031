"""Folding: what depends on no image is computed when the file is read.

Exporters write sizes as chains of Shape, Gather, Concat, …, and weights as Transpose, Cast or
DequantizeLinear of others. Each operator here is NumPy's, and the size of what it makes is weighed
before it is made: a file of a hundred bytes can ask for a tensor of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.text import in_bytes
from striate.importing.atoms import ViewError
from striate.importing.onnx_rules import (
    argument,
    dequantized,
    flattened,
    ints,
    old_broadcast,
    shape_of,
    slices,
    split_sizes,
    target_shape,
)
from striate.importing.operation_graph import OnnxOperation

UNSUSPICIOUS = 2**26
"""Bytes that the constants of any file may become."""
GROWTH = 8
"""How many times larger than the file all its folded constants may be."""

Fold = Callable[["Folder", OnnxOperation, Sequence[Array]], list[Array]]


class Folder:
    """Computes operations of constants, within a budget.

    Args:
        size: bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.room = UNSUSPICIOUS + GROWTH * size

    def folds(self, kind: str) -> bool:
        """Whether an operator is known here."""
        return kind in _FOLDS

    def fold(self, op: OnnxOperation, inputs: Sequence[Array | None]) -> list[Array]:
        """The outputs of an operation of constants.

        Args:
            op: the operation.
            inputs: its inputs, None where one is left out.

        Raises:
            ViewError: it is not known, its inputs do not fit, or its outputs are too large.
        """
        if op.kind not in _FOLDS:
            raise ViewError("no image enters it, and it is not computed beforehand")
        given = list(inputs)
        while given and given[-1] is None:
            given.pop()
        try:
            with np.errstate(all="ignore"):
                found = _FOLDS[op.kind](self, op, given)  # type: ignore[arg-type]
        except ViewError:
            raise
        except (ValueError, TypeError, IndexError, ArithmeticError, AttributeError) as error:
            raise ViewError("its constant inputs do not fit") from error
        for array in found:
            if not any(array is one or array.base is one for one in given):
                self.room -= array.nbytes
        return found

    def weigh(self, count: int, itemsize: int) -> None:
        """Refuse to make an array of so many numbers if it is larger than the file deserves."""
        if count * itemsize > self.room:
            raise ViewError(
                f"it makes {in_bytes(count * itemsize)} of constants, more than the file deserves"
                if count * itemsize < 2**50
                else "it makes far more constants than the file deserves"
            )


# The operators.


def _each(function: Callable[..., Any], *, keep: bool = True) -> Fold:
    """A function of numbers in the same place; `keep` the first input's type."""

    def fold(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
        arrays = _aligned(op, inputs)
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        folder.weigh(math.prod(shape), max(array.itemsize for array in arrays))
        found = np.asarray(function(*arrays))
        return [found.astype(arrays[0].dtype) if keep else found]

    return fold


def _aligned(op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    """Inputs as broadcast by the `axis` of the oldest operators."""
    if op.opset < 7 and op.attribute("broadcast", 0) and len(inputs) == 2:
        one, other = inputs
        other = other.reshape(old_broadcast(op, one.ndim, other.shape))
        return [one, other]
    return list(inputs)


def _divided(one: Array, other: Array) -> Array:
    if one.dtype.kind not in "iu":
        return np.asarray(one / other)
    if (other == 0).any():
        raise ViewError("it divides by 0")
    return np.asarray(np.trunc(one / other))


def _cast(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    from onnx import helper

    if op.kind == "CastLike":
        dtype = inputs[1].dtype
    else:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(op.attribute("to", 1)))
    if dtype.kind in "OSU":
        raise ViewError("it makes texts of numbers")
    folder.weigh(inputs[0].size, dtype.itemsize)
    return [inputs[0].astype(dtype)]


def _constant(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    kinds = {
        "value_float": np.float32, "value_floats": np.float32,
        "value_int": np.int64, "value_ints": np.int64,
    }  # fmt: skip
    for name, value in op.attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return [value]
        if name in kinds:
            return [np.asarray(value, kinds[name])]
    raise ViewError("its value is no tensor of numbers")


def _constant_of_shape(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    shape = ints(inputs[0])
    value = op.attributes.get("value", np.zeros(1, np.float32))
    folder.weigh(math.prod(shape), value.itemsize)
    return [np.full(shape, value.reshape(-1)[0], value.dtype)]


def _shape(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    return [shape_of(op, inputs[0].shape)]


def _gather(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    data, indices = inputs
    axis = op.attribute("axis", 0)
    folder.weigh(data.size // max(data.shape[axis], 1) * indices.size, data.itemsize)
    return [np.asarray(np.take(data, indices, axis=axis))]


def _concat(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    folder.weigh(sum(array.size for array in inputs), inputs[0].itemsize)
    return [np.concatenate(inputs, axis=op.attribute("axis", 1))]


def _slice(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    data = inputs[0]
    taken = [slice(None)] * data.ndim
    for axis, part in slices(op, data.ndim, inputs).items():
        taken[axis] = part
    return [data[tuple(taken)]]


def _unsqueeze(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    return [np.expand_dims(inputs[0], tuple(argument(op, inputs, 1, "axes") or ()))]


def _squeeze(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    axes = argument(op, inputs, 1, "axes")
    return [inputs[0].squeeze(None if axes is None else tuple(axes))]


def _reshape(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    wanted = argument(op, inputs, 1, "shape") or []
    zeros = bool(op.attribute("allowzero", 0))
    return [inputs[0].reshape(target_shape(inputs[0].shape, wanted, zeros))]


def _flatten(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].reshape(flattened(op, inputs[0].shape))]


def _transpose(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].transpose(op.integers("perm"))]


def _expand(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(ints(inputs[1])))
    folder.weigh(math.prod(shape), inputs[0].itemsize)
    return [np.broadcast_to(inputs[0], shape).copy()]


def _tile(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    repeats = ints(inputs[1])
    folder.weigh(inputs[0].size * math.prod(repeats), inputs[0].itemsize)
    return [np.tile(inputs[0], repeats)]


def _range(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    start, stop, step = (array.reshape(-1)[0].item() for array in inputs)
    count = max(math.ceil((stop - start) / step), 0)
    folder.weigh(count, inputs[0].itemsize)
    return [(start + step * np.arange(count)).astype(inputs[0].dtype)]


def _split(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    axis = op.attribute("axis", 0)
    sizes = split_sizes(op, inputs[0].shape[axis], inputs)
    return list(np.split(inputs[0], np.cumsum(sizes)[:-1], axis=axis))


def _reduce(function: Callable[..., Any]) -> Fold:
    def fold(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
        axes = argument(op, inputs, 1, "axes")
        if not axes and op.attribute("noop_with_empty_axes", 0):
            return [inputs[0]]
        keep = bool(op.attribute("keepdims", 1))
        found = function(inputs[0], axis=tuple(axes) if axes else None, keepdims=keep)
        return [np.asarray(found, inputs[0].dtype)]

    return fold


def _matmul(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    one, other = inputs
    folder.weigh(one.size // one.shape[-1] * max(other.size // other.shape[0], 1), one.itemsize)
    return [np.asarray(one @ other)]


def _where(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    shape = np.broadcast_shapes(*(array.shape for array in inputs))
    folder.weigh(math.prod(shape), inputs[1].itemsize)
    return [np.where(inputs[0], inputs[1], inputs[2])]


def _dequantize(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    folder.weigh(2 * inputs[0].size, 4)
    return [dequantized(op, inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None)]


def _quantize(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    values, scale = inputs[:2]
    zero = inputs[2] if len(inputs) > 2 else np.zeros((), np.uint8)
    if zero.dtype.kind not in "iu" or op.attribute("block_size", 0):
        raise ViewError("it quantises to numbers that are not whole, or in blocks")
    folder.weigh(2 * values.size, 4)
    shape = [1] * values.ndim
    if scale.size > 1:
        shape[op.attribute("axis", 1)] = scale.size
    steps = np.rint(values / scale.reshape(shape)) + zero.astype(np.float32).reshape(
        shape if zero.size > 1 else [1] * values.ndim
    )
    limits = np.iinfo(zero.dtype)
    return [np.clip(steps, limits.min, limits.max).astype(zero.dtype)]


def _clip(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    low = inputs[1] if len(inputs) > 1 and inputs[1] is not None else op.attribute("min", -math.inf)
    high = inputs[2] if len(inputs) > 2 else op.attribute("max", math.inf)
    return [np.minimum(np.maximum(inputs[0], low), high).astype(inputs[0].dtype)]


def _same(folder: Folder, op: OnnxOperation, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0]]


def _folded_sum(*arrays: Array) -> Array:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total


def _minimum(*arrays: Array) -> Array:
    return np.asarray(np.minimum.reduce(np.broadcast_arrays(*arrays)))


def _maximum(*arrays: Array) -> Array:
    return np.asarray(np.maximum.reduce(np.broadcast_arrays(*arrays)))


_FOLDS: dict[str, Fold] = {
    "Relu": _each(lambda x: np.maximum(x, 0)),
    "Abs": _each(np.abs),
    "Add": _each(np.add),
    "And": _each(np.logical_and),
    "Cast": _cast,
    "CastLike": _cast,
    "Ceil": _each(np.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Div": _each(_divided),
    "Dropout": _same,
    "Equal": _each(np.equal, keep=False),
    "Exp": _each(np.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _each(np.floor),
    "Gather": _gather,
    "Greater": _each(np.greater, keep=False),
    "GreaterOrEqual": _each(np.greater_equal, keep=False),
    "Identity": _same,
    "Less": _each(np.less, keep=False),
    "LessOrEqual": _each(np.less_equal, keep=False),
    "Log": _each(np.log),
    "MatMul": _matmul,
    "Max": _each(_maximum),
    "Min": _each(_minimum),
    "Mod": _each(np.mod),
    "Mul": _each(np.multiply),
    "Neg": _each(np.negative),
    "Not": _each(np.logical_not),
    "Or": _each(np.logical_or),
    "Pow": _each(np.power),
    "QuantizeLinear": _quantize,
    "Range": _range,
    "Reciprocal": _each(np.reciprocal),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": lambda folder, op, inputs: [np.asarray(inputs[0].size, np.int64)],
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _each(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _each(np.subtract),
    "Sum": _each(_folded_sum),
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}


def fold_graph(
    operations: Iterable[OnnxOperation], constants: dict[str, Array], folder: Folder
) -> list[OnnxOperation]:
    """Compute all that depends on constants only; what cannot be computed stays.

    Args:
        operations: of the graph, in order.
        constants: by the names of tensors; the new ones are added.
        folder: the budget.

    Returns:
        The operations that are left.
    """
    rest: list[OnnxOperation] = []
    for op in operations:
        if all(not name or name in constants for name in op.inputs) and folder.folds(op.kind):
            try:
                found = folder.fold(op, [constants[name] if name else None for name in op.inputs])
            except ViewError:  # told where it is in the way, if it is
                rest.append(op)
            else:
                constants.update(zip(op.outputs, found, strict=False))
        else:
            rest.append(op)
    return rest
