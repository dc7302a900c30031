"""Checks of the arguments that the functions of scipy.ndimage share, with SciPy's error types."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

from striate.common.arrays import Array
from striate.common.errors import StriateValueError

# What SciPy's loops are compiled for; complex numbers are two arrays of these.
_TYPES = frozenset("?bBhHiIlLqQfd")
_PARTS = {"F": "f", "D": "d"}

# scipy.ndimage's names for the borders of a filter, and striate's.
_BORDERS = {
    "reflect": "reflect",
    "grid-mirror": "reflect",
    "constant": "fill",
    "grid-constant": "fill",
    "nearest": "nearest",
    "mirror": "mirror",
    "wrap": "wrap",
    "grid-wrap": "wrap",
}


def border(mode: Any) -> str:
    """striate's name for the border `mode`.

    Raises:
        RuntimeError: the mode is unknown.
    """
    name = _BORDERS.get(mode) if isinstance(mode, str) else None
    if name is None:
        raise RuntimeError(
            f"boundary mode not supported: {mode!r}; it must be one of {', '.join(_BORDERS)}"
        )
    return name


def each(value: Any, count: int) -> list[Any]:
    """A list of `count` values: those given, or one value repeated.

    Raises:
        RuntimeError: another number of values is given.
    """
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise RuntimeError(
            "sequence argument must have length equal to input rank: "
            f"got {len(values)} values for {count} axes"
        )
    return values


def checked_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes as indices from the front, in the order given; all for None.

    Raises:
        ValueError: an axis is out of range or is given twice, or `axes` is neither a number nor
            several.
        TypeError: an axis is not a whole number.
    """
    if axes is None:
        return tuple(range(ndim))
    if np.isscalar(axes):
        axes = (axes,)
    elif not isinstance(axes, Iterable):
        raise StriateValueError(
            f"axes must be an integer, iterable of integers, or None, not {axes!r}"
        )
    chosen = []
    for given in axes:
        axis = operator.index(given)
        if not -ndim <= axis < ndim:
            raise AxisError(f"specified axis: {axis} is out of range for {ndim} dimensions")
        chosen.append(axis % ndim)
    if len(set(chosen)) < len(chosen):
        raise StriateValueError(f"axes must be unique, got {tuple(chosen)}")
    return tuple(chosen)


def checked_axis(axis: Any, ndim: int) -> int:
    """One axis as an index from the front.

    Raises:
        numpy.exceptions.AxisError: it is out of range.
    """
    index = operator.index(axis)
    if not -ndim <= index < ndim:
        raise AxisError(index, ndim)
    return index % ndim


def new_output(output: Any, input: Array, is_complex: bool = False, stacklevel: int = 3) -> Array:
    """The array to write to: the one given, or a new one of the dtype given or of the input's.

    Raises:
        RuntimeError: the output has another shape than the input, or cannot hold the result.
    """
    if output is None:
        dtype = input.dtype
        if dtype.char not in _TYPES or not dtype.isnative:
            # By name: the byte order of the machine, and an error for types without numbers.
            dtype = np.dtype(dtype.name)
        return np.empty(input.shape, np.promote_types(dtype, np.complex64) if is_complex else dtype)
    if isinstance(output, type | np.dtype):
        dtype = np.dtype(output)
        if is_complex and dtype.kind != "c":
            warnings.warn("promoting specified output dtype to complex", stacklevel=stacklevel)
            dtype = np.promote_types(dtype, np.complex64)
        return np.empty(input.shape, dtype)
    if isinstance(output, str):
        dtype = np.dtype(output)
        if is_complex and dtype.kind != "c":
            raise RuntimeError(f"output must have complex dtype, not {dtype}")
        if not issubclass(dtype.type, np.number):
            raise RuntimeError(f"output must have numeric dtype, not {dtype}")
        return np.empty(input.shape, dtype)
    array = np.asarray(output)
    if array.shape != input.shape:
        raise RuntimeError(
            f"output shape not correct: it must be {input.shape}, but is {array.shape}"
        )
    if is_complex and array.dtype.kind != "c":
        raise RuntimeError(f"output must have complex dtype, not {array.dtype}")
    return array


def check_types(input: Array, output: Array, is_complex: bool = False) -> None:
    """Refuse arrays that scipy.ndimage has no loop for, and an output that is read-only.

    Raises:
        RuntimeError: a dtype is not supported.
        ValueError: the output is read-only.
    """
    for array in (input, output):
        char = array.dtype.char
        if (_PARTS.get(char, char) if is_complex else char) not in _TYPES:
            raise RuntimeError(f"array type {array.dtype!r} not supported")
    if not output.flags.writeable:
        raise StriateValueError("output array is read-only.")


def real_number(cval: Any) -> float:
    """`cval` as a float.

    Raises:
        TypeError: it is not a real number.
    """
    return math.ldexp(cval, 0)


def checked_origin(origin: Any, size: int, message: str) -> int:
    """The origin of a filter of `size`, an index relative to its centre ``size // 2``.

    Raises:
        ValueError: it lies outside the filter; `message` says so.
        TypeError: it is not a whole number.
    """
    if not 0 <= size // 2 + origin < size:
        raise StriateValueError(message)
    return operator.index(origin)
