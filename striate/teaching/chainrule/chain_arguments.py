"""The layers of a chain, as `striate.gradients` is given them: checked, and with weights drawn."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import plural, sizes
from striate.layers import Conv2D, MaxPool2D, ReLU
from striate.ops.shapes import Shape
from striate.teaching.chainrule.layer_chain import ChainLayer, WeightedConvolution

ChainedLayer = Conv2D | ReLU | MaxPool2D
Then = (
    ChainedLayer
    | tuple[Conv2D, npt.ArrayLike | None]
    | tuple[Conv2D, npt.ArrayLike | None, npt.ArrayLike | None]
)
"""A layer, or a convolution with its filters, or with its filters and its bias; None: drawn."""
WHO = "gradients"


@short_repr
@dataclass(frozen=True, eq=False)
class PlannedConvolution:
    """A convolution with those of its weights that are given.

    Attributes:
        layer: the convolution.
        f: filters (height, width, channels, filters), or None: they are drawn.
        b: bias (filters,), or None: it is drawn if the layer has one.
    """

    layer: Conv2D
    f: Array | None
    b: Array | None


Plan = Sequence[PlannedConvolution | ReLU | MaxPool2D]


def planned(then: Sequence[Then]) -> list[PlannedConvolution | ReLU | MaxPool2D]:
    """The layers behind the first convolution.

    Raises:
        ValueError: ReLU or max-pooling stands twice between two convolutions, or a convolution has
            groups.
        TypeError: something is no such layer.
    """
    found: list[PlannedConvolution | ReLU | MaxPool2D] = []
    between: list[type] = []
    count = 1
    for given in then:
        layer, *weights = given if isinstance(given, tuple) else (given,)
        alone = isinstance(layer, ReLU | MaxPool2D) and not weights
        if not alone and not (isinstance(layer, Conv2D) and len(weights) <= 2):
            raise StriateTypeError(
                f"{WHO}: then must be Conv2D, ReLU and MaxPool2D layers, or tuples of a Conv2D, "
                f"its filters and perhaps its bias, got {given!r}"
            )
        layer = copy.copy(layer)  # the same layer may stand at several places
        if isinstance(layer, Conv2D):
            between, count = [], count + 1
            layer.name = layer.name or f"conv2d_{count}"
            found.append(_convolution(layer, weights))
            continue
        if type(layer) in between:
            raise StriateValueError(
                f"{WHO}: then has {type(layer).__name__} twice behind convolution {count}; one "
                "ReLU and one MaxPool2D may stand behind each"
            )
        between.append(type(layer))
        layer.name = layer.name or f"{layer.kind}_{count}"
        found.append(layer)
    return found


def _convolution(layer: Conv2D, weights: Sequence[npt.ArrayLike | None]) -> PlannedConvolution:
    if layer.groups != 1:
        raise StriateValueError(f"{WHO}: {layer.who} must have groups=1, not {layer.groups}")
    given = (*weights, None, None)[:2]
    f, b = (
        None if own is None else given_numbers(own, f"the {what} of {layer.who}")
        for own, what in zip(given, ("filters", "bias"), strict=True)
    )
    if f is not None and f.ndim == 2:
        f = f[:, :, None, None]
    if b is not None:
        b = b.ravel()
        if not layer.bias:
            raise StriateValueError(f"{WHO}: {layer.who} has bias=False and a bias; leave out one")
    return PlannedConvolution(layer, f, b)


def layer_shapes(plan: Plan, shape: Shape) -> list[Shape]:
    """What each layer reads, and the last output; a layer with a channel more is refused.

    Args:
        plan: the layers.
        shape: of the first input (height, width, channels).

    Raises:
        ValueError: sizes do not fit, or weights have another shape than their layer.
    """
    found = [shape]
    for own in plan:
        layer = own.layer if isinstance(own, PlannedConvolution) else own
        found.append(layer.output_shape(found[-1]))
        if not isinstance(own, PlannedConvolution):
            continue
        wanted = (*own.layer.size, found[-2][2], own.layer.filters)
        if own.f is not None and own.f.shape != wanted:
            raise StriateValueError(
                f"{WHO}: the filters of {own.layer.who} must have the shape {wanted} (height, "
                f"width, channels, filters), got {own.f.shape}"
            )
        if own.b is not None and own.b.size != own.layer.filters:
            raise StriateValueError(
                f"{WHO}: the bias of {own.layer.who} must be {own.layer.filters} "
                f"{plural(own.layer.filters, 'number')}, one for each filter, got {own.b.size}"
            )
    return found


def drawn_layers(
    plan: Plan, shapes: Sequence[Shape], random: np.random.Generator
) -> list[ChainLayer]:
    """The layers with their weights, of which small whole numbers are drawn where none are given.

    Args:
        plan: the layers.
        shapes: as `layer_shapes` gives them.
        random: where the numbers come from.
    """
    found: list[ChainLayer] = []
    for own, shape in zip(plan, shapes[:-1], strict=True):
        if not isinstance(own, PlannedConvolution):
            found.append(own)
            continue
        wanted = (*own.layer.size, shape[2], own.layer.filters)
        f = random.integers(-3, 4, wanted).astype(np.float64)
        b = own.b
        if b is None and own.layer.bias:
            b = random.integers(-3, 4, own.layer.filters).astype(np.float64)
        found.append(WeightedConvolution(own.layer, f if own.f is None else own.f, b))
    return found


def given_numbers(value: npt.ArrayLike, what: str) -> Array:
    """Finite real numbers as float64; an error calls them `what`."""
    array = as_real_array(value, what, WHO)
    if not np.isfinite(array).all():
        raise StriateValueError(f"{WHO}: {what} must be finite")
    return array.astype(np.float64)


def chain_said(plan: Plan, extents: Sequence[Shape]) -> str:
    """The convolutions as an error names them.

    Args:
        plan: the layers.
        extents: as `layer_shapes` gives them.
    """
    filters = [
        f"a filter of {sizes(own.layer.size)}, {read[2]} channels in and {own.layer.filters} out"
        for own, read in zip(plan, extents[:-1], strict=True)
        if isinstance(own, PlannedConvolution)
    ]
    return f"an input of {sizes(extents[0][:2])} with {'; then '.join(filters)}"
