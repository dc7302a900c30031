"""Each output of a small convolution and each of its gradients, as sums of named numbers.

With X the input, F the filter, O the output and L a loss whose ∂L/∂O is known, the chain rule is

    O                                  = Σ X·F
    ∂L/∂F_i = Σ_k ∂L/∂O_k · ∂O_k/∂F_i  = Σ ∂L/∂O·X
    ∂L/∂X_i = Σ_k ∂L/∂O_k · ∂O_k/∂X_i  = Σ ∂L/∂O·F

and a step of gradient descent F ← F - α·∂L/∂F. A bias b is added to each output of its filter, so
that ∂L/∂b = Σ ∂L/∂O·1. Which numbers are multiplied with each other is found here window by
window, independently of the layers' code, so that comparing the two tests both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import Conv2D
from striate.ops.shapes import Shape

Place = tuple[int, ...]
"""Of a number in an array."""


@dataclass(frozen=True, order=True)
class Symbol:
    """The name of a number in a formula, such as X_12 or ∂L/∂O_11.

    Attributes:
        kind: "X", "F", "b" or "O"; behind a ReLU "R", behind a pooling "P"; "0" and "1" for these
            numbers.
        place: (row, column), counted from 1 as in the article; of b and of numbers it is ().
        planes: its channel, its filter, or both; only those of which there are several.
        number: of its convolution in a chain, from 1; 0 where there is only one.
        slope: whether it is the gradient ∂L/∂O instead of O.
    """

    kind: str
    place: tuple[int, ...]
    planes: tuple[int, ...] = ()
    number: int = 0
    slope: bool = False

    @property
    def where(self) -> str:
        """Its place as it is written: "12", or with a place above 9 "1,12"."""
        return ("," * (max(self.place, default=0) > 9)).join(map(str, self.place))

    @property
    def raised(self) -> str:
        """Its planes as they are written: "1,2"."""
        return ",".join(map(str, self.planes))

    @property
    def value(self) -> Symbol:
        """O of ∂L/∂O."""
        return replace(self, slope=False)

    @property
    def gradient(self) -> Symbol:
        """∂L/∂O of O."""
        return replace(self, slope=True)

    def __str__(self) -> str:
        raised, place = f"^{self.raised}" * bool(self.planes), f"_{self.where}" * bool(self.place)
        shown = f"{self.kind}{self.number or ''}{raised}{place}"
        return f"∂L/∂{shown}" if self.slope else shown


ONE = Symbol("1", ())
"""The factor by which a bias is multiplied."""


@dataclass(frozen=True)
class GradientTerm:
    """One product of a sum.

    Attributes:
        factors: X and F, or b and 1, in an output; ∂L/∂O and X, F or 1 in a gradient.
        values: their numbers.
    """

    factors: tuple[Symbol, Symbol]
    values: tuple[float, float]


@short_repr
@dataclass(frozen=True)
class Sum:
    """A number as a sum of products: an output, ∂L/∂F or ∂L/∂X at one place, or ∂L/∂b.

    Attributes:
        of: the output O whose value this is, or the gradient ∂L/∂F, ∂L/∂X or ∂L/∂b.
        terms: in the order of the article; products with padding, all zero, are left out.
    """

    of: Symbol
    terms: tuple[GradientTerm, ...]

    @property
    def value(self) -> float:
        """The sum."""
        return math.fsum(a * b for a, b in (term.values for term in self.terms))


@short_repr
@dataclass(frozen=True, eq=False)
class GradientSums:
    """A convolution with its outputs and gradients written out as sums. All arrays are float64.

    Attributes:
        layer: the convolution.
        x: input (height, width, channels).
        f: filters (height, width, channels, filters).
        b: the bias (filters,); None without one.
        gradient: ∂L/∂O (rows, columns, filters).
        learning_rate: α of the step.
        outputs, filter_gradients, bias_gradients, input_gradients: the sums, row by row.
        checked: the largest absolute difference from each thing that the numbers were compared
            with, by its name; empty before the comparison, and in a chain, which has its own.
        number: of the convolution in a chain, from 1; 0 if it stands alone.
    """

    layer: Conv2D
    x: Array
    f: Array
    b: Array | None
    gradient: Array
    learning_rate: float
    outputs: tuple[Sum, ...]
    filter_gradients: tuple[Sum, ...]
    bias_gradients: tuple[Sum, ...]
    input_gradients: tuple[Sum, ...]
    checked: dict[str, float]
    number: int = 0

    @property
    def output(self) -> Array:
        """O (rows, columns, filters)."""
        return sum_values(self.outputs, self.gradient.shape)

    @property
    def filter_gradient(self) -> Array:
        """∂L/∂F, of the shape of F."""
        return sum_values(self.filter_gradients, self.f.shape)

    @property
    def bias_gradient(self) -> Array:
        """∂L/∂b (filters,); empty without a bias."""
        return np.array([one.value for one in self.bias_gradients])

    @property
    def input_gradient(self) -> Array:
        """∂L/∂X, of the shape of X."""
        return sum_values(self.input_gradients, self.x.shape)

    @property
    def new_f(self) -> Array:
        """The filters after one step: F - α·∂L/∂F."""
        return self.f - self.learning_rate * self.filter_gradient

    @property
    def new_b(self) -> Array | None:
        """The bias after one step: b - α·∂L/∂b."""
        return None if self.b is None else self.b - self.learning_rate * self.bias_gradient

    def to_dict(self) -> dict[str, Any]:
        """Arrays, sums and differences as JSON-able values."""
        return {
            **self.arrays(),
            "learning_rate": self.learning_rate,
            "largest_differences": dict(self.checked),
        }

    def arrays(self) -> dict[str, Any]:
        """Arrays and sums as JSON-able values."""
        return {
            "input": self.x.tolist(),
            "filter": self.f.tolist(),
            "output": self.output.tolist(),
            "output_gradient": self.gradient.tolist(),
            "filter_gradient": self.filter_gradient.tolist(),
            "input_gradient": self.input_gradient.tolist(),
            "new_filter": self.new_f.tolist(),
            **self._bias(),
            "sums": {
                name: [listed_sum(one) for one in sums]
                for name, sums in (
                    ("output", self.outputs),
                    ("filter_gradient", self.filter_gradients),
                    ("bias_gradient", self.bias_gradients),
                    ("input_gradient", self.input_gradients),
                )
                if sums
            },
        }

    def _bias(self) -> dict[str, Any]:
        if self.b is None or self.new_b is None:
            return {}
        return {
            "bias": self.b.tolist(),
            "bias_gradient": self.bias_gradient.tolist(),
            "new_bias": self.new_b.tolist(),
        }


@dataclass(frozen=True)
class WindowNames:
    """The names of the numbers of a convolution, by their places in its arrays.

    Attributes:
        channels, filters: how many there are; a single one is not named.
        number: of the convolution in a chain, from 1; 0 if it stands alone.
    """

    channels: int
    filters: int
    number: int = 0

    def x(self, row: int, column: int, c: int) -> Symbol:
        """X of a pixel and a channel."""
        return Symbol("X", (row + 1, column + 1), (c + 1,) * (self.channels > 1), self.number)

    def f(self, r: int, s: int, c: int, k: int) -> Symbol:
        """F of a tap, a channel and a filter."""
        planes = (c + 1,) * (self.channels > 1) + (k + 1,) * (self.filters > 1)
        return Symbol("F", (r + 1, s + 1), planes, self.number)

    def b(self, k: int) -> Symbol:
        """The bias of a filter."""
        return Symbol("b", (), (k + 1,) * (self.filters > 1), self.number)

    def o(self, i: int, j: int, k: int) -> Symbol:
        """O of a position and a filter."""
        return Symbol("O", (i + 1, j + 1), (k + 1,) * (self.filters > 1), self.number)


def output_sums(
    layer: Conv2D, x: Array, f: Array, b: Array | None, number: int = 0
) -> tuple[Sum, ...]:
    """The outputs as sums, row by row: every product of every window is written down.

    Args:
        layer: the convolution.
        x: input (height, width, channels).
        f: filters (height, width, channels, filters).
        b: bias (filters,), or None.
        number: of the convolution in a chain; see `Symbol`.
    """
    names = WindowNames(f.shape[2], f.shape[3], number)
    made = []
    for at, products in _windows(layer, x.shape, f.shape, layer.output_shape(x.shape)):
        terms = [
            GradientTerm((names.x(*pixel), names.f(*weight)), (float(x[pixel]), float(f[weight])))
            for pixel, weight in products
        ]
        if b is not None:
            terms.append(GradientTerm((names.b(at[2]), ONE), (float(b[at[2]]), 1.0)))
        made.append(Sum(names.o(*at), tuple(terms)))
    return tuple(made)


def gradient_sums(
    layer: Conv2D, x: Array, f: Array, b: Array | None, gradient: Array, number: int = 0
) -> tuple[tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...]]:
    """∂L/∂F, ∂L/∂b and ∂L/∂X as sums, each over all outputs that it has a part in.

    Args:
        layer, x, f, b, number: as those of `output_sums`.
        gradient: ∂L/∂O (rows, columns, filters).
    """
    names = WindowNames(f.shape[2], f.shape[3], number)
    of_filter: dict[tuple[int, ...], list[GradientTerm]] = {
        place: [] for place in np.ndindex(f.shape)
    }
    of_input: dict[tuple[int, ...], list[GradientTerm]] = {
        place: [] for place in np.ndindex(x.shape)
    }
    of_bias: list[list[GradientTerm]] = [[] for _ in range(f.shape[3] if b is not None else 0)]
    for at, products in _windows(layer, x.shape, f.shape, gradient.shape):
        arriving, slope = names.o(*at).gradient, float(gradient[at])
        for pixel, weight in products:
            of_filter[weight].append(
                GradientTerm((arriving, names.x(*pixel)), (slope, float(x[pixel])))
            )
            of_input[pixel].append(
                GradientTerm((arriving, names.f(*weight)), (slope, float(f[weight])))
            )
        if b is not None:
            of_bias[at[2]].append(GradientTerm((arriving, ONE), (slope, 1.0)))
    return (
        tuple(Sum(names.f(*at).gradient, tuple(terms)) for at, terms in of_filter.items()),
        tuple(Sum(names.b(k).gradient, tuple(terms)) for k, terms in enumerate(of_bias)),
        tuple(Sum(names.x(*at).gradient, tuple(terms)) for at, terms in of_input.items()),
    )


def _windows(
    layer: Conv2D, shape: Shape, filters: Shape, out: Shape
) -> Iterator[tuple[Place, list[tuple[Place, Place]]]]:
    """Each place of an output (rows, columns, filters) with the places in X and in F of what is
    multiplied there. Pixels of the padding are left out: they are zero.
    """
    height, width, _ = shape
    top, _, left, _ = layer.pads(shape)
    for i, j, k in np.ndindex(out):
        products: list[tuple[Place, Place]] = []
        for r, s, c in np.ndindex(filters[:3]):
            row = i * layer.stride[0] + r * layer.dilation[0] - top
            column = j * layer.stride[1] + s * layer.dilation[1] - left
            if 0 <= row < height and 0 <= column < width:
                products.append(((row, column, c), (r, s, c, k)))
        yield (i, j, k), products


def product_count(layer: Conv2D, shape: Shape, out: Shape) -> int:
    """How many products all outputs have together; those with padding are not counted.

    Args:
        layer: the convolution.
        shape: of its input, (height, width, channels).
        out: of its output, (rows, columns, filters).
    """
    window = layer.reads(shape)
    count = shape[2] * out[2]
    for axis in (0, 1):
        pixels = window.pixels(axis, out[axis])
        count *= int(((pixels >= 0) & (pixels < shape[axis])).sum())
    return count


def sum_values(sums: Sequence[Sum], shape: Shape) -> Array:
    """The values of sums as an array."""
    return np.array([one.value for one in sums]).reshape(shape)


def listed_sum(one: Sum) -> dict[str, Any]:
    """A sum as JSON-able values."""
    return {
        "of": str(one.of.value),
        "terms": [[str(factor) for factor in term.factors] for term in one.terms],
        "values": [list(term.values) for term in one.terms],
        "value": one.value,
    }
