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
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import Conv2D
from striate.ops.shapes import Shape


@dataclass(frozen=True, order=True)
class Symbol:
    """The name of a number in a formula, such as X_12 or ∂L/∂O_11.

    Attributes:
        kind: "X", "F", "b" or "O"; "L" for ∂L/∂O; "1" for the number 1.
        place: (row, column), counted from 1 as in the article; of b and 1 it is ().
        planes: its channel, its filter, or both; only those of which there are several.
    """

    kind: str
    place: tuple[int, ...]
    planes: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = ("," * (max(self.place, default=0) > 9)).join(map(str, self.place))
        inner = ",".join(map(str, self.planes))
        name = "O" if self.kind == "L" else self.kind
        shown = f"{name}{f'^{inner}' * bool(inner)}{f'_{where}' * bool(where)}"
        return f"∂L/∂{shown}" if self.kind == "L" else shown


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
        of: the output O whose value this is, or the X, F or b whose gradient it is.
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
            with, by its name; empty before the comparison.
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

    @property
    def output(self) -> Array:
        """O (rows, columns, filters)."""
        return _array(self.outputs, self.gradient.shape)

    @property
    def filter_gradient(self) -> Array:
        """∂L/∂F, of the shape of F."""
        return _array(self.filter_gradients, self.f.shape)

    @property
    def bias_gradient(self) -> Array:
        """∂L/∂b (filters,); empty without a bias."""
        return np.array([one.value for one in self.bias_gradients])

    @property
    def input_gradient(self) -> Array:
        """∂L/∂X, of the shape of X."""
        return _array(self.input_gradients, self.x.shape)

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
            "input": self.x.tolist(),
            "filter": self.f.tolist(),
            "output": self.output.tolist(),
            "output_gradient": self.gradient.tolist(),
            "filter_gradient": self.filter_gradient.tolist(),
            "input_gradient": self.input_gradient.tolist(),
            "learning_rate": self.learning_rate,
            "new_filter": self.new_f.tolist(),
            **self._bias(),
            "sums": {
                name: [_listed(one) for one in sums]
                for name, sums in (
                    ("output", self.outputs),
                    ("filter_gradient", self.filter_gradients),
                    ("bias_gradient", self.bias_gradients),
                    ("input_gradient", self.input_gradients),
                )
                if sums
            },
            "largest_differences": dict(self.checked),
        }

    def _bias(self) -> dict[str, Any]:
        if self.b is None or self.new_b is None:
            return {}
        return {
            "bias": self.b.tolist(),
            "bias_gradient": self.bias_gradient.tolist(),
            "new_bias": self.new_b.tolist(),
        }


def window_sums(
    layer: Conv2D, x: Array, f: Array, b: Array | None, gradient: Array
) -> tuple[tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...]]:
    """Outputs, ∂L/∂F, ∂L/∂b and ∂L/∂X as sums: every product of every window is written down.

    Args:
        layer: the convolution.
        x: input (height, width, channels).
        f: filters (height, width, channels, filters).
        b: bias (filters,), or None.
        gradient: ∂L/∂O (rows, columns, filters).
    """
    height, width, depth = x.shape
    count = f.shape[3]
    top, _, left, _ = layer.pads(x.shape)
    meeting: list[list[GradientTerm]] = []
    names: list[Symbol] = []
    of_filter: dict[tuple[int, ...], list[GradientTerm]] = {
        place: [] for place in np.ndindex(f.shape)
    }
    of_bias: list[list[GradientTerm]] = [[] for _ in range(count if b is not None else 0)]
    of_input: dict[tuple[int, ...], list[GradientTerm]] = {
        place: [] for place in np.ndindex(x.shape)
    }

    def x_name(row: int, column: int, c: int) -> Symbol:
        return Symbol("X", (row + 1, column + 1), (c + 1,) * (depth > 1))

    def f_name(r: int, s: int, c: int, k: int) -> Symbol:
        planes = (c + 1,) * (depth > 1) + (k + 1,) * (count > 1)
        return Symbol("F", (r + 1, s + 1), planes)

    def b_name(k: int) -> Symbol:
        return Symbol("b", (), (k + 1,) * (count > 1))

    for i, j, k in np.ndindex(gradient.shape):
        planes = (k + 1,) * (count > 1)
        arriving = Symbol("L", (i + 1, j + 1), planes)
        products: list[GradientTerm] = []
        for r, s, c in np.ndindex(f.shape[:3]):
            row = i * layer.stride[0] + r * layer.dilation[0] - top
            column = j * layer.stride[1] + s * layer.dilation[1] - left
            if not (0 <= row < height and 0 <= column < width):
                continue  # padding: zero
            pixel, weight = x_name(row, column, c), f_name(r, s, c, k)
            values = float(x[row, column, c]), float(f[r, s, c, k])
            slope = float(gradient[i, j, k])
            products.append(GradientTerm((pixel, weight), values))
            of_filter[r, s, c, k].append(GradientTerm((arriving, pixel), (slope, values[0])))
            of_input[row, column, c].append(GradientTerm((arriving, weight), (slope, values[1])))
        if b is not None:
            products.append(GradientTerm((b_name(k), ONE), (float(b[k]), 1.0)))
            of_bias[k].append(GradientTerm((arriving, ONE), (float(gradient[i, j, k]), 1.0)))
        names.append(Symbol("O", (i + 1, j + 1), planes))
        meeting.append(products)
    return (
        tuple(Sum(name, tuple(terms)) for name, terms in zip(names, meeting, strict=True)),
        tuple(Sum(f_name(*place), tuple(terms)) for place, terms in of_filter.items()),
        tuple(Sum(b_name(k), tuple(terms)) for k, terms in enumerate(of_bias)),
        tuple(Sum(x_name(*place), tuple(terms)) for place, terms in of_input.items()),
    )


def product_count(layer: Conv2D, shape: tuple[int, int, int], out: Shape) -> int:
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


def _array(sums: tuple[Sum, ...], shape: Shape) -> Array:
    return np.array([one.value for one in sums]).reshape(shape)


def _listed(one: Sum) -> dict[str, Any]:
    return {
        "of": str(one.of),
        "terms": [[str(factor) for factor in term.factors] for term in one.terms],
        "values": [list(term.values) for term in one.terms],
        "value": one.value,
    }
