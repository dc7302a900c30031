"""Kinds of arrays, for type hints, and the door through which users' arrays come in.

Whatever a user gives as an array passes `as_array`, so that nothing is silently lost on the way:
the mask of a masked array, the zeros of a sparse matrix, rows of unequal length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut, reason

Array = npt.NDArray[Any]
"""Of any dtype."""
Floats = npt.NDArray[np.float32]
"""What networks compute with."""
Images = npt.NDArray[Any]
"""uint8 or float32, (n, height, width, channels)."""


def as_array(value: Any, what: str, who: str = "") -> Array:
    """`value` as an array of whatever dtype it has.

    Args:
        value: an array, anything that NumPy makes an array of, such as nested lists, data frames
            and tensors in the processor's memory.
        what: the name of the argument, for messages.
        who: the function, for messages.

    Raises:
        ValueError: elements are masked, or rows have unequal lengths.
        TypeError: it is a sparse matrix, or an object that NumPy cannot read.
    """
    if type(value) is np.ndarray:
        return value
    name = f"{who}: {what}" if who else what
    if is_sparse(value):
        raise StriateTypeError(
            f"{name}: a sparse matrix is not supported, make it dense with .toarray()"
        )
    refuse_masked(value, name)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise StriateValueError(
            f"{name} cannot be made an array; its rows must have equal lengths "
            f"({cut(reason(error), 200)})"
        ) from None
    except (TypeError, RuntimeError) as error:  # such as tensors that want gradients
        raise StriateTypeError(
            f"{name} cannot be made an array of {type(value).__name__}: {cut(reason(error), 300)}"
        ) from None


def as_real_array(value: Any, what: str, who: str = "") -> Array:
    """`value` as an array of real numbers: integers, floats or booleans.

    Raises:
        TypeError: it holds something else: complex numbers, dates, text, records, objects.
        ValueError: as `as_array`.
    """
    array = as_array(value, what, who)
    if array.dtype.kind not in "buif":
        name = f"{who}: {what}" if who else what
        advice = {
            "c": "; take its .real part, or np.abs",
            "O": "; if these are numbers, use .astype(float)",
            "V": "; take one of its fields",
        }.get(array.dtype.kind, "")
        raise StriateTypeError(
            f"{name} must be an array of real numbers, got dtype "
            f"{cut(str(array.dtype), 80)}{advice}"
        )
    return array


def refuse_masked(value: Any, name: str) -> None:
    """Raise a ValueError if elements of `value`, which messages call `name`, are masked."""
    if hides_elements(value):
        raise StriateValueError(
            f"{name} has masked elements, for which there is no number; fill them first "
            "(.filled(0)), or leave them out"
        )


def is_sparse(value: Any) -> bool:
    """Whether it is a sparse matrix, array or tensor, of SciPy or another library."""
    return not isinstance(value, np.ndarray) and hasattr(value, "toarray") and hasattr(value, "nnz")


def hides_elements(value: Any) -> bool:
    """Whether an array is masked somewhere, or an array within lists."""
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmask(value)
        return bool(mask.dtype.names) or bool(mask.any())  # records have a mask for each field
    if isinstance(value, (list, tuple)):
        return any(
            hides_elements(part)
            for part in value
            if isinstance(part, (list, tuple, np.ma.MaskedArray))
        )
    return False


def looks_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether images of `shape` (height, width, channels) look like (channels, height, width)."""
    if len(shape) != 3:
        return False
    first, second, third = shape
    # Signals of one row are as long as they like, but images are not that far from square.
    return first <= 4 < min(second, third) and max(second, third) <= 4 * min(second, third)
