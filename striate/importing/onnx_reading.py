"""What the operators of an ONNX graph are read with: values, constants, the writer, notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.graph_writer import Foreign, GraphWriter
from striate.importing.operation_graph import OnnxOperation, OperationGraph
from striate.layers import Layer

Result = Foreign | Array
Reader = Callable[["Reading", OnnxOperation], Result | Sequence[Result]]
"""Reads an operation: its output, or all its outputs in order."""

# What exporters call the weights of a layer, behind the layer's name.
_WEIGHTS = {
    "weight", "weights", "bias", "filters", "kernel", "gamma", "beta", "scale", "shift", "slope",
    "mean", "variance", "running_mean", "running_var", "moving_mean", "moving_variance",
}  # fmt: skip


@dataclass(frozen=True)
class Border:
    """What Pad adds to each axis, other than zeros: `mode` is how, "lowest" for no numbers."""

    mode: str
    before: tuple[int, ...]
    after: tuple[int, ...]


class Reading:
    """A graph while it is read.

    Args:
        graph: the graph.
        layers_only: make layers of what could be preprocessing too.

    Attributes:
        writer: collects the layers.
        values: the tensors that depend on the images, by name.
        consumers: the operations that read each tensor.
        readers: how many they are; the output counts as one.
        borders: what stands around a tensor of `values` in the file, where whatever reads it takes
            that for padding of its own.
        sole: the tensors that all of the input's way goes through, with no layer before them.
        scale, shift: by which each channel of the input is multiplied, and what is added then, or
            None: what becomes the preprocessing.
        notes: what was left out, for the user.
    """

    def __init__(self, graph: OperationGraph, *, layers_only: bool = False) -> None:
        self.graph = graph
        self.layers_only = layers_only
        self.writer = GraphWriter()
        self.values: dict[str, Foreign] = {}
        self.consumers = graph.consumers()
        self.readers = {name: len(ops) for name, ops in self.consumers.items()}
        for tensor in graph.outputs:
            self.readers[tensor.name] = self.readers.get(tensor.name, 0) + 1
        self.borders: dict[str, Border] = {}
        self.sole: set[str] = set()
        self.scale: Array | None = None
        self.shift: Array | None = None
        self.notes: list[str] = []

    def value(self, op: OnnxOperation, place: int = 0) -> Foreign:
        """An input that depends on the images.

        Raises:
            ViewError: it is left out, or a constant.
        """
        name = op.inputs[place] if len(op.inputs) > place else ""
        if not name:
            raise ViewError("an input is left out")
        if name not in self.values:
            raise ViewError("a constant stands where values of the image are read")
        return self.values[name]

    def constant(self, op: OnnxOperation, place: int, what: str) -> Array | None:
        """An input that is a constant, None where it is left out.

        Raises:
            ViewError: it depends on the images.
        """
        name = op.inputs[place] if len(op.inputs) > place else ""
        if not name:
            return None
        if name in self.values:
            raise ViewError(f"its {what} depends on the image")
        return self.graph.constants[name]

    def weights(self, op: OnnxOperation, place: int, what: str) -> Array:
        """A constant that must be there, of real numbers.

        Raises:
            ViewError: it is left out, depends on the images, or holds no numbers.
        """
        array = self.constant(op, place, what)
        if array is None:
            raise ViewError(f"its {what} is left out")
        if array.dtype.kind in "cbOSU":
            raise ViewError(f"its {what} holds no real numbers")
        return array

    def constants(self, op: OnnxOperation) -> list[Array | None]:
        """All inputs, None where one is left out or depends on the images."""
        return [self.graph.constants.get(name) for name in op.inputs]

    def is_constant(self, op: OnnxOperation, place: int) -> bool:
        """Whether an input is a constant."""
        return op.inputs[place] in self.graph.constants

    def name(self, op: OnnxOperation, place: int | None = None) -> str:
        """A name for the layer of an operation: that in the name of its weights, if they have one.

        Args:
            op: the operation.
            place: which input has the weights; None if it has none.
        """
        if place is not None:
            stem, dot, last = op.inputs[place].replace("/", ".").rpartition(".")
            if dot and last.split(":")[0] in _WEIGHTS and "::" not in stem:
                return stem
        return op.name

    def elementwise(self, op: OnnxOperation, layer: Layer) -> Foreign:
        """The output of a layer that treats each number of the first input alone."""
        return self.writer.elementwise(self.value(op), layer)

    def affine(
        self,
        value: Foreign,
        scale: Array | None,
        shift: Array | None,
        op: OnnxOperation,
        place: int,
    ) -> Foreign:
        """A tensor times constants, plus constants: part of the preprocessing at the input.

        Args:
            value: the tensor.
            scale, shift: broadcast to it, or None.
            op: the operation, of which the layer has its name.
            place: the input with the constants.
        """
        rank = max(
            len(value.shape),
            *(array.ndim for array in (scale, shift) if array is not None),
        )
        value = Foreign(value.node, value.view.padded_to(rank))
        image = self.writer.image
        alone = op.inputs[0 if place else 1] in self.sole
        at_input = image is not None and value.node is image.node and value.view.is_image
        if at_input and alone and not self.layers_only and self._absorb(value, scale, shift):
            return value
        return self.writer.affine(value, scale, shift, name=self.name(op, place))

    def _absorb(self, value: Foreign, scale: Array | None, shift: Array | None) -> bool:
        """Make constants at the input part of the preprocessing, if they can be."""
        factors, terms = (
            None if array is None else self.writer.per_channel(value, array.astype(np.float64))
            for array in (scale, shift)
        )
        if factors is not None and not (factors > 0).all():
            return False
        channels = value.view.stored_shape[-1]
        before = np.ones(channels) if self.scale is None else self.scale
        offset = np.zeros(channels) if self.shift is None else self.shift
        if factors is not None:
            before, offset = before * factors, offset * factors
        if terms is not None:
            offset = offset + terms
        self.scale, self.shift = before, offset
        return True
