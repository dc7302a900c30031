"""ReLU and max-pooling between two convolutions, number by number, forward and backward.

Both choose: ReLU the larger of 0 and a number, max-pooling the largest number of a window (the
first of several, row by row). So their local gradients are 1 for what was chosen, else 0, and

    R = max(0, O)                 ∂L/∂O = ∂L/∂R · 1 where O > 0, else ∂L/∂R · 0
    P = max of a window of O      ∂L/∂O = Σ ∂L/∂P · 1 or 0, over the windows that O lies in

As in `sums`, what meets what is found here place by place, independently of the layers' code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import MaxPool2D, ReLU
from striate.ops.shapes import Shape
from striate.teaching.chainrule.sums import (
    ONE,
    GradientTerm,
    Place,
    Sum,
    Symbol,
    listed_sum,
    sum_values,
)

ZERO = Symbol("0", ())
"""What ReLU compares with, and the local gradient of what was not chosen."""


@short_repr
@dataclass(frozen=True)
class Maximum:
    """An output of ReLU or of max-pooling: the largest of some numbers.

    Attributes:
        of: the output.
        among: the names of these numbers, in order; ReLU's first one is 0.
        values: the numbers.
    """

    of: Symbol
    among: tuple[Symbol, ...]
    values: tuple[float, ...]

    @property
    def chosen(self) -> int:
        """Which of them is the largest, the first of several."""
        return int(np.argmax(self.values))

    @property
    def value(self) -> float:
        """The largest."""
        return self.values[self.chosen]


@short_repr
@dataclass(frozen=True, eq=False)
class Passage:
    """ReLU or max-pooling in a chain, written out. All arrays are float64.

    Attributes:
        layer: which of both.
        x: its input (height, width, channels).
        gradient: ∂L/∂ of its output (rows, columns, channels).
        source, result: the names of its input and of its output, without places.
        outputs: a maximum for each output, row by row.
        input_gradients: a sum for each input, row by row.
    """

    layer: ReLU | MaxPool2D
    x: Array
    gradient: Array
    source: Symbol
    result: Symbol
    outputs: tuple[Maximum, ...]
    input_gradients: tuple[Sum, ...]

    @property
    def output(self) -> Array:
        """The outputs (rows, columns, channels)."""
        return maximum_values(self.outputs, self.gradient.shape)

    @property
    def input_gradient(self) -> Array:
        """∂L/∂ of its input, of the shape of `x`."""
        return sum_values(self.input_gradients, self.x.shape)

    def arrays(self) -> dict[str, Any]:
        """Arrays and sums as JSON-able values."""
        return {
            "input": self.x.tolist(),
            "output": self.output.tolist(),
            "output_gradient": self.gradient.tolist(),
            "input_gradient": self.input_gradient.tolist(),
            "maxima": [
                {
                    "of": str(one.of),
                    "among": list(map(str, one.among)),
                    "values": list(one.values),
                    "value": one.value,
                }
                for one in self.outputs
            ],
            "sums": {"input_gradient": list(map(listed_sum, self.input_gradients))},
        }


def maxima(
    layer: ReLU | MaxPool2D, x: Array, source: Symbol, result: Symbol
) -> tuple[Maximum, ...]:
    """The outputs of ReLU or max-pooling, row by row.

    Args:
        layer: which of both.
        x: its input (height, width, channels).
        source, result: the names of its input and of its output, without places.
    """
    zero = isinstance(layer, ReLU)
    return tuple(
        Maximum(
            _at(result, at, x.shape[2]),
            (ZERO,) * zero + tuple(_at(source, one, x.shape[2]) for one in read),
            (0.0,) * zero + tuple(float(x[one]) for one in read),
        )
        for at, read in _windows(layer, x.shape)
    )


def passed_back(
    layer: ReLU | MaxPool2D, x: Array, gradient: Array, source: Symbol, result: Symbol
) -> tuple[Sum, ...]:
    """∂L/∂ of the input of ReLU or max-pooling, row by row.

    Args:
        layer, x, source, result: as those of `maxima`.
        gradient: ∂L/∂ of the output (rows, columns, channels).
    """
    zero = isinstance(layer, ReLU)
    terms: dict[Place, list[GradientTerm]] = {place: [] for place in np.ndindex(x.shape)}
    found = maxima(layer, x, source, result)
    for (at, read), one in zip(_windows(layer, x.shape), found, strict=True):
        for place, pixel in enumerate(read, start=int(zero)):
            local = (ONE, 1.0) if place == one.chosen else (ZERO, 0.0)
            factors = (one.of.gradient, local[0])
            terms[pixel].append(GradientTerm(factors, (float(gradient[at]), local[1])))
    return tuple(
        Sum(_at(source, place, x.shape[2]).gradient, tuple(own)) for place, own in terms.items()
    )


def maximum_values(found: tuple[Maximum, ...], shape: Shape) -> Array:
    """The values of maxima as an array."""
    return np.array([one.value for one in found]).reshape(shape)


def _at(name: Symbol, place: Place, channels: int) -> Symbol:
    row, column, c = place
    return Symbol(name.kind, (row + 1, column + 1), (c + 1,) * (channels > 1), name.number)


def _windows(layer: ReLU | MaxPool2D, shape: Shape) -> Iterator[tuple[Place, list[Place]]]:
    """Each place of the output with the places of the input that it is the largest of."""
    if isinstance(layer, ReLU):
        for place in np.ndindex(shape):
            yield place, [place]
        return
    top, _, left, _ = layer.pads(shape)
    for i, j, c in np.ndindex(layer.output_shape(shape)):
        rows = (i * layer.stride[0] + r * layer.dilation[0] - top for r in range(layer.size[0]))
        inside = [row for row in rows if 0 <= row < shape[0]]
        columns = [j * layer.stride[1] + s * layer.dilation[1] - left for s in range(layer.size[1])]
        yield (
            (i, j, c),
            [(row, column, c) for row in inside for column in columns if 0 <= column < shape[1]],
        )
