"""The dense layer whose outputs share weights in groups: the first step towards a convolution."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import true_or_false, whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, Parameter, PassContext
from striate.ops import grouped, shapes
from striate.ops.shapes import Field, Pair, Shape


class GroupedDense(Layer):
    """A fully connected layer in which each group of successive outputs shares its weights.

    From section 4 of *Derivation of Convolutional Neural Network from Fully Connected Network*
    (A. Gad): with `group` neurons to a group there are `group` times fewer weights than in
    `Dense`. All outputs of a group are the same number; if each read another patch of the image,
    they would differ, and the layer would be a `Conv2D`.

    Its parameters are weights (inputs, units // group) and bias (units // group,).

    Args:
        units: number of outputs.
        group: how many successive outputs share one weight per input; it divides `units`.
        bias: add a learned number per group.
        name: of the layer.
    """

    kind = "grouped_dense"

    def __init__(
        self, units: int, group: int, *, bias: bool = True, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.units = whole_number(units, "units", self.who)
        self.group = whole_number(group, "group", self.who)
        self.bias = true_or_false(bias, "bias", self.who)
        if self.units % self.group:
            raise StriateValueError(
                f"{self.who}: {self.units} units do not fall into groups of {self.group}; choose "
                f"group={shapes.nearest_divisors(self.units, self.group)}, or units as a multiple "
                f"of {self.group}"
            )

    @property
    def groups(self) -> int:
        """The number of groups, which is the number of columns of the weights."""
        return self.units // self.group

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise StriateValueError(
                f"{self.who}: needs a vector (features,) but its input is an image {inputs[0]}; "
                "put Flatten() before it"
            )
        return (self.units,)

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        (features,) = inputs[0]
        weights = Parameter(
            "weights", (features, self.groups), "he_normal", fan_in=features, fan_out=self.units
        )
        if not self.bias:
            return (weights,)
        return (weights, Parameter("bias", (self.groups,), "zeros", decay=False))

    def multiply_adds(self, *inputs: Shape) -> int:
        return inputs[0][0] * self.groups  # outputs of a group are copies

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        return Field().through(image)  # the whole image

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        output = grouped.grouped_dense(x, parameters["weights"], self.group)
        if self.bias:
            output += grouped.repeat_in_groups(parameters["bias"], self.group)
        return output, x

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        gradients = {"weights": grouped.grouped_dense_weight_gradient(saved, gradient, self.group)}
        if self.bias:
            gradients["bias"] = grouped.sum_groups(gradient, self.group).sum(0)
        into = grouped.grouped_dense_input_gradient(gradient, parameters["weights"], self.group)
        return (into,), gradients
