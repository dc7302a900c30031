"""The one entry to all engines: a kernel swept over some axes of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.signal.geometry import Window
from striate.signal.textbook import shifted

Array = npt.NDArray[Any]


def sweep(
    f: Array,
    weights: Array,
    windows: Sequence[Window],
    *,
    axes: Sequence[int],
    border: str | Sequence[str] = "fill",
    fill_value: Any = 0,
    dtype: npt.DTypeLike,
    out: Array | None = None,
    method: str = "auto",
) -> Array:
    """Correlate (no flip): over `axes` of `f`, with f extended by its borders,

        out[…, n, …] = Σ_i weights[i] · f[…, start + n · stride + i · dilation, …]

    Parameters
    ----------
    f
        An array; axes that are not swept are batches.
    weights
        The kernel, in correlation order: one dimension for each swept axis.
    windows
        One for each swept axis.
    border
        One of `striate.signal.geometry.BORDERS`, or one for each swept axis.
    dtype
        What is computed in: elements and weights become it as they are read.
    out
        Where to write, of any dtype and strides, even where `f` is: every finished sum is
        converted as C does it (a float becomes an integer by leaving out its fraction).
        Without it, a new array of `dtype`.

    Arguments are trusted: whoever calls this has checked them.
    """
    borders = [border] * len(axes) if isinstance(border, str) else list(border)
    dtype = np.dtype(dtype)
    result = shifted(
        f.astype(dtype, copy=False),
        weights.astype(dtype, copy=False),
        windows,
        axes,
        borders,
        fill_value,
    )
    if out is None:
        return result
    store(result, out)
    return out


def sweep_separable(
    f: Array,
    weights: Sequence[Array],
    windows: Sequence[Window],
    *,
    axes: Sequence[int],
    border: str | Sequence[str] = "fill",
    fill_value: Any = 0,
    dtype: npt.DTypeLike,
    out: Array | None = None,
    method: str = "auto",
) -> Array:
    """`sweep` with the outer product of one-dimensional weights, one for each swept axis.

    Each axis is swept in turn; a fill value counts as part of the image on all of them.
    """
    borders = [border] * len(axes) if isinstance(border, str) else list(border)
    dtype = np.dtype(dtype)
    value = f.astype(dtype, copy=False)
    for axis, kernel, window, name in zip(axes, weights, windows, borders, strict=True):
        value = sweep(
            value, kernel, (window,), axes=(axis,), border=name, fill_value=fill_value, dtype=dtype
        )
        if name == "fill" and fill_value:
            fill_value = fill_value * kernel.sum()
    if out is None:
        return value
    store(value, out)
    return out


def store(values: Array, out: Array) -> None:
    """Write `values` to `out`, converting as C does: fractions are cut, integers wrap."""
    if values.dtype.kind == "f" and out.dtype.kind in "iu":
        if out.dtype == np.uint64:
            # Beyond the signed range a conversion by way of int64 would be wrong.
            large = values >= 2.0**63
            np.copyto(
                out, np.where(large, values - 2.0**63, values).astype(np.int64).view(np.uint64)
            )
            out[large] += np.uint64(2**63)
            return
        values = values.astype(np.int64)
    np.copyto(out, values, casting="unsafe")
