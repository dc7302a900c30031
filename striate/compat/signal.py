"""``scipy.signal`` with striate's convolutions: `convolve`, `correlate`, `convolve2d`,
`correlate2d`.

Arguments, results and errors are those of SciPy 1.17.  ``method="auto"`` and ``"direct"`` run on
striate's engines; with "auto" they choose the algorithm by striate's cost model, so that (unlike
SciPy's choice) a NaN never spreads further than the kernel reaches.  ``method="fft"`` is SciPy's
`fftconvolve`.  Every other name is SciPy's own, looked up when it is first used.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal as _scipy

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.compat._drop_in import lend_submodules, stands_in_for
from striate.signal.geometry import AxisWindow
from striate.signal.sweep import sweep

_METHODS = "Acceptable method flags are 'auto', 'direct', or 'fft'."
_MODES = "Acceptable mode flags are 'valid', 'same', or 'full'."
_BOUNDARIES = {
    "fill": "fill",
    "pad": "fill",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "reflect",
    "symmetric": "reflect",
}
# As many products are summed by NumPy before a compiled kernel has been found and called.
_FEW = 1 << 17
# What SciPy's loops for two and more dimensions have been compiled for.
_DIRECT = frozenset("bBhHiIlLqQfdgFDG")

# Bound now: if striate's functions are put into scipy.signal, this one must not call itself.
_fftconvolve: Callable[..., Array] = _scipy.fftconvolve

__all__ = list(_scipy.__all__)


@stands_in_for(_scipy.convolve)
def convolve(
    in1: npt.ArrayLike, in2: npt.ArrayLike, mode: str = "full", method: str = "auto"
) -> Any:
    """Convolve two arrays of the same number of dimensions: scipy.signal.convolve.

    Raises:
        ValueError: `mode` or `method` is unknown, the dimensions differ, in mode "valid" neither
            array is as large as the other in every dimension, or an array is empty or of an
            unsupported dtype.
    """
    volume, kernel = np.asarray(in1), np.asarray(in2)
    if volume.ndim != kernel.ndim:
        raise StriateValueError(
            "volume and kernel should have the same dimensionality, "
            f"but have {volume.ndim} and {kernel.ndim}"
        )
    if volume.ndim == 0:
        return volume * kernel
    _check_mode(mode)
    if mode == "valid" and _must_swap(volume.shape, kernel.shape):
        volume, kernel = kernel, volume
    if method == "fft":
        return _by_fft(volume, kernel, mode)
    if method not in ("auto", "direct"):
        raise StriateValueError(_METHODS)
    return _convolve(volume, kernel, mode, method)


@stands_in_for(_scipy.correlate)
def correlate(
    in1: npt.ArrayLike, in2: npt.ArrayLike, mode: str = "full", method: str = "auto"
) -> Any:
    """Correlate an array with another, which is conjugated: scipy.signal.correlate.

    Raises:
        ValueError: as `convolve`.
    """
    first, second = np.asarray(in1), np.asarray(in2)
    if first.ndim != second.ndim:
        raise StriateValueError(
            "in1 and in2 should have the same dimensionality, "
            f"but have {first.ndim} and {second.ndim}"
        )
    if first.ndim == 0:
        return first * second.conj() if second.dtype.kind == "c" else first * second
    _check_mode(mode)
    if method not in ("auto", "direct", "fft"):
        raise StriateValueError(_METHODS)
    # Correlating is convolving with the reversed conjugate.
    kernel = second[(slice(None, None, -1),) * second.ndim]
    # SciPy leaves it to NumPy's loop of lines, which takes complex numbers in objects as they are.
    if kernel.dtype.kind == "c" and (first.dtype.kind != "O" or method != "direct"):
        kernel = kernel.conj()
    if mode == "valid" and _must_swap(first.shape, kernel.shape):
        first, kernel = kernel, first
    if method == "fft":
        return _by_fft(first, kernel, mode)
    return _convolve(first, kernel, mode, method)


@stands_in_for(_scipy.convolve2d)
def convolve2d(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
) -> Array:
    """Convolve two two-dimensional arrays, with a border around the first:
    scipy.signal.convolve2d.

    Raises:
        ValueError: an array is not two-dimensional or of an unsupported dtype, `mode` or `boundary`
            is unknown, in mode "valid" neither array is as large as the other in both dimensions,
            or `fillvalue` is no scalar or does not fit into the dtype of the result.
    """
    first, second = np.asarray(in1), np.asarray(in2)
    if not first.ndim == second.ndim == 2:
        raise StriateValueError("convolve2d inputs must both be 2-D arrays")
    _check_mode(mode)
    if mode == "valid" and _must_swap(first.shape, second.shape):
        first, second = second, first
    return _plane(first, second[::-1, ::-1], mode, boundary, fillvalue, flipped=True)


@stands_in_for(_scipy.correlate2d)
def correlate2d(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
) -> Array:
    """Correlate two two-dimensional arrays, the second conjugated, with a border around the first:
    scipy.signal.correlate2d.

    Raises:
        ValueError: as `convolve2d`.
    """
    first, second = np.asarray(in1), np.asarray(in2)
    if not first.ndim == second.ndim == 2:
        raise StriateValueError("correlate2d inputs must both be 2-D arrays")
    _check_mode(mode)
    if mode == "valid" and _must_swap(first.shape, second.shape):
        # As in SciPy the smaller array is the one that is conjugated.
        return _plane(second, first.conj(), mode, boundary, fillvalue)[::-1, ::-1]
    return _plane(first, second.conj(), mode, boundary, fillvalue)


def __getattr__(name: str) -> Any:
    """What striate does not compute is SciPy's."""
    return getattr(_scipy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_scipy)})


