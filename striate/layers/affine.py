"""The layer with a learned factor and a learned addend for each channel."""

from __future__ import annotations

from typing import Any

from striate.common.arguments import true_or_false
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Parameter, PassContext
from striate.layers.scaled_layer import ScaledLayer
from striate.ops import affine
from striate.ops.shapes import Shape


class Affine(ScaledLayer):
    """x · scale + shift, with a learned number of each kind for every channel.

    Its parameters are scale (channels,), which starts at 1, and shift (channels,), which starts
    at 0. Weight decay leaves them alone. In prediction they become part of a convolution or dense
    layer that stands before them.

    Args:
        scale, shift: whether it has them; at least one.
    """

    kind = "affine"

    def __init__(self, scale: bool = True, shift: bool = True, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.scale = true_or_false(scale, "scale", self.who)
        self.shift = true_or_false(shift, "shift", self.who)
        if not (self.scale or self.shift):
            raise StriateValueError(
                f"{self.who}: with neither scale nor shift it does nothing; ask for one of them"
            )

    def parameters(self, *inputs: Shape) -> tuple[Parameter, ...]:
        every = super().parameters(*inputs)
        return tuple(p for p, has in zip(every, (self.scale, self.shift), strict=True) if has)

    def multiply_adds(self, *inputs: Shape) -> int:
        return super().multiply_adds(*inputs) if self.scale else 0

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        (x,) = inputs
        return affine.affine(x, parameters.get("scale"), parameters.get("shift")), x

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        to_scale, to_shift = affine.affine_parameter_gradients(gradient, saved)
        every = {"scale": to_scale, "shift": to_shift}
        to_x = gradient * parameters["scale"] if self.scale else gradient
        return (to_x,), {name: every[name] for name in parameters}
