"""All memory of a plan: sizes of tasks, liveness and allocation put together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from striate.nest.ir import Number
from striate.nest.target import Target
from striate.plan.layout import Buffer
from striate.plan.memory.allocation import allot, dtype_of
from striate.plan.memory.liveness import Use, elements_of, instances_of, private_buffers, uses_of
from striate.plan.memory.task_size import choose_task_sizes
from striate.plan.stage import RecordedStages

Given = Mapping[Buffer, npt.NDArray[np.generic]]


class Memory:
    """The memory of all buffers of a recording, made for so many threads.

    Args:
        given: buffers that have memory already, such as the network's weights.

    Attributes:
        arrays: the memory of each buffer: that of the first thread, where each has some of its own.
        strides: bytes from a thread's memory of a buffer to the next thread's.
        private: buffers that each thread has for itself.

    Raises:
        ValueError: a given array has another type or too few numbers, or is not contiguous.
    """

    def __init__(
        self, recording: RecordedStages, element: Number, target: Target, threads: int, given: Given
    ) -> None:
        self._recording, self.element, self._threads = recording, element, threads
        for buffer, array in given.items():
            self._check(buffer, array)
        self.private = private_buffers(recording)
        choose_task_sizes(recording, element, target)
        found = allot([use for use in self.uses() if use.buffer not in given], element)
        self.arrays: dict[Buffer, npt.NDArray[np.generic]] = {**given, **found.arrays}
        self.strides = found.strides

    def uses(self) -> list[Use]:
        """From when to when each buffer holds something."""
        return uses_of(self._recording, self.private, self._threads)

    def array(self, buffer: Buffer) -> npt.NDArray[np.generic]:
        """A buffer's memory; of one that no step uses, some memory all the same."""
        if buffer not in self.arrays:
            size = elements_of(buffer, instances_of(buffer, self._recording))
            self.arrays.update(allot([Use(buffer, size, 0, 0)], self.element).arrays)
        return self.arrays[buffer]

    @property
    def bytes(self) -> int:
        """Memory of all buffers."""
        bases = {id(base): base for base in map(base_of, self.arrays.values())}
        return sum(array.nbytes for array in bases.values())

    def _check(self, buffer: Buffer, array: npt.NDArray[np.generic]) -> None:
        wanted = np.dtype(dtype_of(buffer, self.element))
        if array.dtype != wanted or array.size < buffer.size or not array.flags.c_contiguous:
            raise ValueError(
                f"{buffer.name!r} needs {buffer.size} contiguous numbers of {wanted}, got "
                f"{array.dtype} of shape {array.shape}"
            )


def base_of(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The array that a view, perhaps of views, is a part of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
