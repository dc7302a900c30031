"""The layers that put rows and columns around an image, or cut them away."""

from __future__ import annotations

from typing import Any

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.layers.reads import Window
from striate.ops import conv, shapes
from striate.ops.shapes import Field, Padding, Pads, Pair, Shape


class _Border2D(Layer):
    """The base of both: a border of so many rows and columns."""

    def _checked(self, border: object, what: str) -> Padding:
        if isinstance(border, str):
            raise StriateValueError(
                f"{self.who}: {what} must be a number, (vertical, horizontal) or "
                f"(top, bottom, left, right), got {border!r}"
            )
        return shapes.check_padding(border, self.who, what)

    @property
    def border(self) -> Pads:
        """(top, bottom, left, right)."""
        raise NotImplementedError

    @property
    def pads(self) -> Pads:
        """How far the output reaches beyond the input: negative where it is cut."""
        raise NotImplementedError

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = self.image_shape(inputs[0])
        top, bottom, left, right = self.pads
        return (height + top + bottom, width + left + right, channels)

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        return fields[0].through((1, 1), pads=self.pads)

    def reads(self, *inputs: Shape) -> Window:
        return Window((1, 1), (1, 1), (1, 1), self.pads, inputs[0][2])


class ZeroPad2D(_Border2D):
    """Zeros around an image.

    Before a convolution it is computed as that layer's own padding.

    Args:
        padding: one number, (vertical, horizontal) or (top, bottom, left, right).
        name: of the layer.
    """

    kind = "zero_pad2d"

    def __init__(self, padding: Padding, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.padding = self._checked(padding, "padding")

    @property
    def border(self) -> Pads:
        return shapes.four_sides(self.padding)

    @property
    def pads(self) -> Pads:
        return self.border

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return conv.pad(inputs[0], self.border), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (conv.crop(gradient, self.border),), {}


class Crop2D(_Border2D):
    """The inside of an image, without its outer rows and columns.

    Args:
        cropping: what is cut away: one number, (vertical, horizontal) or (top, bottom, left,
            right).
        name: of the layer.
    """

    kind = "crop2d"

    def __init__(self, cropping: Padding, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.cropping = self._checked(cropping, "cropping")

    @property
    def border(self) -> Pads:
        return shapes.four_sides(self.cropping)

    @property
    def pads(self) -> Pads:
        top, bottom, left, right = self.border
        return (-top, -bottom, -left, -right)

    def output_shape(self, *inputs: Shape) -> Shape:
        left_over = super().output_shape(*inputs)
        for axis in (0, 1):
            if left_over[axis] < 1:
                before, after = self.border[2 * axis : 2 * axis + 2]
                pixels = inputs[0][axis]
                raise StriateValueError(
                    f"{self.who}: cropping {before} + {after} {shapes.LINES[axis]}s of an image of "
                    f"{pixels} leaves nothing; crop at most {pixels - 1} of them"
                )
        return left_over

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return conv.crop(inputs[0], self.border), None

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (conv.pad(gradient, self.border),), {}
