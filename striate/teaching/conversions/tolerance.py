"""Checks whether weights allow a conversion, with errors that say which do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from striate.common.arguments import real_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import in_gibibytes
from striate.layers import Layer
from striate.ops.shapes import Shape

Index = tuple[int, ...]


def check_bytes(size: int, what: str, most: int) -> None:
    """Raise a ValueError if `what`, of `size` bytes, is larger than `most`."""
    if size > most:
        raise StriateValueError(
            f"{what} would take {size:,} bytes ({in_gibibytes(size)}), more than "
            f"most_bytes={most:,}; give a larger limit if there is memory for it"
        )


def check_same(
    layer: Layer,
    name: str,
    values: Array,
    expected: Array,
    counts: Array,
    tolerance: float,
    decides: Callable[[Index], Index],
) -> None:
    """Raise a ValueError unless `values` equal `expected` wherever they count.

    Args:
        layer, name: the layer and the parameter whose values they are, for the message.
        values, expected: arrays that can be broadcast against each other.
        counts: bool, broadcastable too: where values are compared.
        tolerance: the largest absolute difference allowed.
        decides: from the index of a value to the index of the one that it should equal.
    """
    tolerance = _tolerance(tolerance, layer)
    wrong = ~(np.abs(values - expected) <= tolerance) & counts
    if not wrong.any():
        return
    at = _first(wrong)
    other = decides(at)
    off = np.abs(values - expected)[wrong].max()
    total = int(np.broadcast_to(counts, values.shape).sum())
    raise StriateValueError(
        f"{layer.who}: {name}{list(at)} = {values[at]:.9g}, but {name}{list(other)} = "
        f"{values[other]:.9g}, and they would have to be the same number; in all "
        f"{_count(int(wrong.sum()), total)} differ so, by up to {off:.3g}; a tolerance of that "
        "would let them"
    )


def check_zero(layer: Layer, rest: Array, tolerance: float) -> None:
    """Raise a ValueError unless all of `rest` is zero.

    Args:
        layer: whose matrix it is.
        rest: the matrix (row, column, channel, output row, output column, filter) without the
            weights of real connections.
        tolerance: the largest absolute value allowed.
    """
    tolerance = _tolerance(tolerance, layer)
    wrong = ~(np.abs(rest) <= tolerance)
    if not wrong.any():
        return
    at = _first(wrong)
    height, width, channels, rows, columns, filters = rest.shape
    pixel = int(np.ravel_multi_index(at[:3], (height, width, channels)))
    unit = int(np.ravel_multi_index(at[3:], (rows, columns, filters)))
    raise StriateValueError(
        f"{layer.who}: weights[{pixel}, {unit}] = {rest[at]:.9g} connects pixel {at[:2]}, channel "
        f"{at[2]}, with output {at[3:5]}, filter {at[5]}, whose window does not read it, so it "
        f"would have to be 0; in all {_count(int(wrong.sum()), rest.size)} are so, by up to "
        f"{np.abs(rest).max():.3g}; a tolerance of that would take them for 0"
    )


def unfit(layer: Layer, wanted: str, possible: str) -> TypeError:
    """The error for a kind of layer that cannot be converted."""
    return TypeError(f"{layer.who}: only {possible} can become {wanted}")


def same_shape(name: str, shape: Shape, expected: Shape) -> None:
    """Raise a ValueError unless a copied parameter has the shape that its new layer needs."""
    if shape != expected:
        raise StriateValueError(
            f"{name} has shape {shape}, but would need {expected} where its input is a vector "
            "instead of an image; put Flatten in front of its layer first"
        )


def _tolerance(value: float, layer: Layer) -> float:
    tolerance = real_number(value, "tolerance", layer.who)
    if tolerance < 0:
        raise StriateValueError(f"{layer.who}: tolerance must be at least 0, got {tolerance:g}")
    return tolerance


def _first(wrong: Array) -> Index:
    return tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))


def _count(wrong: int, total: int) -> str:
    return f"{wrong:,} of {total:,} numbers"
