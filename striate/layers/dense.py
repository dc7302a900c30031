"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import true_or_false, whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, Parameter, PassContext
from striate.layers.reads import FullyConnected, Reads
from striate.ops import dense
from striate.ops.shapes import Field, Pair, Shape


class Dense(Layer):
    """The fully connected layer: output = input · weights + bias.

    Its parameters are weights (inputs, units) and bias (units,).

    Args:
        units: number of outputs.
        bias: add a learned number per output.
        name: of the layer.
    """

    kind = "dense"

    def __init__(self, units: int, *, bias: bool = True, name: str | None = None) -> None:
        super().__init__(name=name)
        self.units = whole_number(units, "units", self.who)
        self.bias = true_or_false(bias, "bias", self.who)

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise StriateValueError(
                f"{self.who}: needs a vector (features,) but its input is an image {inputs[0]}; "
                "put Flatten() or GlobalAvgPool2D() before it"
            )
        return (self.units,)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        (features,) = inputs[0]
        weights = Parameter(
            "weights", (features, self.units), "he_normal", fan_in=features, fan_out=self.units
        )
        if not self.bias:
            return (weights,)
        return (weights, Parameter("bias", (self.units,), "zeros", decay=False))

    def multiply_adds(self, *inputs: Shape) -> int:
        return inputs[0][0] * self.units

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        return Field().through(image)  # the whole image

    def reads(self, *inputs: Shape) -> Reads:
        return FullyConnected()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        output = dense.dense(x, parameters["weights"])
        if self.bias:
            output += parameters["bias"]
        return output, x

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        gradients = {"weights": dense.dense_weight_gradient(saved, gradient)}
        if self.bias:
            gradients["bias"] = gradient.sum(0)
        return (dense.dense_input_gradient(gradient, parameters["weights"]),), gradients
