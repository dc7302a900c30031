"""An ONNX graph while it is written: its nodes, its weights, and names that are given once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.budget import need
from striate.common.errors import StriateMemoryError
from striate.exporting.weight_layout import WeightLayout
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto


@dataclass(frozen=True)
class Place:
    """A layer where it stands in a network, with all that is needed to write it.

    Attributes:
        layer: the layer. `Any`, because each writer knows of which class it is.
        name: of the layer, unique in the network.
        inputs: the names of the values that it reads.
        shapes: theirs, as striate has them: (height, width, channels) or (features,).
        shape: of its output.
        arrays: its parameters and running statistics by their short names.
        flattened: the image (height, width, channels) whose channels-first flattening the vector
            that it reads is; None if the vector is in striate's order.
    """

    layer: Any
    name: str
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    shape: Shape
    arrays: Mapping[str, Array]
    flattened: Shape | None = None

    def per_channel(self, values: Array) -> WeightLayout:
        """The layout of an array (channels,) that ONNX stretches over the value the layer reads:
        (channels, 1, 1) for images.
        """
        ones = (1, 1) if len(self.shapes[0]) == 3 else ()
        return WeightLayout.reshaped(values, len(values), *ones)


@dataclass(frozen=True)
class StoredWeight:
    """A parameter or running statistic as a file has it.

    Attributes:
        source: the network's own array.
        layout: how its numbers lie in the file.
    """

    source: Array
    layout: WeightLayout


class OnnxGraph:
    """Nodes and weights, in the order in which they are written.

    Args:
        opset: the version of ONNX's operators.
        prefix: of all names; for graphs that are written into others.
        taken: names that others have already.
        room: bytes that all numbers which no layer learns may take; None for as many as there are.

    Attributes:
        nodes: in the order in which they are written.
        tensors: what they read besides, by name: weights, which are not copied, and numbers that no
            layer learns.
    """

    def __init__(
        self,
        opset: int,
        *,
        prefix: str = "",
        taken: Sequence[str] = (),
        room: int | None = None,
    ) -> None:
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, Array | StoredWeight] = {}
        self._prefix = prefix
        self._taken = set(taken)
        self._room = room
        # Weights by the place of their numbers in memory: layers that share weights there share
        # them in the file too, and others do not, be they equal or not.
        self._weights: dict[tuple[int, WeightLayout], str] = {}

    def op(self, operator: str, inputs: Sequence[str], name: str, /, **attributes: Any) -> str:
        """Add a node with one output, and return the name of that value."""
        from onnx import helper

        name = self._unique(name)
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def weigh(self, count: int, layer: str) -> None:
        """Refuse `count` numbers that no layer learns, before they are made, if they are too many.

        Raises:
            StriateMemoryError: they are.
        """
        who = f'to_onnx: "{layer}"'
        if self._room is not None and 4 * count > self._room:
            raise StriateMemoryError(f"{who} needs more constants than its file has")
        need(4 * count, who, "use a smaller window or fewer channels")

    def constant(self, values: Array, name: str) -> str:
        """Add numbers that no layer learns, and return their name."""
        # Without gaps; a single number stays one.
        values = np.asarray(values, values.dtype.newbyteorder("="), order="C")
        if self._room is not None:
            self._room -= values.nbytes
        name = self._unique(name)
        self.tensors[name] = values
        return name

    def numbers(self, values: Sequence[int], name: str) -> str:
        """Add whole numbers, such as a shape or axes, and return their name."""
        return self.constant(np.array(values, np.int64), name)

    def factor(self, value: float, name: str) -> str:
        """Add one number of float32, and return its name."""
        return self.constant(np.array(value, np.float32), name)

    def weight(self, source: Array, name: str, layout: WeightLayout | None = None) -> str:
        """Add a parameter or statistic, and return its name.

        Args:
            source: the network's own array.
            name: for the weight; that of its first place, if it stands in several.
            layout: how its numbers are written; as they are if None.
        """
        layout = layout or WeightLayout.reshaped(source)
        key = source.__array_interface__["data"][0], layout
        if key not in self._weights:
            self._weights[key] = self._unique(name)
            self.tensors[self._weights[key]] = StoredWeight(source, layout)
        return self._weights[key]

    def initializers(self) -> list[TensorProto]:
        """The tensors as messages of ONNX."""
        from onnx import numpy_helper

        found = []
        for name, tensor in self.tensors.items():
            if isinstance(tensor, StoredWeight):
                tensor = np.ascontiguousarray(tensor.layout.written(tensor.source))
            found.append(numpy_helper.from_array(tensor, name))
        return found

    def reshape(self, value: str, shape: Sequence[int], name: str) -> str:
        """`value` in another shape, without the batch axis, which stays."""
        target = self.numbers([0, *shape], f"{name}/shape")  # 0: as it is
        return self.op("Reshape", [value, target], name)

    def transpose(self, value: str, order: Sequence[int], name: str) -> str:
        """`value` with its axes in another order."""
        return self.op("Transpose", [value], name, perm=list(order))

    def rename(self, value: str, name: str) -> None:
        """Call the output of a node `name`, which must be free, everywhere."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, old in enumerate(names):
                    if old == value:
                        names[index] = name

    def _unique(self, name: str) -> str:
        wanted, count = self._prefix + name, 1
        name = wanted
        while name in self._taken:
            count += 1
            name = f"{wanted}/{count}"
        self._taken.add(name)
        return name
