"""The base classes of layers, and the nodes with which a graph of layers is written.

A layer knows its shapes, its parameters and its forward and backward pass, but holds no numbers:
the parameters belong to the network.
"""

from __future__ import annotations

import inspect
import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.budget import MOST_TAPS, at_most, check_activations
from striate.common.errors import MOST_CHARACTERS, StriateTypeError, StriateValueError
from striate.common.text import choices, plural, sizes
from striate.common.words import ExplainsItsArguments
from striate.layers.reads import FullyConnected, Pointwise, Reads, Window
from striate.ops import shapes
from striate.ops.shapes import Field, Padding, Pads, Pair, Shape

MOST_IN_NAME = 200
"""The most characters of a layer's name."""

Inputs = tuple[Array, ...]
Arrays = dict[str, Array]
Gradients = tuple[tuple[Array, ...], dict[str, Array]]

_serials = itertools.count()


@dataclass(frozen=True)
class Parameter:
    """The description of one parameter of a layer: its name, shape and initial values.

    Attributes:
        name: "filters", "weights", "bias", "scale", "shift" or "slope"; of running statistics
            "mean" or "variance".
        shape: of the array.
        initial: "he_normal", "glorot_uniform", "zeros", "ones" or "quarters"; of filters also
            "identity".
        fan_in, fan_out: how many values each output sums, and how many outputs each input reaches.
        decay: whether weight decay applies (not to biases, slopes and normalisation).
    """

    name: str
    shape: Shape
    initial: str
    fan_in: int = 1
    fan_out: int = 1
    decay: bool = True


@dataclass(frozen=True)
class PassContext:
    """The arguments of a layer's forward pass besides its data.

    Attributes:
        training: whether batch normalisation uses the batch's statistics, and dropout drops.
        keys: uint32 (n,), one random key per image, for dropout; None when not training.
        salt: the index of the layer's node in the network, so that layers drop different values.
    """

    training: bool = False
    keys: npt.NDArray[np.uint32] | None = None
    salt: int = 0


def check_name(name: object, who: str) -> str:
    """A name that layers, their places and heads may have; TypeError or ValueError for others."""
    if not isinstance(name, str):
        raise StriateTypeError(f"{who}: name must be text, got {name!r}")
    if not name or "/" in name:
        raise StriateValueError(f'{who}: a name must not be empty or contain "/", got {name!r}')
    # It is printed in tables: a terminal would obey what a file hides in it.
    if not name.isprintable() or len(name) > MOST_IN_NAME:
        raise StriateValueError(
            f"{who}: a name must be of at most {MOST_IN_NAME} characters "
            f"that can be printed, got {name!r}"
        )
    return name


