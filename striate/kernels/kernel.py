"""What a filter is: one kernel, or several whose responses are combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from striate.common.arrays import Array, as_array
from striate.common.errors import StriateTypeError, StriateValueError

Dimensions = Literal[1, 2]
Combine = Literal["one", "magnitude", "maximum"]

LARGEST = 2**24
"""No kernel may have more numbers: 4096×4096, far beyond any use, in 128 MiB."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """Kernels of 1 or 2 dimensions, made for convolution, and how their responses are combined.

    Attributes:
        name: for people; of a kernel by name the name, of a file its path.
        arrays: read-only float64 arrays of one shape.
        combine: what a filter returns:

            * "one": the convolution with the only array;
            * "magnitude": ``sqrt(a² + b² + …)`` of the convolutions with each array;
            * "maximum": the largest of the convolutions with each array, number by number.

    Raises:
        TypeError: the arrays hold something else than real numbers.
        ValueError: there is none, one is empty, too large or not finite, they differ in shape or
            have neither 1 nor 2 dimensions, or "one" comes with several arrays.
    """

    name: str
    arrays: tuple[Array, ...]
    combine: Combine = "one"

    def __post_init__(self) -> None:
        checked = tuple(_check(array, self.name) for array in self.arrays)
        shapes = [array.shape for array in checked]
        if not shapes or len(set(shapes)) > 1:
            raise StriateValueError(f"{self.name}: needs arrays of one shape, got {shapes}")
        if self.combine not in ("one", "magnitude", "maximum"):
            raise StriateValueError(
                f'{self.name}: combine must be "one", "magnitude" or "maximum", '
                f"got {self.combine!r}"
            )
        if self.combine == "one" and len(shapes) > 1:
            raise StriateValueError(
                f'{self.name}: combine="one" takes one array, got {len(shapes)}; use "magnitude" '
                'or "maximum", or a chain of kernels'
            )
        object.__setattr__(self, "arrays", checked)

    @property
    def dimensions(self) -> Dimensions:
        """1 for signals, 2 for images."""
        return 1 if self.arrays[0].ndim == 1 else 2

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of each array."""
        return self.arrays[0].shape

    def combined(self, responses: Sequence[Array]) -> Array:
        """Return the filter's response from those to each of `arrays`.

        Args:
            responses: the convolutions with each of `arrays`, in their order: arrays of one shape
                and dtype, floating for "magnitude".

        Returns:
            The first of them, overwritten; "magnitude" overwrites the others too.

        Raises:
            ValueError: there are more or fewer than kernels.
        """
        if len(responses) != len(self.arrays):
            raise StriateValueError(
                f"{self.name}: has {len(self.arrays)} kernels, got {len(responses)} answers"
            )
        result, *others = responses
        if self.combine == "magnitude":
            # Not hypot: it is several times as slow, and guards against sizes no image has.
            np.square(result, out=result)
            for response in others:
                result += np.square(response, out=response)
            return np.asarray(np.sqrt(result, out=result))
        for response in others:
            np.maximum(result, response, out=result)
        return result


def _check(array: Array, name: str) -> Array:
    """Return `array` as a read-only float64 copy."""
    array = as_array(array, name)
    if array.dtype.kind not in "biuf":
        raise StriateTypeError(
            f"{name}: a kernel holds real numbers, got an array of {array.dtype}"
        )
    if array.ndim not in (1, 2):
        raise StriateValueError(f"{name}: a kernel has 1 or 2 dimensions, got shape {array.shape}")
    if array.size == 0:
        raise StriateValueError(f"{name}: the kernel is empty, of shape {array.shape}")
    if array.size > LARGEST:
        raise StriateValueError(
            f"{name}: a kernel of shape {array.shape} is too large; "
            f"at most {LARGEST} numbers are taken"
        )
    copy = np.array(array, np.float64, order="C")
    bad = np.argwhere(~np.isfinite(copy))
    if len(bad):
        where = tuple(int(index) for index in bad[0])
        raise StriateValueError(
            f"{name}: every number of a kernel must be finite, got {copy[where]} at {where}"
        )
    copy.flags.writeable = False
    return copy
