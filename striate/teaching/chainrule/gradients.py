"""Each output of a small convolution and each gradient, as sums of products of named numbers.

With X the input, F the filter, O the output and L a loss whose ∂L/∂O is known, the chain rule is

    O                                  = Σ X·F
    ∂L/∂F_i = Σ_k ∂L/∂O_k · ∂O_k/∂F_i  = Σ ∂L/∂O·X
    ∂L/∂X_i = Σ_k ∂L/∂O_k · ∂O_k/∂X_i  = Σ ∂L/∂O·F

and a step of gradient descent F ← F - α·∂L/∂F. A bias b is added to each output of its filter, so
that ∂L/∂b = Σ ∂L/∂O·1. Which number meets which is found here one window
at a time, apart from the layers, so that comparing with these is a test of both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array
from striate.common.text import sizes
from striate.layers import Conv2D
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair
from striate.teaching.chainrule import finite_differences

WHO = "gradients"
MOST_TERMS = 1_000
"""More products of X and F than these nobody reads."""


@dataclass(frozen=True, order=True)
class Symbol:
    """A number's name: X, F, b, O or "L" for ∂L/∂O, and its place; or 1.

    Attributes:
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
"""What a bias is multiplied by."""


@dataclass(frozen=True)
class GradientTerm:
    """One product of a sum.

    Attributes:
        factors: X and F, or b and 1, in an output; ∂L/∂O and X, F or 1 in a gradient.
        values: their numbers.
    """

    factors: tuple[Symbol, Symbol]
    values: tuple[float, float]


@dataclass(frozen=True)
class Sum:
    """One number and the products that make it: an output, ∂L/∂F or ∂L/∂X at one place, or ∂L/∂b.

    Attributes:
        of: the symbol, of which the sum is the value or, of F, X and b, the gradient.
        terms: in the order of the article; products with padding, all zero, are left out.
    """

    of: Symbol
    terms: tuple[GradientTerm, ...]

    @property
    def value(self) -> float:
        """The sum."""
        return math.fsum(a * b for a, b in (term.values for term in self.terms))


