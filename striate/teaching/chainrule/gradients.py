"""`striate.gradients`: a small convolution, its gradients and one step of gradient descent.

The entrance to the chain-rule example: it checks the arguments, draws the numbers that are not
given, writes out all sums (`sums`) and compares their values with an engine's kernels and with
finite differences (`finite_differences`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array, as_real_array
from striate.common.budget import at_most
from striate.common.errors import StriateValueError
from striate.common.text import plural, sizes
from striate.layers import Conv2D
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair
from striate.teaching.chainrule import as_formulas, as_page, as_text, contents, finite_differences
from striate.teaching.chainrule.sums import GradientSums, product_count, window_sums

WHO = "gradients"
FORMS = ("text", "markdown", "latex", "html")
MOST_TERMS = 1_000
"""Products of X and F that are written out at most: a longer text would not be read."""


T = TypeVar("T")


class Gradients(GradientSums):
    """A convolution's outputs and gradients, which can write themselves. ``str()`` is the text."""

    def text(self, form: str = "text", only: Sequence[str] = ()) -> str:
        """All of it as "text", "markdown", "latex" (a document) or "html" (a page, MathML).

        Args:
            form: one of these.
            only: leave out all sums but these, such as "O_11", "F_12" for ∂L/∂F_12 or "X_22".
        """
        if form not in FORMS:
            raise StriateValueError(f"{WHO}: the format must be {', '.join(FORMS)}, got {form!r}")
        names = contents.chosen(self, only)
        if form == "text":
            return as_text.text(self, names)
        if form == "html":
            return as_page.page(self, names)
        return (as_formulas.latex if form == "latex" else as_formulas.markdown)(self, names)

    def __str__(self) -> str:
        return self.text()


def gradients(
    input: int | Pair | None = None,
    filter: int | Pair | None = None,
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    channels: int | None = None,
    filters: int | None = None,
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
        input, filter: their (height, width), 3 and 2 by default; with `x` or `f`, they may be left
            out, and must agree where they are not.
        stride, padding, dilation: as in `striate.Conv2D`.
        channels, filters: of the input, and how many outputs there are at each place; 1 by default,
            or what `x`, `f`, `b` and `gradient` have.
        x: the input, (height, width) or (height, width, channels).
        f: the filters, (height, width) or (height, width, channels, filters).
        b: the bias, a number for each filter; without it there is none.
        gradient: ∂L/∂O, (rows, columns) or (rows, columns, filters).
        learning_rate: α.
        seed: of the small whole numbers that are drawn for arrays that are not given.
        engine: whose kernels the numbers are compared with, besides finite differences.

    Raises:
        ValueError: the sizes do not fit, contradict the arrays, or arrays one another, or there
            would be more than 1,000 products to read.
        TypeError: an argument is of another kind.
    """
    given = {name: _given(value, name) for name, value in
             (("x", x), ("f", f), ("b", b), ("gradient", gradient))}  # fmt: skip
    xs, fs, arriving = given["x"], given["f"], given["gradient"]
    if xs is not None:
        xs = _shaped(xs, 3, "x", "(height, width) or (height, width, channels)")
    if fs is not None:
        fs = _shaped(fs, 4, "f", "(height, width) or (height, width, channels, filters)")
    if arriving is not None:
        arriving = _shaped(arriving, 3, "gradient", "(rows, columns) or (rows, columns, filters)")
    image = _agreed(
        "size of the input", (3, 3),
        input=None if input is None else shapes.pair(input, "input", WHO),
        x=None if xs is None else xs.shape[:2],
    )  # fmt: skip
    size = _agreed(
        "size of the filter", (2, 2),
        filter=None if filter is None else shapes.pair(filter, "filter", WHO),
        f=None if fs is None else fs.shape[:2],
    )  # fmt: skip
    depth = _agreed(
        "number of channels", 1,
        channels=None if channels is None else whole_number(channels, "channels", WHO),
        x=None if xs is None else xs.shape[2],
        f=None if fs is None else fs.shape[2],
    )  # fmt: skip
    count = _agreed(
        "number of filters", 1,
        filters=None if filters is None else whole_number(filters, "filters", WHO),
        f=None if fs is None else fs.shape[3],
        b=None if given["b"] is None else given["b"].size,
        gradient=None if arriving is None else arriving.shape[2],
    )  # fmt: skip
    rate = real_number(learning_rate, "learning_rate", WHO)
    layer = Conv2D(count, size, stride=stride, padding=padding, dilation=dilation,
                   bias=b is not None)  # fmt: skip
    out = layer.output_shape((*image, depth))
    products = product_count(layer, (*image, depth), out)
    if products > MOST_TERMS:
        raise StriateValueError(
            f"{WHO}: an input of {sizes(image)} with a filter of {sizes(size)}, {depth} channels "
            f"in and {count} out, makes {products:,} products in the outputs and as many in each "
            f"gradient, too many to read (at most {MOST_TERMS:,}); choose a smaller input or filter"
        )
    # Outputs that read padding alone have no products, and are written all the same.
    at_most(math.prod(out), 10 * MOST_TERMS, "outputs", WHO, "choose less padding")
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
    elif arriving.shape != out:
        raise StriateValueError(
            f"{WHO}: gradient must have the shape of the output, {sizes(out[:2])} with {count} "
            f"{plural(count, 'filter')}, got {sizes(arriving.shape)}"
        )
    bs = None if given["b"] is None else given["b"].ravel()
    sums = window_sums(layer, xs, fs, bs, arriving)
    written = Gradients(layer, xs, fs, bs, arriving, rate, *sums, {})
    return replace(written, checked=finite_differences.compare(written, engine))


def _given(value: npt.ArrayLike | None, what: str) -> Array | None:
    if value is None:
        return None
    array = as_real_array(value, what, WHO)
    if not np.isfinite(array).all():
        raise StriateValueError(f"{WHO}: {what} must be finite")
    return array.astype(np.float64)


def _agreed(what: str, usual: T, **said: T | None) -> T:
    """The one value that all sources say, or the usual one where none says anything.

    Raises:
        ValueError: two contradict each other; the message names both and their values.
    """
    told = {name: value for name, value in said.items() if value is not None}
    if len(set(told.values())) > 1:
        says = " and ".join(
            f"{sizes(value) if isinstance(value, tuple) else value} of {name}"
            for name, value in told.items()
        )
        raise StriateValueError(
            f"{WHO}: the {what} is told twice, differently: {says}; leave one out, or make "
            "them agree"
        )
    return next(iter(told.values()), usual)


def _shaped(array: Array, axes: int, what: str, wanted: str) -> Array:
    """The array with axes of length 1 for channels and filters, where it has none."""
    if array.ndim not in (2, axes) or not array.size:
        raise StriateValueError(f"{WHO}: {what} must be {wanted}, got shape {array.shape}")
    return array.reshape(array.shape + (1,) * (axes - array.ndim))
