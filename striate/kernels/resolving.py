"""Resolves what a user gives for a kernel, a name, numbers, a file or an array, to a `Kernel`."""

from __future__ import annotations

import os
import re

import numpy.typing as npt

from striate.common.arrays import Array, as_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.kernels import registry, typed_numbers
from striate.kernels.kernel import Dimensions, Kernel

# The beginning of a number.
_NUMERIC = re.compile(r"[+\-−]?\.?\d")


def resolve(
    kernel: Kernel | str | os.PathLike[str] | npt.ArrayLike,
    size: int | None = None,
    dimensions: Dimensions = 2,
) -> Kernel:
    """Return the `Kernel` for a name, typed numbers, a file or an array.

    A text is, in this order: a name that `named` knows, with `size` if given; numbers as `parse`
    takes them; the path of a file as `read` takes it. (For a file that is called like a kernel,
    write "./mean".)

    Args:
        kernel: the text, path, array or `Kernel`.
        size: rows and columns of a kernel given by name.
        dimensions: 2 for images: a single row, of shape (n,), is taken as (1, n). 1 for signals:
            an array of one row or one column is taken as (n,).

    Raises:
        TypeError: `kernel` holds something else than real numbers.
        ValueError: the name is unknown, the file cannot be read, the numbers are not a kernel of
            these dimensions, or `size` is given for something else than a name.
    """
    if isinstance(dimensions, bool) or dimensions not in (1, 2):
        raise StriateValueError(f"dimensions of a kernel must be 1 or 2, got {dimensions!r}")
    if isinstance(kernel, str):
        text = kernel.strip()
        if not text:
            raise StriateValueError("the kernel is empty; give a name, numbers or a file")
        if typed_numbers.looks_typed(text):
            return _fit(text, typed_numbers.parse(text), size, dimensions)
        if registry.is_name(text):
            return registry.named(text, size, dimensions)
        if _is_path(text):
            return _fit(text, typed_numbers.read(text), size, dimensions)
        if _NUMERIC.match(text):  # only to say what is wrong with the numbers
            return _fit(text, typed_numbers.parse(text), size, dimensions)
        raise StriateValueError(registry.unknown(text, dimensions))
    if isinstance(kernel, os.PathLike):
        return _fit(os.fspath(kernel), typed_numbers.read(kernel), size, dimensions)
    if isinstance(kernel, Kernel):
        _no_size(kernel.name, size)
        if kernel.dimensions != dimensions:
            raise StriateValueError(
                f"the kernel {kernel.name!r} has {kernel.dimensions} dimensions, "
                f"and {dimensions} are needed"
            )
        return kernel
    return _fit("array", _array(kernel), size, dimensions)


def _is_path(text: str) -> bool:
    """Return whether `text` is meant as a file: by its ending, a folder in it, or being one."""
    suffix = os.path.splitext(text)[1].lower()
    in_folder = os.path.basename(text) != text and not _NUMERIC.match(text)  # "1/9 x" is a typo
    return suffix in typed_numbers.SUFFIXES or in_folder or os.path.exists(text)


def _array(value: npt.ArrayLike) -> Array:
    """Return `value` as an array of real numbers."""
    array = as_array(value, "array")
    if array.dtype.kind not in "biuf":
        raise StriateTypeError(
            "a kernel is a name, numbers, a file or an array of real numbers, "
            f"got {type(value).__name__} ({array.dtype})"
        )
    return array


def _fit(name: str, array: Array, size: int | None, dimensions: Dimensions) -> Kernel:
    """Return the kernel of `array`, with a row or column in the form that `dimensions` asks."""
    _no_size(name, size)
    if dimensions == 2 and array.ndim == 1:
        array = array[None]
    if dimensions == 1 and array.ndim == 2:
        if 1 not in array.shape:
            raise StriateValueError(
                f"{name}: the kernel for a signal is one row of numbers, got {array.shape[0]} rows "
                f"of {array.shape[1]}"
            )
        array = array.reshape(-1)
    if array.ndim != dimensions:
        raise StriateValueError(
            f"{name}: the kernel must have {dimensions} dimensions, got shape {array.shape}"
        )
    return Kernel(name, (array,))


def _no_size(name: str, size: int | None) -> None:
    """Refuse a size for a kernel that has its own."""
    if size is not None:
        raise StriateValueError(
            f"size {size} is given, but the kernel {name!r} has its own; "
            "a size goes with a name such as 'mean'"
        )
