"""`striate.gradients`: a small convolution, its gradients and one step of gradient descent.

The entrance to the chain-rule example: it checks the arguments, draws the numbers that are not
given, writes out all sums (`sums`, and of several layers `layer_chain`) and compares their values
with an engine's kernels and with finite differences (`finite_differences`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

from striate.common.arguments import real_number, whole_number
from striate.common.arrays import Array
from striate.common.budget import at_most
from striate.common.errors import StriateValueError
from striate.common.text import plural, sizes
from striate.layers import Conv2D
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair
from striate.teaching.chainrule import finite_differences
from striate.teaching.chainrule.chain_arguments import (
    Plan,
    PlannedConvolution,
    Then,
    chain_said,
    drawn_layers,
    given_numbers,
    layer_shapes,
    planned,
)
from striate.teaching.chainrule.layer_chain import ChainSums, chain_sums
from striate.teaching.chainrule.sums import GradientSums, product_count
from striate.teaching.chainrule.written_forms import written_as

WHO = "gradients"
MOST_TERMS = 1_000
"""Products of X and F that are written out at most: a longer text would not be read."""
DRAWS = 50
"""How often numbers are drawn anew where the loss of a chain has a bend, or a gradient is all 0."""


T = TypeVar("T")


class Gradients(GradientSums):
    """A convolution's outputs and gradients, which can write themselves. ``str()`` is the text."""

    def text(self, form: str = "text", only: Sequence[str] = ()) -> str:
        """All of it as "text", "markdown", "latex" (a document) or "html" (a page, MathML).

        Args:
            form: one of these.
            only: leave out all sums but these, such as "O_11", "F_12" for ∂L/∂F_12 or "X_22".
        """
        return written_as(self, form, only)

    def __str__(self) -> str:
        return self.text()


class ChainGradients(ChainSums):
    """Layers one after the other with their gradients, which can write themselves. ``str()`` is
    the text.
    """

    def text(self, form: str = "text", only: Sequence[str] = ()) -> str:
        """All of it as "text", "markdown", "latex" (a document) or "html" (a page, MathML).

        Args:
            form: one of these.
            only: leave out all sums but these, such as "O2_11", or "F1_12" for ∂L/∂F1_12.
        """
        return written_as(self, form, only)

    def __str__(self) -> str:
        return self.text()


@overload
def gradients(
    input: int | Pair | None = None, filter: int | Pair | None = None, *,
    stride: int | Pair = 1, padding: Padding = 0, dilation: int | Pair = 1,
    channels: int | None = None, filters: int | None = None, x: npt.ArrayLike | None = None,
    f: npt.ArrayLike | None = None, b: npt.ArrayLike | None = None, then: tuple[()] = (),
    gradient: npt.ArrayLike | None = None, learning_rate: float = 0.1, seed: int = 0,
    engine: str = "llvm",
) -> Gradients: ...  # fmt: skip


