"""Where a batch enters a plan, and where what is found for its images lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.plan.input_tables import InputTables
from striate.plan.inputs import ImagesInPlace
from striate.plan.layout import Buffer
from striate.plan.plan import Plan, by_image


class BatchMemory:
    """The memory of a plan that belongs to one batch, as views of it, image by image.

    Args:
        plan: whose it is.
        arrays: memory for the buffers of `buffers_of_batch`; None for the plan's own.

    Attributes:
        raw: where images are copied to, (blocks, lanes, *shape); there is none where they are read
            where they lie.
        outputs, targets, weights, losses: of the images, (blocks, lanes, …).
        heads: for the loss "called", of each auxiliary head its outputs, and where the gradient of
            its loss enters.
    """

    def __init__(self, plan: Plan, arrays: Mapping[Buffer, Array] | None = None) -> None:
        self._settings = settings = plan.settings
        builder, stage = plan.builder, plan.input_stage
        network = builder.network
        own = {} if arrays is None else arrays

        def memory(buffer: Buffer) -> Array:
            return own[buffer] if buffer in own else plan.memory.array(buffer)

        def images(buffer: Buffer, shape: tuple[int, ...]) -> Array:
            return by_image(memory(buffer), buffer, settings, shape)

        if stage.loading.direct:
            found = {buffer: memory(buffer) for buffer in stage.of_batch}
            self._tables = InputTables(stage, found, settings.blocks)
        else:
            self.raw = images(stage.raw, network.input_shape)
        self.outputs = images(plan.out, network.output_shape)
        self._mask, self._keys = images(builder.mask, ()), images(builder.keys, ())
        self._images = memory(builder.images)
        self._shares = memory(builder.shares).reshape(settings.blocks, -1)[:, :2]
        # Images whose memory may hold numbers; that the mask knows.
        self._filled = self._present = 0
        if settings.loss is None:
            return
        self.targets = images(plan.targets, network.output_shape)
        self.weights, self.losses = images(plan.weights, ()), images(plan.losses, ())
        self.heads = [
            (images(outputs, network.output_shape), images(targets, network.output_shape))
            for outputs, targets in plan.heads
        ]

    def enter(
        self,
        images: Array | ImagesInPlace,
        targets: Array | None = None,
        weights: Array | None = None,
        keys: npt.NDArray[np.uint32] | None = None,
    ) -> None:
        """Write the images of a batch, and what they are to be learnt by."""
        count = len(images)
        # What an interrupted call has written must be cleared by the next one.
        filled, self._filled = self._filled, max(self._filled, count)
        if isinstance(images, ImagesInPlace):
            self._tables.point_to(images)
        else:
            _write(self.raw, images, filled)
        if self._settings.loss is not None:
            # Blocks without images run too: their gradients are zero and the order of every
            # sum stays the same.
            _write(self.targets, targets, filled)
            _write(self.weights, weights, filled)
            _write(self._keys, keys, filled)
            self.mark_present(count)
        self._filled = count

    def enter_gradients(self, output: Array, of_heads: list[Array]) -> None:
        """Write those of a loss that was called for the batch that has entered."""
        _write(self.targets, output, self._filled)
        for (_, own), part in zip(self.heads, of_heads, strict=True):
            _write(own, part, self._settings.batch_size)

    def mark_present(self, count: int) -> None:
        """Tell the plan which images of which blocks exist."""
        if count == self._present:
            return
        self._present = 0
        settings = self._settings
        present = np.arange(settings.blocks * settings.lanes) < count
        self._mask[...] = present.reshape(-1, settings.lanes)
        each = present.reshape(-1, settings.lanes).sum(axis=1)
        self._shares[:, 0] = 1 / np.maximum(each, 1)
        self._shares[:, 1] = each / count
        self._images[0] = count
        self._present = count

    @property
    def loss(self) -> float:
        """The sum of the images' losses."""
        return float(self.losses.sum(dtype=np.float64))


def buffers_of_batch(plan: Plan) -> list[Buffer]:
    """The buffers of a plan to learn by that belong to one batch, but for those of a call."""
    named = (buffer for name, buffer in plan.of_batch.items() if name != "gradient")
    return list(dict.fromkeys([*plan.input_stage.of_batch, plan.out, *named]))


def first_images(memory: Array, count: int) -> Array:
    """A copy of the first `count` images of a (blocks, lanes, …) view."""
    lanes = memory.shape[1]
    blocks = -(-count // lanes)
    copy: Array = memory[:blocks].reshape(blocks * lanes, *memory.shape[2:])[:count]
    return copy.copy() if copy.base is not None else copy


def _write(memory: Array, batch: Array | None, filled: int) -> None:
    """Fill the first images of a (blocks, lanes, …) view, and clear what was behind them."""
    if batch is None:
        return
    lanes, count = memory.shape[1], len(batch)
    whole, rest = divmod(count, lanes)
    inner = memory.shape[2:]
    memory[:whole] = batch[: whole * lanes].reshape(whole, lanes, *inner)
    if rest:
        memory[whole, :rest] = batch[whole * lanes :].reshape(rest, *inner)
        memory[whole, rest:] = 0
    if filled > count:
        memory[whole + bool(rest) :] = 0
