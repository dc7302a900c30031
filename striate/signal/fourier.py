"""Sweeps by the convolution theorem, on SciPy's FFT: for kernels of many taps.

Correlation in the image is multiplication in its Fourier transform, at a price that hardly
depends on the kernel's size.  Rounding errors are relative to the largest values around, not to
each output.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from striate.common.arrays import Array
from striate.signal.geometry import AxisWindow
from striate.signal.request import Request

_TOGETHER = 1 << 17  # numbers that are transformed in one call: they stay in a cache
_SHORT = 1 << 13
_CACHED = 15.0  # levels of a transform that stays in a cache


def whole(request: Request, out: Array, threads: int) -> None:
    """One transform of everything, written to `out`."""
    from scipy import fft

    wide = request.converted().unfolded(*range(len(request.axes)))
    f, axes = wide.f, wide.axes
    kernel = reversed_kernel(wide.kernel, wide.windows)
    sizes = [fft.next_fast_len(f.shape[axis], True) for axis in axes]
    spectrum = fft.rfftn(f, sizes, axes, workers=threads)
    spectrum *= _beside(fft.rfftn(kernel, sizes), f.ndim, axes)
    swept = fft.irfftn(spectrum, sizes, axes, overwrite_x=True, workers=threads)
    out[...] = _kept(swept, kernel.shape, wide.windows, axes)


def overlap_save(request: Request, out: Array, threads: int) -> None:
    """Transforms of overlapping blocks along one axis, written to `out`.

    Of each block the first ``taps - 1`` results are spoilt by the transform's wrapping around and
    left out; the next block begins that much earlier.  (Overlap-add, its sibling, adds the
    overlaps up instead.)
    """
    from scipy import fft

    (window,), (axis,) = request.windows, request.axes
    kernel = reversed_kernel(request.kernel, (window,))
    spoilt = len(kernel) - 1
    outputs = (window.size - 1) * window.stride + 1
    size = block_size(len(kernel), outputs + spoilt)
    step = size - spoilt
    blocks = -(-outputs // step)
    # The last block may read beyond what is wanted, whatever stands there.
    plain = AxisWindow(window.start, blocks * step, 1, window.dilation)
    wide = replace(request, windows=(plain,)).converted().unfolded(0)
    line, target = np.moveaxis(wide.f, axis, -1), np.moveaxis(out, axis, -1)
    pieces = np.lib.stride_tricks.sliding_window_view(line, size, -1)[..., ::step, :]
    spectrum = fft.rfft(kernel, size)

    def sweep(first: int) -> None:
        turned = fft.rfft(pieces[..., first : first + together, :], size)
        turned *= spectrum
        kept = fft.irfft(turned, size, overwrite_x=True)[..., spoilt:]
        swept = kept.reshape(*kept.shape[:-2], -1)
        # The stride goes on where the block before left it.
        begin = first * step
        skipped = -begin % window.stride
        part = swept[..., skipped : outputs - begin : window.stride]
        at = (begin + skipped) // window.stride
        target[..., at : at + part.shape[-1]] = part

    together = max(_TOGETHER // (size * math.prod(line.shape[:-1])), 2)
    together = min(together, -(-blocks // threads))
    starts = range(0, blocks, together)
    if threads > 1 and len(starts) > 1:
        list(_pool(threads).map(sweep, starts))
    else:
        for first in starts:
            sweep(first)


def block_size(taps: int, length: int) -> int:
    """The power of two whose transforms cost least for each output.

    Short ones cost more calls than arithmetic, long ones leave the cache.
    """

    def cost(size: int) -> float:
        levels = math.log2(size)
        return size * (levels + max(levels - _CACHED, 0.0)) / (size - taps + 1)

    shortest = max(2 * taps, _SHORT) - 1
    best = min((1 << bits for bits in range(shortest.bit_length(), 40)), key=cost)
    return min(best, 1 << max(length - 1, 1).bit_length())


@functools.lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "striate-fft")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of these threads


def reversed_kernel(weights: Array, windows: Sequence[AxisWindow]) -> Array:
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
    swept: Array, taps: Sequence[int], windows: Sequence[AxisWindow], axes: Sequence[int]
) -> Array:
    """Without what wraps around: the outputs that the windows ask for."""
    part = [slice(None)] * swept.ndim
    for axis, window, count in zip(axes, windows, taps, strict=True):
        first = count - 1
        part[axis] = slice(first, first + (window.size - 1) * window.stride + 1, window.stride)
    return swept[tuple(part)]
