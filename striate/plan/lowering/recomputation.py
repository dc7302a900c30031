"""Recomputation: values that the backward pass computes again, instead of keeping them.

Also known as gradient checkpointing or rematerialisation.
What the backward pass reads lives from the forward pass on, all of it at once in between: this
decides how much memory a training step takes.  Some values cost little to compute once more:

- Batch normalisation is repeated in each stage that reads it, one block of images at a time, as
  long as what it needs is kept.
- Large sums, and some convolutions with large outputs, are repeated once, when the backward pass
  first reads them.  Then they are kept, but by then much of the memory is free again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from striate.layers import Add, BatchNorm
from striate.model.model import Model
from striate.nest.ir import BYTES
from striate.plan.analysis.operations import Graph, Operation
from striate.plan.layout import Image
from striate.plan.lowering.recorder import Recorder
from striate.plan.settings import Settings
from striate.plan.stage import Stage

Values = dict[int, Image]

# Bytes of a value, of all images, that are worth some time.
_LARGE = 12 << 20
# Multiply-adds for each output of a convolution that is worth repeating; of one that sums read,
# which are repeated early; and how large a part of a whole step's all of those may be.
_CHEAP, _CHEAP_EARLY, _SHARE = 160, 32, 1 / 24


class Recomputation:
    """Which values are computed again, and how.

    Attributes:
        is_backward: whether the steps that are being recorded belong to the backward pass.
        step: multiply-adds of an image in all passes of all convolutions.
    """

    def __init__(
        self, network: Model, graph: Graph, settings: Settings, recorder: Recorder, values: Values
    ) -> None:
        self._network, self._graph, self._settings = network, graph, settings
        self._recorder, self._values = recorder, values
        self._everywhere: dict[int, Callable[[], None]] = {}
        self._once: dict[int, Callable[[], None]] = {}
        self._made: dict[int, Stage] = {}
        self._spent = 0.0
        self.step = 0.0
        self.is_backward = False

    def everywhere(self, value: int, record: Callable[[], None]) -> None:
        """Let a value be computed again in each stage where it is read; not one that is kept anyway
        since it is part of another.
        """
        if self._values[value].pitch:
            return
        self._everywhere[value] = record
        self._made[value] = self._recorder.stage()

    def once(self, value: int, record: Callable[[], None]) -> None:
        """Let a value be computed again when the backward pass first reads it; not one that is part
        of another.
        """
        if self._values[value].pitch:
            return
        self._once[value] = record

    def is_kept(self, value: int) -> bool:
        """Whether it need not be computed in each stage where it is read."""
        return value not in self._everywhere

    def refresh(self, values: Iterable[int]) -> None:
        """Before `values` are read: compute what is not there."""
        for value in values:
            if self.is_backward and value in self._once:
                self._record(value, self._once.pop(value))
            stage = None if self.is_kept(value) else self._recorder.stage()
            if stage is not None and self._made[value] is not stage:
                self._made[value] = stage
                self._record(value, self._everywhere[value])

    def _record(self, value: int, record: Callable[[], None]) -> None:
        recorder = self._recorder
        self._values[value] = self._values[value].copied()
        name = self._network.nodes[value].name
        reader, recorder.label = recorder.label, f"{name} again"
        record()
        recorder.label = reader

    # --- what is worth it ----------------------------------------------------------------------

    def sum(self, operation: Operation, record: Callable[[], None]) -> None:
        """Repeat a large sum; of a chain of them each, from the first on."""
        if self._is_large(operation):
            self.once(operation.node, record)

    def convolution(
        self, operation: Operation, products: float, record: Callable[[], None]
    ) -> None:
        """Repeat a convolution of few `products`, if nothing but batch normalisation reads it."""
        readers_of = self._graph.readers_of
        readers = readers_of.get(operation.node, ())
        if len(readers) != 1 or not isinstance(readers[0].layer, BatchNorm):
            return
        after = readers_of.get(readers[0].node, ())
        early = any(isinstance(reader.layer, Add) for reader in after)
        outputs = self._values[operation.node].features
        cheap = products <= (_CHEAP_EARLY if early else _CHEAP) * outputs
        affordable = self._spent + products <= _SHARE * self.step
        if self._is_large(operation) and cheap and affordable:
            self._spent += products
            self.once(operation.node, record)

    def _is_large(self, operation: Operation) -> bool:
        """Whether a value takes much memory between the forward and the backward pass."""
        settings, image = self._settings, self._values[operation.node]
        size = image.buffer.span * settings.blocks * BYTES[settings.element]
        return settings.loss is not None and size >= _LARGE