@dataclass(frozen=True, eq=False)
class Gradients:
    """A convolution's outputs and gradients written out. ``str()`` is the text.

    Attributes:
        layer: the convolution.
        x: input (height, width, channels). f: filters (height, width, channels, filters).
        b: the bias (filters,); None without one.
        gradient: ∂L/∂O (rows, columns, filters). All float64.
        learning_rate: α of the step.
        outputs, filter_gradients, bias_gradients, input_gradients: the sums, row by row.
        checked: what the numbers were compared with, and the largest difference found.
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
        """∂L/∂b (filters,); without a bias there are none."""
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

    def text(self, form: str = "text", only: Sequence[str] = ()) -> str:
        """All of it as "text", "markdown" or "latex" (a document that needs amsmath only).

        Args:
            form: one of these.
            only: leave out all sums but these, such as "O_11", "F_12" for ∂L/∂F_12 or "X_22".
        """
        from striate.teaching.chainrule.as_text import write

        return write(self, form, only)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
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

    def __str__(self) -> str:
        return self.text()


def gradients(
    input: int | Pair = 3,
    filter: int | Pair = 2,
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    channels: int = 1,
    filters: int = 1,
    x: npt.ArrayLike | None = None,
    f: npt.ArrayLike | None = None,
    b: npt.ArrayLike | None = None,
    gradient: npt.ArrayLike | None = None,
    learning_rate: float = 0.1,
    seed: int = 0,
    engine: str = "llvm",
) -> Gradients:
    """Write out a convolution (correlation), its gradients and one step of gradient descent.

    Args:
        input, filter: their (height, width); not needed where `x` or `f` is given.
        stride, padding, dilation: as in `striate.Conv2D`.
        channels, filters: of the input, and how many outputs there are at each place.
        x: the input, (height, width) or (height, width, channels).
        f: the filters, (height, width) or (height, width, channels, filters).
        b: the bias, a number for each filter; without it there is none.
        gradient: ∂L/∂O, (rows, columns) or (rows, columns, filters).
        learning_rate: α.
        seed: of the small whole numbers that stand for what is not given.
        engine: whose kernels the numbers are compared with, besides finite differences.

    Raises:
        ValueError: the sizes do not fit, arrays are not of the shapes that follow from them, or
            there would be more than 1,000 products to read.
        TypeError: an argument is of another kind.
    """
    given = {name: _given(value, name) for name, value in
             (("x", x), ("f", f), ("b", b), ("gradient", gradient))}  # fmt: skip
    image = shapes.pair(input, "input", WHO)
    size = shapes.pair(filter, "filter", WHO)
    depth = whole_number(channels, "channels", WHO)
    count = whole_number(filters, "filters", WHO)
    xs, fs, arriving = given["x"], given["f"], given["gradient"]
    if xs is not None:
        xs = _shaped(xs, 3, "x", "(height, width) or (height, width, channels)")
        image, depth = (xs.shape[0], xs.shape[1]), xs.shape[2]
    if fs is not None:
        fs = _shaped(fs, 4, "f", "(height, width) or (height, width, channels, filters)")
        size, count = (fs.shape[0], fs.shape[1]), fs.shape[3]
        if xs is None:
            depth = fs.shape[2]
        elif fs.shape[2] != depth:
            raise ValueError(f"{WHO}: x has {depth} channels, f is for {fs.shape[2]}")
    rate = real_number(learning_rate, "learning_rate", WHO)
    layer = Conv2D(count, size, stride=stride, padding=padding, dilation=dilation,
                   bias=b is not None)  # fmt: skip
    out = layer.output_shape((*image, depth))
    products = _products(layer, (*image, depth), out)
    if products > MOST_TERMS:
        raise ValueError(
            f"{WHO}: an input of {sizes(image)} with a filter of {sizes(size)}, {depth} channels "
            f"in and {count} out, makes {products:,} products in the outputs and as many in each "
            f"gradient, too many to read (at most {MOST_TERMS:,}); choose a smaller input or filter"
        )
    random = np.random.default_rng(whole_number(seed, "seed", WHO, minimum=0))
    drawn = (
        random.integers(0, 10, (*image, depth)),
        random.integers(-3, 4, (*size, depth, count)),
        random.integers(-3, 4, out),
    )
    xs = drawn[0].astype(np.float64) if xs is None else xs
    fs = drawn[1].astype(np.float64) if fs is None else fs
    if arriving is None:
        arriving = drawn[2].astype(np.float64)
    else:
        arriving = _shaped(arriving, 3, "gradient", "(rows, columns) or (rows, columns, filters)")
        if arriving.shape != out:
            raise ValueError(
                f"{WHO}: gradient must have the shape of the output, {sizes(out[:2])} with {count} "
                f"filters, got {arriving.shape}"
            )
    bs = given["b"]
    if bs is not None:
        bs = bs.ravel()
        if bs.size != count:
            raise ValueError(
                f"{WHO}: the bias must have a number for each filter, {count}, got {bs.size}"
            )
    written = Gradients(layer, xs, fs, bs, arriving, rate, *_sums(layer, xs, fs, bs, arriving), {})
    return replace(written, checked=finite_differences.compare(written, engine))


def _sums(
    layer: Conv2D, x: Array, f: Array, b: Array | None, gradient: Array
) -> tuple[tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...]]:
    """Outputs, ∂L/∂F, ∂L/∂b and ∂L/∂X: each window is laid on the input and every pair written
    down."""
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


def _products(layer: Conv2D, shape: tuple[int, int, int], out: shapes.Shape) -> int:
    """How many products the outputs have, those with padding left out."""
    along = 1
    pads = layer.pads(shape)
    for axis in (0, 1):
        places = np.add.outer(
            np.arange(out[axis]) * layer.stride[axis],
            np.arange(layer.size[axis]) * layer.dilation[axis] - pads[2 * axis],
        )
        along *= int(((places >= 0) & (places < shape[axis])).sum())
    return along * shape[2] * out[2]


def _given(value: npt.ArrayLike | None, what: str) -> Array | None:
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{WHO}: {what} must be an array of real numbers, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{WHO}: {what} must be finite")
    return array.astype(np.float64)


def _shaped(array: Array, axes: int, what: str, wanted: str) -> Array:
    """The array with axes of length 1 for channels and filters, where it has none."""
    if array.ndim not in (2, axes) or not array.size:
        raise ValueError(f"{WHO}: {what} must be {wanted}, got shape {array.shape}")
    return array.reshape(array.shape + (1,) * (axes - array.ndim))


def _array(sums: tuple[Sum, ...], shape: shapes.Shape) -> Array:
    return np.array([one.value for one in sums]).reshape(shape)


def _listed(one: Sum) -> dict[str, Any]:
    return {
        "of": str(one.of),
        "terms": [[str(factor) for factor in term.factors] for term in one.terms],
        "values": [list(term.values) for term in one.terms],
        "value": one.value,
    }