@overload
def gradients(
    input: int | Pair | None = None, filter: int | Pair | None = None, *,
    stride: int | Pair = 1, padding: Padding = 0, dilation: int | Pair = 1,
    channels: int | None = None, filters: int | None = None, x: npt.ArrayLike | None = None,
    f: npt.ArrayLike | None = None, b: npt.ArrayLike | None = None, then: Sequence[Then],
    gradient: npt.ArrayLike | None = None, learning_rate: float = 0.1, seed: int = 0,
    engine: str = "llvm",
) -> Gradients | ChainGradients: ...  # fmt: skip


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
    then: Sequence[Then] = (),
    gradient: npt.ArrayLike | None = None,
    learning_rate: float = 0.1,
    seed: int = 0,
    engine: str = "llvm",
) -> Gradients | ChainGradients:
    """Write out a convolution (correlation), its gradients and one step of gradient descent; or
    several, one after the other.

    Args:
        input, filter: their (height, width), 3 and 2 by default; with `x` or `f`, they may be left
            out, and must agree where they are not.
        stride, padding, dilation: as in `striate.Conv2D`.
        channels, filters: of the input, and how many outputs there are at each place; 1 by default,
            or what `x`, `f`, `b` and, of a single layer, `gradient` have.
        x: the input, (height, width) or (height, width, channels).
        f: the filters, (height, width) or (height, width, channels, filters).
        b: the bias, a number for each filter; without it there is none.
        then: the layers behind this convolution, of which each reads the one before: `Conv2D`,
            `ReLU` and `MaxPool2D`, or tuples of a `Conv2D`, its filters and perhaps its bias.
            Weights that are not given are drawn.
        gradient: ∂L/∂O of the last layer, (rows, columns) or (rows, columns, filters).
        learning_rate: α.
        seed: of the small whole numbers that are drawn for arrays that are not given. In a chain
            they are drawn anew where ReLU or max-pooling has a bend, if that helps.
        engine: whose kernels the numbers are compared with, besides finite differences.

    Returns:
        The sums; a `ChainGradients` with `then`.

    Raises:
        ValueError: the sizes do not fit, contradict the arrays, or arrays one another, or there
            would be more than 1,000 products to read.
        TypeError: an argument is of another kind.
    """
    xs, fs, bs, arriving = (
        None if value is None else given_numbers(value, name)
        for name, value in (("x", x), ("f", f), ("b", b), ("gradient", gradient))
    )
    if xs is not None:
        xs = _shaped(xs, 3, "x", "(height, width) or (height, width, channels)")
    if fs is not None:
        fs = _shaped(fs, 4, "f", "(height, width) or (height, width, channels, filters)")
    if bs is not None:
        bs = bs.ravel()
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
    behind = planned(then)
    count = _agreed(
        "number of filters", 1,
        filters=None if filters is None else whole_number(filters, "filters", WHO),
        f=None if fs is None else fs.shape[3],
        b=None if bs is None else bs.size,
        gradient=None if arriving is None or behind else arriving.shape[2],
    )  # fmt: skip
    rate = real_number(learning_rate, "learning_rate", WHO)
    layer = Conv2D(count, size, stride=stride, padding=padding, dilation=dilation,
                   bias=b is not None, name="conv2d_1" if behind else None)  # fmt: skip
    plan = [PlannedConvolution(layer, fs, bs), *behind]
    extents = layer_shapes(plan, (*image, depth))
    _check_terms(plan, extents)
    out = extents[-1]
    if arriving is not None and arriving.shape != out:
        raise StriateValueError(
            f"{WHO}: gradient must have the shape of the output, {sizes(out[:2])} with {out[2]} "
            f"{plural(out[2], 'filter')}, got {sizes(arriving.shape)}"
        )
    random = np.random.default_rng(whole_number(seed, "seed", WHO, minimum=0))
    for _ in range(DRAWS):
        pixels = random.integers(0, 10, (*image, depth)).astype(np.float64)
        layers = drawn_layers(plan, extents, random)
        slopes = random.integers(-3, 4, out).astype(np.float64)
        chain = chain_sums(
            layers, pixels if xs is None else xs, slopes if arriving is None else arriving, rate
        )
        if not behind or _is_telling(chain):
            break
    agreement = finite_differences.compare(chain.steps, engine)
    if behind:
        return ChainGradients(chain.steps, rate, agreement.differences, agreement.bends)
    (alone,) = chain.convolutions
    own = {name: getattr(alone, name) for name in (one.name for one in fields(alone))}
    return Gradients(**{**own, "checked": agreement.differences})


def _is_telling(chain: ChainSums) -> bool:
    """Whether no ReLU nor pooling has a bend there, and some gradient comes to each layer."""
    arrives = all(step.gradient.any() for step in chain.steps)
    return arrives and not finite_differences.bend_count(chain.steps)


def _check_terms(plan: Plan, extents: Sequence[shapes.Shape]) -> None:
    """Refuse what would make too much text.

    Args:
        plan: the layers.
        extents: the shape that each layer reads, and that of the last output.
    """
    products = 0
    for own, read, out in zip(plan, extents[:-1], extents[1:], strict=True):
        if isinstance(own, PlannedConvolution):
            products += product_count(own.layer, read, out)
    if products > MOST_TERMS:
        what = chain_said(plan, extents)
        raise StriateValueError(
            f"{WHO}: {what}, makes {products:,} products in the outputs and as many in each "
            f"gradient, too many to read (at most {MOST_TERMS:,}); choose a smaller input or filter"
        )
    # Outputs that read padding alone have no products, and are written all the same.
    for out in extents[1:]:
        at_most(math.prod(out), 10 * MOST_TERMS, "outputs", WHO, "choose less padding")


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
