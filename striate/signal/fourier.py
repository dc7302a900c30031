"""Sweeps by the convolution theorem, on SciPy's FFT: for kernels of many taps.

Correlation in the image is multiplication in its Fourier transform, at a price that hardly
depends on the kernel's size.  Rounding errors are relative to the largest values around, not to
each output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.signal.geometry import Window

Array = npt.NDArray[Any]
_TOGETHER = 1 << 17  # numbers that are transformed in one call: they stay in a cache


def whole(
    f: Array, weights: Array, windows: Sequence[Window], axes: Sequence[int], threads: int
) -> Array:
    """One transform of everything; `f` is extended already, so the windows start at 0."""
    from scipy import fft

    kernel = reversed_kernel(weights, windows)
    sizes = [fft.next_fast_len(f.shape[axis], True) for axis in axes]
    spectrum = fft.rfftn(f, sizes, axes, workers=threads)
    spectrum *= _beside(fft.rfftn(kernel, sizes), f.ndim, axes)
    swept = fft.irfftn(spectrum, sizes, axes, overwrite_x=True, workers=threads)
    return _kept(swept, kernel.shape, windows, axes)


def overlap_save(f: Array, weights: Array, window: Window, axis: int, threads: int) -> Array:
    """Transforms of overlapping blocks along one axis.

    Of each block the first ``taps - 1`` results are spoilt by the transform's wrapping around and
    left out; the next block begins that much earlier.  (Overlap-add, its sibling, adds the
    overlaps up instead.)
    """
    from scipy import fft

    kernel = reversed_kernel(weights, (window,))
    spoilt = len(kernel) - 1
    line = np.moveaxis(f, axis, -1)
    outputs = line.shape[-1] - spoilt
    size = block_size(len(kernel), line.shape[-1])
    step = size - spoilt
    blocks = -(-outputs // step)
    padded = np.zeros((*line.shape[:-1], (blocks - 1) * step + size), f.dtype)
    padded[..., : line.shape[-1]] = line
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size, -1)[..., ::step, :]
    result = np.empty((*line.shape[:-1], blocks, step), f.dtype)
    spectrum = fft.rfft(kernel, size)
    together = max(_TOGETHER // size, threads)
    for first in range(0, blocks, together):
        some = slice(first, first + together)
        turned = fft.rfft(pieces[..., some, :], size, workers=threads)
        turned *= spectrum
        back = fft.irfft(turned, size, overwrite_x=True, workers=threads)
        result[..., some, :] = back[..., spoilt:]
    swept = result.reshape(*line.shape[:-1], blocks * step)[..., :outputs]
    return np.moveaxis(swept[..., :: window.stride][..., : window.size], -1, axis)


def block_size(taps: int, length: int) -> int:
    """The power of two whose transforms cost least for each output."""
    sizes = [1 << bits for bits in range((2 * taps - 1).bit_length(), 27)]
    best = min(sizes, key=lambda size: size * math.log2(size) / (size - taps + 1))
    return min(best, 1 << max(length - 1, 1).bit_length())


def reversed_kernel(weights: Array, windows: Sequence[Window]) -> Array:
    """The kernel in convolution order, with zeros between its taps where they are spread."""
    kernel = weights
    for axis, window in enumerate(windows):
        if window.dilation > 1:
            shape = list(kernel.shape)
            shape[axis] = (shape[axis] - 1) * window.dilation + 1
            spread = np.zeros(shape, kernel.dtype)
            spread[(slice(None),) * axis + (slice(None, None, window.dilation),)] = kernel
            kernel = spread
    return kernel[(slice(None, None, -1),) * kernel.ndim]


def _beside(spectrum: Array, ndim: int, axes: Sequence[int]) -> Array:
    """The kernel's spectrum with its axes where those of the input are."""
    order = np.argsort(axes)
    shape = [1] * ndim
    for i, axis in enumerate(axes):
        shape[axis] = spectrum.shape[i]
    return spectrum.transpose(order).reshape(shape)


def _kept(
    swept: Array, taps: Sequence[int], windows: Sequence[Window], axes: Sequence[int]
) -> Array:
    """Without what wraps around: the outputs that the windows ask for."""
    part = [slice(None)] * swept.ndim
    for axis, window, count in zip(axes, windows, taps, strict=True):
        first = count - 1
        part[axis] = slice(first, first + (window.size - 1) * window.stride + 1, window.stride)
    return swept[tuple(part)]
