"""``scipy.ndimage`` with striate's linear filters: `convolve`, `correlate`, `convolve1d`,
`correlate1d`, `gaussian_filter`, `uniform_filter`, `sobel`, `prewitt`, `laplace` and their kin.

Arguments, results and errors are those of SciPy 1.17: sums are taken in float64 and converted to
the dtype of the output, fractions cut off.  Complex numbers are filtered as their parts.

- `output` is an array to write to (the input too) or a dtype; by default the input's.
- `mode` says what lies around the input: "reflect" d c b a|a b c d|d c b a, "mirror"
  d c b|a b c d|c b a, "nearest" a a a|a b c d|d d d, "wrap" a b c d|a b c d|a b c d, "constant"
  k k k|a b c d|k k k, where k is `cval`. Filters that take each axis on its own also take one mode
  for each.
- `origin` moves the filter: 0 is its centre, ``size // 2``; positive ones shift it to the left.
- `axes` are the axes that are filtered, by default all.

Errors of all functions: RuntimeError for an unknown mode, an unsupported dtype, an output of wrong
shape or dtype and for weights or sequences of wrong length; ValueError for an origin outside the
filter, axes out of range and a read-only output.

Every other name is SciPy's own, looked up when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.ndimage as _scipy

from striate.common.arrays import Array
from striate.compat._basic_filters import correlate_box, correlate_line, mean_line
from striate.compat._drop_in import lend_submodules, stands_in_for
from striate.compat._gaussian import gaussian_weights
from striate.compat._line_filters import (
    correlate_lines,
    ping_pong,
    smoothed_difference,
    sum_of_derivatives,
)
from striate.compat._scipy_arguments import checked_axes, each, new_output

__all__ = list(_scipy.__all__)


@stands_in_for(_scipy.correlate)
def correlate(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Correlate with weights of as many dimensions as `axes`; complex ones are conjugated."""
    return correlate_box(input, weights, output, mode, cval, origin, axes, flip=False)


