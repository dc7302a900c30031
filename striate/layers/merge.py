"""The layers with several inputs: Add, Multiply and Concat."""

from __future__ import annotations

import sys
from functools import reduce
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.layers.layer import Arrays, Gradients, Inputs, Layer, PassContext
from striate.layers.reads import Concatenation, PointwiseMerge, Reads
from striate.ops import multiply
from striate.ops.shapes import Field, Pair, Shape


class _Merge(Layer):
    arity = (2, sys.maxsize)

    def field(self, *inputs: Shape, fields: tuple[Field, ...], image: Pair) -> Field:
        return reduce(Field.union, fields)


class Add(_Merge):
    """The sum of two or more inputs of the same shape, as in a residual connection."""

    kind = "add"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) > 1:
            raise StriateValueError(
                f"{self.who}: inputs must have the same shape, got "
                f"{', '.join(map(str, inputs))}; give the branches the same stride, padding and "
                "channels (a Conv2D of size 1 changes channels), or use Concat"
            )
        return inputs[0]

    def reads(self, *inputs: Shape) -> Reads:
        return PointwiseMerge()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        total = inputs[0] + inputs[1]
        for x in inputs[2:]:
            total += x
        return total, len(inputs)

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return (gradient,) * saved, {}


class Multiply(_Merge):
    """The product of two or more inputs, such as an image and the gates of its channels.

    All have the shape of the largest, or 1 in its place along some axes: (channels,) and
    (1, 1, channels) are spread over the image, (height, width, 1) over the channels.
    """

    kind = "multiply"

    def output_shape(self, *inputs: Shape) -> Shape:
        images = [shape if len(shape) == 3 else (1, 1, *shape) for shape in inputs]
        largest = tuple(max(extents) for extents in zip(*images, strict=True))
        alike = all(
            extent in (1, most)
            for shape in images
            for extent, most in zip(shape, largest, strict=True)
        )
        if not alike or largest not in images:
            raise StriateValueError(
                f"{self.who}: inputs must have the shape of the largest, or 1 in its place along "
                f"some axes, got {', '.join(map(str, inputs))}; gates are (channels,) for the "
                "channels of an image, (height, width, 1) for its pixels"
            )
        return largest if any(len(shape) == 3 for shape in inputs) else largest[2:]

    def reads(self, *inputs: Shape) -> Reads:
        return PointwiseMerge()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return multiply.multiply(inputs), inputs

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return multiply.multiply_gradients(gradient, saved), {}


class Concat(_Merge):
    """The concatenation of two or more inputs along the channels (or features)."""

    kind = "concat"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len({shape[:-1] for shape in inputs}) > 1:
            raise StriateValueError(
                f"{self.who}: inputs must agree in all but the channels, got "
                f"{', '.join(map(str, inputs))}; give the branches the same stride and padding"
            )
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

    def reads(self, *inputs: Shape) -> Reads:
        return Concatenation()

    def forward(
        self, inputs: Inputs, parameters: Arrays, state: Arrays, run: PassContext
    ) -> tuple[Array, Any]:
        return np.concatenate(inputs, axis=-1), [x.shape[-1] for x in inputs]

    def backward(self, gradient: Array, saved: Any, parameters: Arrays) -> Gradients:
        return tuple(np.split(gradient, np.cumsum(saved)[:-1], axis=-1)), {}
