"""Convolutions one after the other, with ReLU and max-pooling between them, and their gradients.

"Since X is the output of the previous layer, ∂L/∂X becomes the gradient for the previous layer"
(*Convolutional Neural Network*, Backward Pass): forward the output of each layer is the X of the
next; backward the ∂L/∂X of each is the ∂L/∂O of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import Conv2D, MaxPool2D, ReLU
from striate.teaching.chainrule.passages import Passage, maxima, maximum_values, passed_back
from striate.teaching.chainrule.sums import (
    GradientSums,
    Symbol,
    gradient_sums,
    output_sums,
    sum_values,
)


@short_repr
@dataclass(frozen=True, eq=False)
class WeightedConvolution:
    """A convolution of a chain with its weights.

    Attributes:
        layer: the convolution.
        f: the filters (height, width, channels, filters).
        b: the bias (filters,), or None.
    """

    layer: Conv2D
    f: Array
    b: Array | None


ChainLayer = WeightedConvolution | ReLU | MaxPool2D


@short_repr
@dataclass(frozen=True, eq=False)
class ChainSums:
    """A chain of layers with its outputs and gradients written out as sums.

    Attributes:
        steps: a convolution (`GradientSums`) or what stands between two (`Passage`), in order.
        learning_rate: α of the step of gradient descent.
        checked: the largest absolute differences, as in `GradientSums`.
        bends: of how many numbers the finite differences say nothing, because a change of them in
            either direction changes what ReLU lets pass, or which number is the largest.
    """

    steps: tuple[GradientSums | Passage, ...]
    learning_rate: float
    checked: dict[str, float]
    bends: int = 0

    @property
    def convolutions(self) -> tuple[GradientSums, ...]:
        """The convolutions, in order."""
        return tuple(step for step in self.steps if isinstance(step, GradientSums))

    @property
    def output(self) -> Array:
        """The output of the last layer (rows, columns, channels)."""
        return self.steps[-1].output

    @property
    def gradient(self) -> Array:
        """∂L/∂ of the output of the last layer (rows, columns, channels)."""
        return self.steps[-1].gradient

    @property
    def input_gradient(self) -> Array:
        """∂L/∂X of the first layer (height, width, channels)."""
        return self.steps[0].input_gradient

    def to_dict(self) -> dict[str, Any]:
        """Arrays, sums and differences as JSON-able values."""
        return {
            "layers": [
                {"layer": type(step.layer).__name__, **step.arrays()} for step in self.steps
            ],
            "learning_rate": self.learning_rate,
            "largest_differences": dict(self.checked),
            "bends": self.bends,
        }


def tensor_names(layers: Sequence[ChainLayer]) -> list[tuple[Symbol, Symbol]]:
    """(input, output) of each layer as names without places.

    A convolution reads X and gives O; behind it ReLU gives R and max-pooling P; but what the next
    convolution reads of them is its X. A convolution that stands alone has no number.
    """
    found: list[tuple[Symbol, Symbol]] = []
    number = 0
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, WeightedConvolution):
            number += len(layers) > 1
            found.append((Symbol("X", (), (), number), Symbol("O", (), (), number)))
            continue
        kind = "R" if isinstance(layer, ReLU) else "P"
        read_next = isinstance(after, WeightedConvolution)
        result = Symbol("X", (), (), number + 1) if read_next else Symbol(kind, (), (), number)
        found.append((found[-1][1], result))
    return found


def layer_inputs(layers: Sequence[ChainLayer], x: Array) -> list[Array]:
    """What each layer reads, and at the end the output of the last one.

    Args:
        layers: from first to last.
        x: input of the first (height, width, channels).
    """
    found = [x]
    for layer, (source, result) in zip(layers, tensor_names(layers), strict=True):
        x = found[-1]
        if isinstance(layer, WeightedConvolution):
            sums = output_sums(layer.layer, x, layer.f, layer.b)
            found.append(sum_values(sums, layer.layer.output_shape(x.shape)))
        else:
            chosen = maxima(layer, x, source, result)
            found.append(maximum_values(chosen, layer.output_shape(x.shape)))
    return found


def chain_sums(
    layers: Sequence[ChainLayer], x: Array, gradient: Array, learning_rate: float
) -> ChainSums:
    """Write out a chain forward and backward.

    Args:
        layers: from first to last; the first is a convolution.
        x: its input (height, width, channels).
        gradient: ∂L/∂ of the output of the last.
        learning_rate: α.
    """
    steps: list[GradientSums | Passage] = []
    inputs = layer_inputs(layers, x)[:-1]
    forward = list(zip(layers, inputs, tensor_names(layers), strict=True))
    # Backward: ∂L/∂X of each layer is what the layer before gets.
    for layer, x, (source, result) in reversed(forward):
        if isinstance(layer, WeightedConvolution):
            weighted, number = (layer.layer, x, layer.f, layer.b), result.number
            of_filter, of_bias, of_input = gradient_sums(*weighted, gradient, number)
            step: GradientSums | Passage = GradientSums(
                *weighted, gradient, learning_rate, output_sums(*weighted, number),
                of_filter, of_bias, of_input, {}, number,
            )  # fmt: skip
        else:
            found = maxima(layer, x, source, result)
            back = passed_back(layer, x, gradient, source, result)
            step = Passage(layer, x, gradient, source, result, found, back)
        steps.append(step)
        gradient = step.input_gradient
    return ChainSums(tuple(reversed(steps)), learning_rate, {})
