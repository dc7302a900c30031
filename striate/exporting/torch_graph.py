"""A PyTorch module while it is written: calls of functions and of modules, one behind the other.

It becomes a `torch.fx.GraphModule`: modules of `torch.nn` with a `forward` that is Python code, so
it can be read (`module.code`), saved, copied, compiled, exported, and loaded where there is no
striate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from striate.common.arrays import Floats
from striate.exporting.torch_weights import TensorLayout, TorchWeight
from striate.ops.shapes import Shape

RESERVED = frozenset({*dir(nn.Module()), "graph", "code", "meta", "call_super_init"}) | frozenset(
    name for name in dir(fx.GraphModule)
)
"""What modules have already, so that no layer may be called so."""


@dataclass(frozen=True)
class TorchValue:
    """A value of the network in the graph: (n, channels, height, width) or (n, features).

    Attributes:
        node: of the graph.
        shape: as the network has it, (height, width, channels) or (features,).
        image: (height, width, channels) of the image whose channels-first flattening a vector is;
            None if its features are in the network's order.
    """

    node: fx.Node
    shape: Shape
    image: Shape | None = None


@dataclass(frozen=True)
class TorchPlace:
    """A layer where it stands in a network.

    Attributes:
        layer: the layer. `Any`, because each writer knows of which class it is.
        name: of the layer whose parameters it uses: its own, unless several share them.
        path: the module of PyTorch.
        values: what it reads.
        shape: of its output.
        arrays: its parameters and running statistics by their short names.
        trained: whether training changes its parameters.
        keeps_statistics: whether its running statistics stay as they are in training.
    """

    layer: Any
    name: str
    path: str
    values: tuple[TorchValue, ...]
    shape: Shape
    arrays: Mapping[str, Floats]
    trained: bool
    keeps_statistics: bool

    @property
    def value(self) -> TorchValue:
        """What it reads, of a layer with one input."""
        return self.values[0]

    @property
    def node(self) -> fx.Node:
        """The node of what it reads, of a layer with one input."""
        return self.values[0].node


@dataclass
class TorchGraph:
    """Calls, modules and weights, in the order in which they were written.

    Attributes:
        graph: the calls.
        root: modules and parameters by their paths.
        weights: where all parameters and running statistics are.
    """

    graph: fx.Graph = field(default_factory=fx.Graph)
    root: dict[str, Any] = field(default_factory=dict)
    weights: list[TorchWeight] = field(default_factory=list)

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> fx.Node:
        """A call of a function of PyTorch."""
        return self.graph.call_function(function, args, options)

    def method(self, name: str, *args: Any) -> fx.Node:
        """A call of a method of the tensor that is the first argument."""
        return self.graph.call_method(name, args)

    def module(
        self,
        place: TorchPlace,
        node: fx.Node,
        module: nn.Module,
        layouts: Mapping[str, tuple[str, TensorLayout]] | None = None,
    ) -> fx.Node:
        """A call of a module, which gets the weights of the layer.

        Args:
            place: the layer.
            node: what the module is called with.
            module: made on the device "meta", where it draws no random numbers.
            layouts: from the module's parameters and buffers to the layer's arrays.
        """
        if place.path not in self.root:
            for key, (short, layout) in (layouts or {}).items():
                tensor = self._tensor(place, key, short, layout)
                if key in module._parameters:
                    tensor = nn.Parameter(tensor, requires_grad=place.trained)
                setattr(module, key, tensor)
            self.root[place.path] = module
        return self.graph.call_module(place.path, (node,))

    def parameter(
        self, place: TorchPlace, key: str, short: str, layout: TensorLayout, buffer: bool = False
    ) -> fx.Node:
        """A parameter, or a buffer, of a layer that is no module of PyTorch."""
        path = f"{place.path}.{key}"
        if path not in self.root:
            tensor = self._tensor(place, key, short, layout)
            self.root[path] = (
                tensor if buffer else nn.Parameter(tensor, requires_grad=place.trained)
            )
        return self.graph.get_attr(path)

    def _tensor(
        self, place: TorchPlace, key: str, short: str, layout: TensorLayout
    ) -> torch.Tensor:
        array = place.arrays[short]
        name = f"{place.name}/{short}"
        self.weights.append(TorchWeight(f"{place.path}.{key}", name, array, layout))
        return torch.from_numpy(layout.tensor(array))

    def in_order(self, value: TorchValue) -> TorchValue:
        """A vector with its features in the network's order; an image as it is."""
        if value.image is None:
            return value
        height, width, channels = value.image
        image = self.method("reshape", value.node, -1, channels, height, width)
        node = self.call(torch.flatten, self.method("permute", image, 0, 2, 3, 1), 1)
        return TorchValue(node, value.shape)

    def in_one_order(self, values: tuple[TorchValue, ...]) -> tuple[TorchValue, ...]:
        """Values whose features are in the same order: theirs, or else the network's."""
        if len({value.image for value in values}) == 1:
            return values
        return tuple(self.in_order(value) for value in values)

    def finished(self, name: str) -> fx.GraphModule:
        """The module, of a class of this name."""
        self.graph.lint()
        return fx.GraphModule(self.root, self.graph, class_name=name)
