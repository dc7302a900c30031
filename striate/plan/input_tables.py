"""What an input stage reads that differs from batch to batch: which images, and their changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.plan.inputs import ImageChanges, ImagesInPlace
from striate.plan.layout import Buffer
from striate.plan.lowering.input_stage import SIDES, InputStage

# Larger than any row or column.
_FAR = 1e9
# What images are told that a batch does not have: they stay as they are.
_ABSENT = {
    "factor": 1.0,
    **dict(zip((f"padding {side}" for side in SIDES), (-_FAR, _FAR, -_FAR, _FAR), strict=True)),
    **dict(zip((f"cut {side}" for side in SIDES), (_FAR, -_FAR, _FAR, -_FAR), strict=True)),
}


class InputTables:
    """Tells an input stage that reads images where they lie what the images of a batch are.

    Args:
        stage: the stage.
        arrays: the memory of its `of_batch`, which is written to.
        blocks: of images.
    """

    def __init__(self, stage: InputStage, arrays: Mapping[Buffer, Array], blocks: int) -> None:
        self._stage, self._arrays, self._blocks = stage, arrays, blocks
        self._loading, self._image = loading, image = stage.loading, stage.image
        # How far the axis along a row goes from pixel to pixel.
        self._pixel = image.channels if stage.flat else 1
        # Where a batch has fewer images, zeros are read.
        kind = np.uint8 if loading.element == "u8" else np.float64
        self._nothing = np.zeros(image.features, kind)
        self._images = self._table(stage.addresses, np.int64, [self._nothing.ctypes.data])
        if loading.margin is not None:
            self._starts = self._table(stage.places, np.int32, [0, 0])
        if stage.names:
            absent = [_ABSENT[name] for name in stage.names]
            self._measures = self._table(stage.amounts, np.float32, absent)

    def point_to(self, picked: ImagesInPlace) -> None:
        """What the next run reads."""
        changes, count, loading = picked.changes, len(picked), self._loading
        picked.find(self._images.values[0, :count])
        self._images.write(count)
        if loading.margin is not None:
            self._place(changes, self._starts.values[:, :count])
            self._starts.write(count)
        if self._stage.names:
            self._measure(changes, count)
            self._measures.write(count)
        if loading.padded:
            self._paint(0, changes.padding)
        if loading.cut:
            self._paint(1, changes.colour)

    def _place(self, changes: ImageChanges, starts: npt.NDArray[np.int32]) -> None:
        """Where the rows and columns of each image begin in the tables of rows and columns."""
        starts[...] = 0 if changes.places is None else changes.places
        if changes.mirrored is not None:
            # The mirrored table comes behind the other, and begins with the other's last column.
            back = self._image.width + 4 * changes.margin - starts[1]
            np.copyto(starts[1], back, where=changes.mirrored)
        starts[1] *= self._pixel

    def _measure(self, changes: ImageChanges, count: int) -> None:
        """The factor of each image, and its rectangles."""
        if changes.factors is not None:
            self._amount_of("factor", count)[...] = changes.factors
        if self._loading.padded and changes.places is not None:
            tops, lefts = changes.margin - changes.places
            if changes.mirrored is not None:
                lefts = np.where(changes.mirrored, -lefts, lefts)
            self._rectangle("padding", tops, lefts, self._image.height, self._image.width)
        if changes.squares is not None:
            tops, lefts = changes.squares
            self._rectangle("cut", tops, lefts, changes.side, changes.side)

    def _rectangle(self, name: str, tops: Array, lefts: Array, height: int, width: int) -> None:
        """Both ends belong to it."""
        starts = lefts * self._pixel
        ends = (tops, tops + (height - 1), starts, starts + (width * self._pixel - 1))
        for side, end in zip(SIDES, ends, strict=True):
            self._amount_of(f"{name} {side}", len(end))[...] = end

    def _amount_of(self, name: str, count: int) -> Array:
        return self._measures.values[self._stage.names.index(name), :count]

    def _paint(self, number: int, colour: Array | None) -> None:
        period = self._stage.period
        memory = self._arrays[self._stage.colours][number * period : (number + 1) * period]
        memory.reshape(-1, self._image.channels)[...] = colour

    def _table(self, buffer: Buffer, dtype: npt.DTypeLike, absent: list[float]) -> _PerImage:
        lanes, kinds = self._stage.lanes, len(absent)
        memory = self._arrays[buffer].reshape(self._blocks, buffer.span)[:, : kinds * lanes]
        # To part an axis copies nothing: it is the memory that the kernels read.
        return _PerImage(memory.reshape(self._blocks, kinds, lanes), np.array(absent, dtype))


class _PerImage:
    """What differs from image to image.

    Attributes:
        values: by kind and image, to be written to; `write` puts them into the plan's blocks.
    """

    def __init__(self, memory: Array, absent: Array) -> None:
        blocks, kinds, lanes = memory.shape
        self.values: Array = np.empty((kinds, blocks * lanes), absent.dtype)
        self._memory, self._absent = memory, absent[:, None]
        self._by_block = self.values.reshape(kinds, blocks, lanes).swapaxes(0, 1)

    def write(self, count: int) -> None:
        """Tell the plan; behind the first `count` images there are none."""
        self.values[:, count:] = self._absent
        self._memory[...] = self._by_block
