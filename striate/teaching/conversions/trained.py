"""A layer together with its trained parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.layers import Layer
from striate.ops.shapes import Shape, check_shape

if TYPE_CHECKING:
    from striate.network import Network


@short_repr
@dataclass(frozen=True)
class TrainedLayer:
    """A layer with its parameters and input shape, which can be called like a function.

    Attributes:
        layer: the layer.
        parameters: its arrays by name, such as "filters" and "bias".
        input_shape: the shape of its input, without the batch axis.
    """

    layer: Layer
    parameters: Mapping[str, Array]
    input_shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "input_shape", check_shape(self.input_shape, "input_shape", self.layer.who)
        )
        for parameter in self.layer.parameters(self.input_shape):
            if parameter.name not in self.parameters:
                raise StriateValueError(f"{self.layer.who}: it lacks its {parameter.name}")
            shape = self.parameters[parameter.name].shape
            if shape != parameter.shape:
                raise StriateValueError(
                    f"{self.layer.who}: {parameter.name} must have shape {parameter.shape} for "
                    f"inputs of shape {self.input_shape}, got {shape}"
                )

    @classmethod
    def of(cls, network: Network, name: str) -> TrainedLayer:
        """The layer called `name` in a network, with a copy of its present parameters."""
        names = [vertex.name for vertex in network.nodes]
        if name not in names:
            raise StriateValueError(f"the network has no layer {name!r}; it has {', '.join(names)}")
        node = names.index(name)
        numbers = {key: value.copy() for key, value in network.parameters_of(node).items()}
        return cls(network.nodes[node].layer, numbers, network.input_shapes(node)[0])

    @property
    def output_shape(self) -> Shape:
        """The shape of its output, without the batch axis."""
        return self.layer.output_shape(self.input_shape)

    def __call__(self, x: npt.ArrayLike, *, engine: str = "llvm") -> Array:
        """Outputs (n, *output_shape) for inputs x (n, *input_shape), in the common dtype."""
        from striate.functional.single import run

        return run(self.layer, (x,), self.parameters, engine)
