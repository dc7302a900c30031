"""Functions of each number alone; formulas in `striate.ops.activation`."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import real_number
from striate.common.arrays import Array
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.ops import activation
from striate.ops.shapes import Shape


class _Elementwise(Layer):
    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


class ReLU(_Elementwise):
    """max(x, 0)."""

    kind = "relu"

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = activation.relu(inputs[0])
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.relu_input_gradient(gradient, saved),), {}


class LeakyReLU(_Elementwise):
    """x where positive, slope·x elsewhere.

    Args:
        slope: usually between 0 and 1.
    """

    kind = "leaky_relu"

    def __init__(self, slope: float = 0.01, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.slope = real_number(slope, "slope", self.who)

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return activation.leaky_relu(inputs[0], self.slope), inputs[0]

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.leaky_relu_input_gradient(gradient, saved, self.slope),), {}


class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x)), between 0 and 1."""

    kind = "sigmoid"

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = activation.sigmoid(inputs[0])
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.sigmoid_input_gradient(gradient, saved),), {}


class Tanh(_Elementwise):
    """The hyperbolic tangent, between -1 and 1."""

    kind = "tanh"

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = activation.tanh(inputs[0])
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (activation.tanh_input_gradient(gradient, saved),), {}


class Scale(_Elementwise):
    """factor·x, with a factor that is not learned.

    Before a softmax it sets how fast the layer in front learns: with logits multiplied by f, a
    gradient step changes them by f² as much.

    Args:
        factor: finite, not 0.
    """

    kind = "scale"

    def __init__(self, factor: float, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.factor = real_number(factor, "factor", self.who)
        if self.factor == 0:
            raise ValueError(f"{self.who}: factor must not be 0, or nothing is left of its input")

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return inputs[0] * inputs[0].dtype.type(self.factor), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient * gradient.dtype.type(self.factor),), {}