class Layer(ExplainsItsArguments):
    """The base of all layers: the operation without its parameters, which belong to the network.

    A subclass stores each argument of its constructor under the argument's name (that makes
    `config` and `repr` work) and defines at least `output_shape`, `forward` and `backward`.

    Args:
        name: of the layer in a network; None for a default such as "conv2d_1".
    """

    kind: ClassVar[str]
    """The stem of default names: "conv2d" gives "conv2d_1", "conv2d_2", …"""
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """The least and the largest number of inputs."""

    def __init__(self, *, name: str | None = None) -> None:
        self.name = None if name is None else check_name(name, type(self).__name__)

    @property
    def who(self) -> str:
        """The layer as error messages name it: Conv2D "conv2d_2"."""
        return type(self).__name__ + (f' "{self.name}"' if self.name else "")

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape of the output for the shapes of the inputs; ValueError if they do not fit."""
        raise NotImplementedError

    def check_budget(self, *inputs: Shape) -> None:
        """Refuse what no network should compute for inputs of these shapes, besides its output."""

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        """The trained parameters, in a fixed order."""
        return ()

    def state(self, *inputs: Shape) -> tuple[Parameter, ...]:
        """The arrays that training updates but not by gradients: running statistics."""
        return ()

    def multiply_adds(self, *inputs: Shape) -> int:
        """The number of multiply-adds with parameters in a forward pass of one image."""
        return 0

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        """The receptive field of the output, from those of the inputs and the image's size."""
        return fields[0]

    def reads(self, *inputs: Shape) -> Reads:
        """Which values of its inputs each output reads: see `striate.layers.reads`.

        By default the same place, for a layer that changes neither shape nor `field`; else all.
        """
        same = type(self).field is Layer.field and self.output_shape(*inputs) == inputs[0]
        return Pointwise() if same else FullyConnected()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        """The forward pass: the output, and the values that `backward` needs.

        Args:
            inputs: the arrays that the layer reads, with the batch axis first.
            parameters: its parameters by name.
            state: its running statistics by name, which training updates in place.
            run: training or prediction, and the random keys of dropout.
        """
        raise NotImplementedError

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        """The backward pass: ∂L/∂input of each input, and ∂L/∂parameter by name.

        Args:
            gradient: ∂L/∂output.
            saved: what `forward` returned with the output.
            parameters: the layer's parameters by name.
        """
        raise NotImplementedError

    def input_gradients(self, gradient: Array, saved: Any, parameters: Arrays) -> tuple[Array, ...]:
        """∂L/∂input of each input alone, without the gradients of the parameters."""
        return self.backward(gradient, saved, parameters)[0]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able, without the name: ``type(self)(**config)``."""
        names = [name for name in inspect.signature(type(self)).parameters if name != "name"]
        values = {name: getattr(self, name) for name in names}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def __repr__(self) -> str:
        shown = []
        for name, argument in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name)
            if argument.default is inspect.Parameter.empty:
                shown.append(repr(value))
            elif value != argument.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __call__(self, *nodes: Node, name: str | None = None) -> Node:
        """The node that applies this layer to other nodes: ``x = Conv2D(8, 3)(x)``.

        A layer that is applied in several places has the same parameters in all of them.

        Args:
            nodes: what it reads.
            name: of this place, where the layer has several; None for a default such as
                "conv2d_1@2", the second place of "conv2d_1".
        """
        return Node(self, nodes, name=name)

    def image_shape(self, shape: Shape) -> tuple[int, int, int]:
        """`shape` as (height, width, channels), or a ValueError for a vector."""
        if len(shape) != 3:
            raise StriateValueError(
                f"{self.who}: needs images (height, width, channels) but its input is {shape}; "
                "put it before Flatten and GlobalAvgPool2D"
            )
        return (shape[0], shape[1], shape[2])


class Node:
    """A value in a graph under construction: the output of a layer applied to other nodes.

    `Input(shape)` makes the first one, calling a layer makes the others. Shapes are checked at
    once, so that an error points at the line that wrote the layer.

    Attributes:
        layer: None for the input of the graph.
        inputs: the nodes that the layer reads.
        shape: of the value, without the batch axis.
        serial: a number that is larger than those of the inputs.
        name: of this place of the layer, or None for the layer's own, or a default.
    """

    def __init__(
        self,
        layer: Layer | None,
        inputs: tuple[Node, ...],
        shape: Shape | None = None,
        name: str | None = None,
    ) -> None:
        self.layer = layer
        self.inputs = inputs
        self.name = None if name is None else check_name(name, "Input" if not layer else layer.who)
        self.serial = next(_serials)  # a node is made after its inputs: a topological order
        if layer is None:
            self.shape = shapes.check_shape(shape, "the shape", "Input")
            check_activations(self.shape, "Input")
            return
        for node in inputs:
            if not isinstance(node, Node):
                raise StriateTypeError(
                    f"{layer.who}: a layer is called with nodes, as in x = Input((28, 28, 1)); "
                    f"x = Conv2D(8, 3)(x); got {type(node).__name__}. To run it on an array use "
                    "a Network or striate.functional"
                )
        least, most = layer.arity
        if not least <= len(inputs) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            raise StriateValueError(
                f"{layer.who}: takes {wanted} {plural(least, 'input')}, got {len(inputs)}"
            )
        try:
            self.shape = layer.output_shape(*(node.shape for node in inputs))
            layer.check_budget(*(node.shape for node in inputs))
            check_activations(self.shape, layer.who)
        except ValueError as error:
            way = _way(inputs[0], MOST_CHARACTERS - len(str(error)))
            raise StriateValueError(f"{error}{way}") from None

    def __repr__(self) -> str:
        layer = "Input" if self.layer is None else repr(self.layer)
        return f"<{layer} → {sizes(self.shape)}>"


def Input(shape: tuple[int, ...]) -> Node:
    """The input of a graph: (height, width, channels) or (features,), without the batch axis.

    A signal (length, channels) is an image of height 1: (1, length, channels).
    """
    return Node(None, (), shapes.as_image_shape(shape))


def _way(node: Node, room: int, most: int = 12) -> str:
    """The layers that lead to a node, on a line behind a message: only the last ones if they are
    many, and none if a single one has more characters than there is `room` for.
    """
    head = "\n  Shapes up to here: "
    steps: list[str] = []
    room -= len(head)
    while True:
        first = f"input {node.shape}" if node.layer is None else "…"
        if len(" → ".join([first, *steps])) > room:  # the input is longer than an ellipsis
            return head + " → ".join(["…", *steps]) if steps else ""
        if node.layer is None or len(steps) == most:
            return head + " → ".join([first, *steps])
        step = f"{node.layer.who} {node.shape}"
        if len(" → ".join(["…", step, *steps])) > room:
            return head + " → ".join(["…", *steps]) if steps else ""
        steps.insert(0, step)
        node = node.inputs[0]


class WindowLayer(Layer):
    """The base of layers that slide a window over an image: convolution and pooling.

    Attributes:
        size, stride, dilation: (height, width) pairs.
        padding: as given by the user; `pads` turns it into numbers.
        uncovered: "error" if every pixel must be read, "drop" if the last ones may stay unread,
            "overhang" if a last window may hang over the end.
    """

    uncovered_ways: ClassVar[tuple[str, ...]] = ("error", "drop")

    def __init__(
        self,
        size: object,
        stride: object,
        padding: object,
        dilation: object,
        uncovered: object,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.size: Pair = shapes.pair(size, "size", self.who)
        self.stride: Pair = shapes.pair(stride, "stride", self.who)
        self.dilation: Pair = shapes.pair(dilation, "dilation", self.who)
        self.padding: Padding = shapes.check_padding(padding, self.who)
        if uncovered not in self.uncovered_ways:
            ways = choices([f'"{way}"' for way in self.uncovered_ways])
            raise StriateValueError(f"{self.who}: uncovered must be {ways}, got {uncovered!r}")
        self.uncovered = str(uncovered)

    def given_pads(self, shape: Shape) -> Pads:
        """The padding (top, bottom, left, right) of an input of this shape."""
        height, width, _ = self.image_shape(shape)
        return shapes.resolve_pads(
            self.padding, (height, width), self.size, self.stride, self.dilation
        )

    def pads(self, shape: Shape) -> Pads:
        """What windows read around an input of this shape: the padding, and with
        uncovered="overhang" what the last windows reach beyond it.
        """
        pads = self.given_pads(shape)
        if self.uncovered != "overhang":
            return pads
        image = (shape[0], shape[1])
        outputs = self.windows(shape)
        return shapes.with_overhang(image, self.size, self.stride, self.dilation, pads, outputs)

    def overhang(self, shape: Shape) -> Pads:
        """The part of `pads` that is no padding, but what the last windows reach beyond it."""
        given, read = self.given_pads(shape), self.pads(shape)
        return (0, read[1] - given[1], 0, read[3] - given[3])

    def check_budget(self, *inputs: Shape) -> None:
        height, width, channels = self.image_shape(inputs[0])
        top, bottom, left, right = self.pads(inputs[0])
        at_most(math.prod(self.size), MOST_TAPS, "taps", self.who, "choose a smaller size")
        check_activations((height + top + bottom, width + left + right, channels), self.who)

    def windows(self, shape: Shape) -> Pair:
        """The number of windows (down, across) by the size rule.

        Raises:
            ValueError: the window does not fit; the message names values that would.
        """
        height, width, _ = self.image_shape(shape)
        window = (self.size, self.stride, self.dilation, self.given_pads(shape), self.who)
        if self.uncovered == "overhang":
            return shapes.overhanging_outputs((height, width), *window)
        return shapes.window_outputs(
            (height, width),
            *window,
            exact=self.uncovered == "error" and self.padding != "same",
        )

    def dropped(self, shape: Shape) -> Pair:
        """How many rows and columns, at the bottom and right, uncovered="drop" leaves unread."""
        height, width, _ = self.image_shape(shape)
        if self.padding == "same":  # chooses the number of outputs itself: nothing is left out
            return (0, 0)
        return shapes.uncovered(
            (height, width), self.size, self.stride, self.dilation, self.pads(shape)
        )

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        reach = (
            shapes.extent(self.size[0], self.dilation[0]),
            shapes.extent(self.size[1], self.dilation[1]),
        )
        return fields[0].through(reach, self.stride, self.pads(inputs[0]))

    def reads(self, *inputs: Shape) -> Window:
        return Window(
            self.size,
            self.stride,
            self.dilation,
            self.pads(inputs[0]),
            self.channel_groups(*inputs),
        )

    def channel_groups(self, *inputs: Shape) -> int:
        """Into how many groups, which do not mix, channels are split: `groups`, if there is one."""
        groups: int = getattr(self, "groups", 1)
        return groups