def _check_mode(mode: str) -> None:
    if mode not in ("full", "same", "valid"):
        raise StriateValueError(f"{_MODES[:-1]}, not mode={mode}")


def _must_swap(first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether the first is the smaller one; neither may be larger in one dimension only."""
    if all(a >= b for a, b in zip(first, second, strict=True)):
        return False
    if all(a <= b for a, b in zip(first, second, strict=True)):
        return True
    raise StriateValueError(
        "For 'valid' mode, one must be at least as large as the other in every dimension, "
        f"but the shapes are {tuple(first)} and {tuple(second)}"
    )


@np.errstate(all="ignore")  # SciPy's loops in C say nothing of infinities either
def _convolve(volume: Array, kernel: Array, mode: str, method: str) -> Array:
    """The convolution with nothing but zeros around the volume."""
    dtype = np.result_type(volume, kernel)
    # NumPy's loop takes more types, but SciPy leaves a longer kernel in mode "same" to its own.
    own = volume.ndim > 1 or (mode == "same" and kernel.size > volume.size)
    if dtype.char not in _DIRECT and (own or dtype.kind not in "bfO"):
        if dtype.char == "e" and method == "auto":
            return _by_fft(volume, kernel, mode)
        raise StriateValueError(
            f"Unsupported type {dtype} in {volume.ndim} dimensions; striate.convolve may take it"
        )
    shapes = list(zip(volume.shape, kernel.shape, strict=True))
    if not volume.size or not kernel.size:
        if volume.ndim > 1 and mode == "valid":
            return np.zeros([n - r + 1 for n, r in shapes], dtype)
        if volume.ndim > 1 and mode == "same" and not volume.size:
            return np.zeros(volume.shape, dtype)
        raise StriateValueError(f"{'v' if volume.size else 'a'} cannot be empty")
    # The outputs wanted, counted in mode "full".
    if mode == "full":
        first, sizes = [0] * volume.ndim, [n + r - 1 for n, r in shapes]
    elif mode == "same":
        first, sizes = [(r - 1) // 2 for _, r in shapes], list(volume.shape)
    else:
        first, sizes = [r - 1 for _, r in shapes], [n - r + 1 for n, r in shapes]
    if kernel.size > volume.size:  # fewer taps are less work
        volume, kernel = kernel, volume
    windows = [
        AxisWindow(at - (r - 1), size)
        for at, size, r in zip(first, sizes, kernel.shape, strict=True)
    ]
    flipped = kernel[(slice(None, None, -1),) * kernel.ndim]
    if method == "direct":
        method = _direct_method(sizes, kernel, dtype)
    return sweep(
        volume, flipped, windows, axes=range(volume.ndim), dtype=dtype.newbyteorder("="),
        out=np.empty(sizes, object) if dtype.kind == "O" else None, method=method,
    )  # fmt: skip


def _by_fft(volume: Array, kernel: Array, mode: str) -> Array:
    """SciPy's FFT, with integers rounded to the nearest."""
    out = _fftconvolve(volume, kernel, mode=mode)
    dtype = np.result_type(volume, kernel)
    if dtype.kind in "ui":
        out = np.round(out)
    if not np.isfinite(out.flat[0]):
        warnings.warn(
            "Use of fft convolution on input with NAN or inf results in NAN or inf output. "
            "Consider using method='direct' instead.",
            RuntimeWarning,
            stacklevel=3,
        )
    return out.astype(dtype)


@np.errstate(all="ignore")
def _plane(
    first: Array, weights: Array, mode: str, boundary: str, fillvalue: Any, flipped: bool = False
) -> Array:
    """Correlate two-dimensional arrays, with a border around the first.

    Args:
        first, weights: the arrays.
        mode, boundary, fillvalue: as for `convolve2d`.
        flipped: whether the weights have been flipped for a convolution; mode "same" of an even
            kernel depends on it.
    """
    border = _BOUNDARIES.get(boundary)
    if border is None:
        raise StriateValueError(
            "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), "
            f"and 'symmetric' (or 'symm'), not {boundary!r}."
        )
    dtype = np.result_type(first, weights).newbyteorder("=")
    fill = _fill_value(fillvalue, dtype) if border == "fill" else 0
    if dtype.char not in _DIRECT:
        raise StriateValueError(f"2-D convolution is not available for type {dtype}.")
    windows = []
    for n, r in zip(first.shape, weights.shape, strict=True):
        if mode == "full":
            windows.append(AxisWindow(1 - r, n + r - 1))
        elif mode == "same":
            windows.append(AxisWindow(-(r // 2) if flipped else -((r - 1) // 2), n))
        else:
            windows.append(AxisWindow(0, n - r + 1))
    if not first.size or not weights.size:
        return np.zeros([max(window.size, 0) for window in windows], dtype)
    method = _direct_method([window.size for window in windows], weights, dtype)
    return sweep(
        first, weights, windows, axes=(0, 1), border=border, fill_value=fill, dtype=dtype,
        method=method,
    )  # fmt: skip


def _direct_method(sizes: Sequence[int], weights: Array, dtype: np.dtype[Any]) -> str:
    """The method for a result whose every element must be as precise as SciPy's.

    Whole numbers are exact by all methods.  For others, transforms and factors of the kernel are
    faster where it is large, but their errors are relative to the largest sum and not to each:
    small values beside large ones would suffer.  So only sums of products are direct.
    """
    if dtype.kind in "biuO":
        return "auto"
    if math.prod(sizes) * weights.size <= _FEW or not np.isfinite(weights).all():
        return "numpy"
    return "direct"


def _fill_value(value: Any, dtype: np.dtype[Any]) -> Any:
    """`fillvalue` as a number of `dtype`."""
    given = np.asarray(value, dtype=complex)
    if given.size != 1:
        raise StriateValueError(
            "`fillvalue` must be scalar or an array with one element."
            if given.size
            else "`fillvalue` cannot be an empty array."
        )
    number: Any = given.item()
    if dtype.kind == "c":
        return number
    real: float = number.real
    whole = dtype.kind != "f"
    limits = np.iinfo(dtype) if whole and dtype.kind != "b" else None
    fits = limits is None or (np.isfinite(real) and limits.min <= int(real) <= limits.max)
    if number.imag or not fits:
        raise StriateValueError(
            "could not cast `fillvalue` directly to the output type "
            f"(it was first converted to complex): {value!r} does not fit {dtype}."
        )
    return int(real) if whole else real


lend_submodules(__name__, _scipy)
