"""Sweeps by the convolution theorem, on SciPy's FFT: for kernels of many taps.

Correlation in the image is multiplication in its Fourier transform, at a price that hardly
depends on the kernel's size.  Rounding errors are relative to the largest values around, not to
each output.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from striate.common.arrays import Array
from striate.common.fork import in_child
from striate.signal.geometry import AxisWindow
from striate.signal.request import Request

_BATCH = 1 << 17  # numbers that are transformed in one call: they stay in a cache
_SHORTEST = 1 << 13  # numbers of a block: for shorter ones calls cost more than the work
_CACHED = 15.0  # levels of a transform that stays in a cache


def whole_fft(request: Request, out: Array, threads: int) -> None:
    """One transform of the whole input, border included, written to `out`."""
    from scipy import fft

    padded = request.converted().padded(*range(len(request.axes)))
    f, axes = padded.f, padded.axes
    kernel = reversed_kernel(padded.kernel, padded.windows)
    sizes = [fft.next_fast_len(f.shape[axis], True) for axis in axes]
    spectrum = fft.rfftn(f, sizes, axes, workers=threads)
    spectrum *= _broadcast_to_axes(fft.rfftn(kernel, sizes), f.ndim, axes)
    swept = fft.irfftn(spectrum, sizes, axes, overwrite_x=True, workers=threads)
    out[...] = _wanted_outputs(swept, kernel.shape, padded.windows, axes)


def overlap_save(request: Request, out: Array, threads: int) -> None:
    """Transforms of overlapping blocks along one axis, written to `out`.

    Of each block the first ``taps - 1`` results are wrong, since the transform wraps around, and
    left out; the next block begins that much earlier.  (Overlap-add, its sibling, adds the overlaps
    up instead.)
    """
    from scipy import fft

    (window,), (axis,) = request.windows, request.axes
    kernel = reversed_kernel(request.kernel, (window,))
    overlap = len(kernel) - 1
    outputs = (window.size - 1) * window.stride + 1
    size = block_size(len(kernel), outputs + overlap)
    step = size - overlap
    blocks = -(-outputs // step)
    # The last block may read beyond what is wanted, whatever stands there.
    unstrided = AxisWindow(window.start, blocks * step, 1, window.dilation)
    padded = replace(request, windows=(unstrided,)).converted().padded(0)
    line, target = np.moveaxis(padded.f, axis, -1), np.moveaxis(out, axis, -1)
    pieces = np.lib.stride_tricks.sliding_window_view(line, size, -1)[..., ::step, :]
    spectrum = fft.rfft(kernel, size)

    def sweep(first: int) -> None:
        transformed = fft.rfft(pieces[..., first : first + batch, :], size)
        transformed *= spectrum
        kept = fft.irfft(transformed, size, overwrite_x=True)[..., overlap:]
        swept = kept.reshape(*kept.shape[:-2], -1)
        # The stride goes on where the block before left it.
        begin = first * step
        skipped = -begin % window.stride
        part = swept[..., skipped : outputs - begin : window.stride]
        at = (begin + skipped) // window.stride
        target[..., at : at + part.shape[-1]] = part

    batch = max(_BATCH // (size * math.prod(line.shape[:-1])), 2)
    batch = min(batch, -(-blocks // threads))
    starts = range(0, blocks, batch)
    if threads > 1 and len(starts) > 1:
        try:
            list(_pool(threads).map(sweep, starts))
        except RuntimeError:  # the system refuses threads; what was done is done again
            list(map(sweep, starts))
    else:
        for first in starts:
            sweep(first)


def block_size(taps: int, length: int) -> int:
    """The power of two whose transforms cost least for each output.

    Short ones cost more calls than arithmetic, long ones leave the cache.

    Args:
        taps: elements of the kernel.
        length: elements that are read.
    """

    def cost(size: int) -> float:
        levels = math.log2(size)
        return size * (levels + max(levels - _CACHED, 0.0)) / (size - taps + 1)

    shortest = max(2 * taps, _SHORTEST) - 1
    best = min((1 << bits for bits in range(shortest.bit_length(), 40)), key=cost)
    return min(best, 1 << max(length - 1, 1).bit_length())


@functools.lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "striate-fft")


in_child(_pool.cache_clear)  # which has none of these threads


def reversed_kernel(weights: Array, windows: Sequence[AxisWindow]) -> Array:
    """The kernel in convolution order, with zeros between its taps where it is dilated."""
    kernel = weights
    for axis, window in enumerate(windows):
        if window.dilation > 1:
            shape = list(kernel.shape)
            shape[axis] = (shape[axis] - 1) * window.dilation + 1
            dilated = np.zeros(shape, kernel.dtype)
            dilated[(slice(None),) * axis + (slice(None, None, window.dilation),)] = kernel
            kernel = dilated
    return kernel[(slice(None, None, -1),) * kernel.ndim]


def _broadcast_to_axes(spectrum: Array, ndim: int, axes: Sequence[int]) -> Array:
    """The kernel's spectrum with its axes where those of the input are."""
    order = np.argsort(axes)
    shape = [1] * ndim
    for i, axis in enumerate(axes):
        shape[axis] = spectrum.shape[i]
    return spectrum.transpose(order).reshape(shape)


def _wanted_outputs(
    swept: Array, taps: Sequence[int], windows: Sequence[AxisWindow], axes: Sequence[int]
) -> Array:
    """The outputs that the windows ask for, without what wraps around."""
    part = [slice(None)] * swept.ndim
    for axis, window, count in zip(axes, windows, taps, strict=True):
        first = count - 1
        part[axis] = slice(first, first + (window.size - 1) * window.stride + 1, window.stride)
    return swept[tuple(part)]