@stands_in_for(_scipy.convolve)
def convolve(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """Convolve with weights of as many dimensions as `axes`, which are flipped."""
    return correlate_box(input, weights, output, mode, cval, origin, axes, flip=True)


@stands_in_for(_scipy.correlate1d)
def correlate1d(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    """Correlate lines along `axis` with `weights`; complex ones are conjugated."""
    return correlate_line(input, weights, axis, output, mode, cval, origin)


@stands_in_for(_scipy.convolve1d)
def convolve1d(
    input: npt.ArrayLike,
    weights: npt.ArrayLike,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    """Convolve lines along `axis` with `weights`, which are flipped."""
    kernel = np.asarray(weights)[::-1]
    if kernel.dtype.kind == "c":
        kernel = kernel.conj()
    # An even filter has no element in its centre: flipped, it lies one further to the left.
    origin = -origin - (len(kernel) % 2 == 0)
    return correlate_line(input, kernel, axis, output, mode, cval, origin)


@stands_in_for(_scipy.gaussian_filter1d)
def gaussian_filter1d(
    input: npt.ArrayLike,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Array:
    """Filter lines with a Gaussian of standard deviation `sigma`, or its derivative of `order`.

    It is cut off at `radius` elements, by default ``truncate * sigma`` rounded.

    Raises:
        ValueError: `order` or the radius is negative, or the radius no whole number.
    """
    weights = gaussian_weights(sigma, order, truncate, radius)
    return correlate_line(input, weights, axis, output, mode, cval, 0)


@stands_in_for(_scipy.gaussian_filter)
def gaussian_filter(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """`gaussian_filter1d` along one axis after the other, each with its own parameters.

    Axes whose sigma is 0 are left alone.
    """
    f = np.asarray(input)
    out = new_output(output, f)
    chosen = checked_axes(axes, f.ndim)
    count = len(chosen)
    parameters = zip(
        chosen,
        each(sigma, count),
        each(order, count),
        each(mode, count),
        each(radius, count),
        strict=True,
    )
    lines = [
        (gaussian_weights(width, derivative, truncate, reach), axis, name)
        for axis, width, derivative, name, reach in parameters
        if width > 1e-15
    ]
    return correlate_lines(f, lines, out, cval)


@stands_in_for(_scipy.prewitt)
def prewitt(
    input: npt.ArrayLike,
    axis: int = -1,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> Array:
    """The difference -1, 0, 1 along `axis`, summed over three neighbours 1, 1, 1 on the others."""
    return smoothed_difference(input, axis, output, mode, cval, (1.0, 1.0, 1.0))


@stands_in_for(_scipy.sobel)
def sobel(
    input: npt.ArrayLike,
    axis: int = -1,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> Array:
    """The difference -1, 0, 1 along `axis`, smoothed by 1, 2, 1 along the others."""
    return smoothed_difference(input, axis, output, mode, cval, (1.0, 2.0, 1.0))


@stands_in_for(_scipy.generic_laplace)
def generic_laplace(
    input: npt.ArrayLike,
    derivative2: Callable[..., Array],
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """The sum of second derivatives along all axes, each by the function given:
    ``derivative2(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``.
    """
    f = np.asarray(input)
    out = new_output(output, f)
    chosen = checked_axes(axes, f.ndim)
    return sum_of_derivatives(
        f, out, derivative2, mode, cval, extra_arguments, extra_keywords, chosen, squared=False
    )


@stands_in_for(_scipy.laplace)
def laplace(
    input: npt.ArrayLike,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """The sum of the second differences 1, -2, 1 along all axes."""

    def second(f: Array, axis: int, output: Any, mode: str, cval: complex) -> Array:
        return correlate_line(f, (1.0, -2.0, 1.0), axis, output, mode, cval, 0)

    return generic_laplace(input, second, output, mode, cval, axes=axes)


@stands_in_for(_scipy.gaussian_laplace)
def gaussian_laplace(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> Array:
    """The sum of second derivatives of Gaussians; `kwargs` go to `gaussian_filter`."""
    f = np.asarray(input)
    chosen = checked_axes(axes, f.ndim)
    sigmas: list[Any] = each(sigma, len(chosen))
    if len(chosen) < f.ndim:
        by_axis = dict(zip(chosen, sigmas, strict=True))
        sigmas = [by_axis.get(axis, 0) for axis in range(f.ndim)]
    return generic_laplace(
        f, _derivative(2), output, mode, cval, (sigmas,), kwargs, axes=chosen
    )  # fmt: skip


@stands_in_for(_scipy.generic_gradient_magnitude)
def generic_gradient_magnitude(
    input: npt.ArrayLike,
    derivative: Callable[..., Array],
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """The root of the sum of squared derivatives along all axes, each by the function given:
    ``derivative(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``.
    """
    f = np.asarray(input)
    out = new_output(output, f)
    chosen = checked_axes(axes, f.ndim)
    sum_of_derivatives(
        f, out, derivative, mode, cval, extra_arguments, extra_keywords, chosen, squared=True
    )
    if not chosen:
        return out
    if out.dtype == np.uint8:
        # The root in half precision, as NumPy takes it, which processors have no instruction for.
        roots = np.arange(256, dtype=np.uint8)
        np.sqrt(roots, out=roots, casting="unsafe")
        out[...] = roots[out]
    else:
        np.sqrt(out, out=out, casting="unsafe")
    return out


@stands_in_for(_scipy.gaussian_gradient_magnitude)
def gaussian_gradient_magnitude(
    input: npt.ArrayLike,
    sigma: float | Sequence[float],
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> Array:
    """The size of the gradient by derivatives of Gaussians; `kwargs` go to `gaussian_filter`."""
    return generic_gradient_magnitude(
        input, _derivative(1), output, mode, cval, (sigma,), kwargs, axes=axes
    )  # fmt: skip


@stands_in_for(_scipy.uniform_filter1d)
def uniform_filter1d(
    input: npt.ArrayLike,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> Array:
    """The mean of `size` neighbours along `axis`."""
    return mean_line(input, size, axis, output, mode, cval, origin)


@stands_in_for(_scipy.uniform_filter)
def uniform_filter(
    input: npt.ArrayLike,
    size: int | Sequence[int] = 3,
    output: Any = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> Array:
    """`uniform_filter1d` along one axis after the other, each with its own parameters."""
    f = np.asarray(input)
    out = new_output(output, f, f.dtype.kind == "c")
    chosen = checked_axes(axes, f.ndim)
    count = len(chosen)
    each_axis = zip(chosen, each(size, count), each(origin, count), each(mode, count), strict=True)
    steps = [step for step in each_axis if step[1] > 1]
    if not steps:
        out[...] = f[...]
    for target, (axis, taps, shift, name) in ping_pong(out, steps):
        mean_line(f, int(taps), axis, target, name, cval, shift)
        f = target
    return out


def __getattr__(name: str) -> Any:
    """What striate does not compute is SciPy's."""
    return getattr(_scipy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_scipy)})


def _derivative(order: int) -> Callable[..., Array]:
    """A Gaussian's derivative along one axis, smoothed by the Gaussian along the others."""

    def derivative(
        f: Array, axis: int, output: Any, mode: str, cval: complex, sigma: Any, **kwargs: Any
    ) -> Array:
        orders = [order if other == axis else 0 for other in range(f.ndim)]
        return gaussian_filter(f, sigma, orders, output, mode, cval, **kwargs)

    return derivative


lend_submodules(__name__, _scipy)
