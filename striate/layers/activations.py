"""Activation functions and `Scale`, applied to each number alone.

The formulas are in `striate.ops.activation`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from striate.common.arguments import real_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.ops import activation
from striate.ops.shapes import Shape


class _Elementwise(Layer):
    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


class _FromOutput(_Elementwise):
    """An activation function whose gradient is computed from its output alone."""

    formula: ClassVar[staticmethod[[Array], Array]]
    formula_gradient: ClassVar[staticmethod[[Array, Array], Array]]
    """From ∂L/∂output and the output to ∂L/∂input."""

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        output = self.formula(inputs[0])
        return output, output

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (self.formula_gradient(gradient, saved),), {}


class ReLU(_FromOutput):
    """The rectified linear unit: max(x, 0)."""

    kind = "relu"
    formula = staticmethod(activation.relu)
    formula_gradient = staticmethod(activation.relu_input_gradient)


class LeakyReLU(_Elementwise):
    """The leaky rectified linear unit: x where positive, slope·x elsewhere.

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


class Sigmoid(_FromOutput):
    """The logistic function 1 / (1 + exp(-x)), between 0 and 1."""

    kind = "sigmoid"
    formula = staticmethod(activation.sigmoid)
    formula_gradient = staticmethod(activation.sigmoid_input_gradient)


class Tanh(_FromOutput):
    """The hyperbolic tangent, between -1 and 1."""

    kind = "tanh"
    formula = staticmethod(activation.tanh)
    formula_gradient = staticmethod(activation.tanh_input_gradient)


class Scale(_Elementwise):
    """Multiplication by a constant factor, which is not trained.

    Before a softmax it scales the logits, and with them how fast the layer before it learns: of
    logits multiplied by f, a gradient step changes f² times as much.

    Args:
        factor: finite, not 0.
    """

    kind = "scale"

    def __init__(self, factor: float, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.factor = real_number(factor, "factor", self.who)
        if self.factor == 0:
            raise StriateValueError(
                f"{self.who}: factor must not be 0, or nothing is left of its input"
            )

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return inputs[0] * inputs[0].dtype.type(self.factor), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient * gradient.dtype.type(self.factor),), {}
