"""A network as data: layers in a graph, and all their numbers in one buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from striate.common.arrays import Floats
from striate.layers import Layer, Node
from striate.model import graph
from striate.model.parameters import draw, hand_on, lay_out, views, zeros
from striate.model.preprocessing import Preprocessing
from striate.ops.shapes import Shape


class Model:
    """A convolutional network as data: its graph, its numbers, and what belongs to it.

    It is built from a list of layers, or from the first and last node of a graph, as
    `striate.network.Network` describes; all sizes are checked then.  Nothing here runs or trains.

    Attributes:
        input_shape, output_shape: of one image, without the batch axis.
        nodes: the vertices, inputs before readers; the last one is the output.
        flat, slots, parameters: all trained parameters as one float32 buffer, where each lies,
            and views by name ("conv2d_1/filters"). Change them in place.
        state_flat, state_slots, state: the same for batch normalisation's running statistics.
        preprocessing: how raw images become inputs.
        classes: class names in the order of the outputs, or None.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        input_shape: tuple[int, ...] | None = None,
        *,
        inputs: Node | None = None,
        output: Node | None = None,
        seed: int | None = 0,
    ) -> None:
        if output is None:
            if layers is None or input_shape is None:
                raise TypeError("Network: give layers and input_shape, or the output of a graph")
            output = graph.chain(layers, input_shape)
        elif layers is not None or input_shape is not None:
            raise TypeError("Network: give either layers and input_shape, or a graph's output")
        self.input_shape, self.nodes = graph.vertices(output, inputs)
        self.output_shape = self.nodes[-1].shape
        self.classes: list[str] | None = None
        self._preprocessing = Preprocessing()
        self._allocate()
        if seed is not None:
            self.initialise(seed)

    # Parameters.

    def _allocate(self) -> None:
        """Lay out the parameters and make the buffers, all zero, and their views."""
        self._lay_out()
        self.flat, self.state_flat = zeros(self.slots), zeros(self.state_slots)
        self._make_views()

    def _lay_out(self) -> None:
        """Find the places of all parameters and running statistics."""
        needs = [(v.layer, self.input_shapes(i)) for i, v in enumerate(self.nodes)]
        self.slots = lay_out(layer.parameters(*shapes) for layer, shapes in needs)
        self.state_slots = lay_out(layer.state(*shapes) for layer, shapes in needs)

    def _make_views(self) -> None:
        names = [vertex.name for vertex in self.nodes]
        self.parameters = MappingProxyType(views(self.slots, self.flat, names))
        self.state = MappingProxyType(views(self.state_slots, self.state_flat, names))

    def input_shapes(self, node: int) -> tuple[Shape, ...]:
        """Shapes of a node's inputs."""
        return tuple(
            self.input_shape if source < 0 else self.nodes[source].shape
            for source in self.nodes[node].inputs
        )

    def parameters_of(self, node: int) -> dict[str, Floats]:
        """Views of one node's parameters, by their short names."""
        return self._of(node, self.parameters)

    def state_of(self, node: int) -> dict[str, Floats]:
        """Views of one node's running statistics, by their short names."""
        return self._of(node, self.state)

    def _of(self, node: int, views: Mapping[str, Floats]) -> dict[str, Floats]:
        slots = self.slots if views is self.parameters else self.state_slots
        name = self.nodes[node].name
        return {
            slot.parameter.name: views[f"{name}/{slot.parameter.name}"]
            for slot in slots
            if slot.node == node
        }

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(slot.stop - slot.start for slot in self.slots)

    @property
    def decay_mask(self) -> Floats:
        """float32, like `flat`: 1 where weight decay applies, 0 at biases and padding."""
        mask = np.zeros(self.flat.size, np.float32)
        for slot in self.slots:
            mask[slot.start : slot.stop] = slot.parameter.decay
        return mask

    def initialise(self, seed: int = 0) -> None:
        """Draw new parameters: He normal for weights (arXiv:1502.01852), zeros for biases.

        Each parameter has a generator of its own, so it does not depend on the others.
        """
        for slots, flat in ((self.slots, self.flat), (self.state_slots, self.state_flat)):
            for index, slot in enumerate(slots):
                part = flat[slot.start : slot.stop]
                draw(slot.parameter, seed, index, part)
                if slot.parameter.initial == "identity":
                    hand_on(slot.parameter, part.reshape(slot.parameter.shape))

    # Preprocessing.

    @property
    def preprocessing(self) -> Preprocessing:
        """How raw images become inputs."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing) -> None:
        if not isinstance(value, Preprocessing):
            raise TypeError(f"Network: preprocessing must be a Preprocessing, got {value!r}")
        channels = self.input_shape[-1]
        if not value.is_identity and len(value.mean) != channels:
            raise ValueError(
                f"Network: the preprocessing has {len(value.mean)} channels, the network reads "
                f"{channels}"
            )
        self._replace_preprocessing(value)

    def _replace_preprocessing(self, value: Preprocessing) -> None:
        """Keep a preprocessing that has been checked."""
        self._preprocessing = value

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.nodes)} layers, {self.input_shape} → "
            f"{self.output_shape}, {self.parameter_count:,} parameters)"
        )

    # Copies: the views are made anew.

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("parameters", "state")
        return {key: value for key, value in self.__dict__.items() if key not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        flat, state_flat = state["flat"], state["state_flat"]
        self.__dict__.update(state)
        self.flat, self.state_flat = zeros(self.slots), zeros(self.state_slots)
        self.flat[:], self.state_flat[:] = flat, state_flat
        self._make_views()

    # Description.

    def get_config(self) -> dict[str, Any]:
        """The architecture as a JSON-able dict; `from_config` builds it again."""
        return {
            "input_shape": list(self.input_shape),
            "nodes": [
                {
                    "type": type(vertex.layer).__name__,
                    "name": vertex.name,
                    "inputs": list(vertex.inputs),
                    "config": vertex.layer.config(),
                }
                for vertex in self.nodes
            ],
            "output": len(self.nodes) - 1,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, seed: int | None = 0) -> Self:
        """A network from `get_config`'s description, which may come from a file nobody checked.

        Raises ValueError or TypeError for anything but a valid description. Layers are looked up
        in the fixed table `striate.layers.LAYERS`; nothing is imported by name.
        """
        image, output = graph.rebuild(config)
        return cls(inputs=image, output=output, seed=seed)
