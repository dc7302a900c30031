"""Sweeps by SciPy's transforms against sums in float64."""

from __future__ import annotations

import numpy as np
import pytest

from striate.common.arrays import Array
from striate.signal import fourier
from striate.signal.geometry import BORDERS, AxisWindow, border_indices
from striate.signal.request import Request


def summed(
    f: Array, kernel: Array, window: AxisWindow, axis: int, border: str, fill: float
) -> Array:
    """A sweep along one axis, one tap at a time."""
    line = np.moveaxis(f, axis, -1).astype("f8")
    at = border_indices(border, line.shape[-1], *window.reach(len(kernel)))
    wide = np.where(at < 0, fill, line[..., at])
    out = np.zeros((*line.shape[:-1], window.size))
    for i, weight in enumerate(kernel.astype("f8")):
        first = i * window.dilation
        last = first + (window.size - 1) * window.stride + 1
        out += weight * wide[..., first : last : window.stride]
    return np.moveaxis(out, -1, axis)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("dilation", [1, 4])
@pytest.mark.parametrize("threads", [1, 2])
def test_overlap_save(
    border: str, stride: int, dilation: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small blocks, so that there are many: what is shared among them and where they meet.
    monkeypatch.setattr(fourier, "block_size", lambda taps, length: 128)
    monkeypatch.setattr(fourier, "_BATCH", 256)
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal(21)
    for shape, axis in [((1000,), 0), ((3, 700), 1), ((700, 3), 0), ((2, 501, 2), 1)]:
        f = rng.standard_normal(shape)
        window = AxisWindow(-9, (shape[axis] + 15) // stride, stride, dilation)
        request = Request(f, kernel, (window,), (axis,), (border,), 2.5)
        out = np.full(request.shape, np.nan)
        fourier.overlap_save(request, out, threads)
        wanted = summed(f, kernel, window, axis, border, 2.5)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 107, 108, 109, 215, 216, 217])
def test_overlap_save_where_blocks_end(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fourier, "block_size", lambda taps, length: 128)  # 108 outputs a block
    rng = np.random.default_rng(0)
    f, kernel = rng.standard_normal(300), rng.standard_normal(21)
    for stride in (1, 2, 5, 109):
        window = AxisWindow(3, -(-size // stride), stride)
        out = np.full(window.size, np.nan)
        fourier.overlap_save(Request(f, kernel, (window,), (0,), ("fill",), 0), out, 1)
        wanted = summed(f, kernel, window, 0, "fill", 0)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [1, 2, 31, 1000, 4095, 100_000])
@pytest.mark.parametrize("length", [1, 100, 5000, 10**6, 10**9])
def test_blocks_hold_the_kernel_and_no_more_than_the_signal_needs(taps: int, length: int) -> None:
    length = max(length, taps)
    size = fourier.block_size(taps, length)
    assert size >= taps
    assert size & (size - 1) == 0
    assert size < 2 * max(length, 2) or size == 2


def test_kernels_of_millions_of_taps_have_blocks() -> None:
    assert fourier.block_size(1 << 27, 1 << 30) >= 1 << 28


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("border", BORDERS)
def test_one_transform_of_everything(border: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    f, kernel = rng.standard_normal((4, 20, 30)).astype(dtype), rng.standard_normal((4, 5))
    windows = (AxisWindow(-2, 9, 2, 3), AxisWindow(-3, 33, 1, 2))
    request = Request(f, kernel.astype(dtype), windows, (1, 2), (border, "wrap"), 1.5)
    out = np.full(request.shape, np.nan, dtype)
    fourier.whole_fft(request, out, 2)
    wanted = np.zeros(request.shape)
    rows = border_indices(border, 20, *windows[0].reach(4))
    wide = np.where(rows[:, None] < 0, 1.5, f[:, rows])
    columns = border_indices("wrap", 30, *windows[1].reach(5))
    wide = wide[:, :, columns]
    for r, s in np.ndindex(4, 5):
        wanted += kernel[r, s] * wide[:, 3 * r : 3 * r + 17 : 2, 2 * s : 2 * s + 33]
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-5 if dtype == "f4" else 1e-12)


def test_axes_in_any_order_meet_their_kernel() -> None:
    rng = np.random.default_rng(0)
    f, kernel = rng.standard_normal((6, 5, 7)), rng.standard_normal((2, 3))
    request = Request(f, kernel, (AxisWindow(0, 5), AxisWindow(0, 5)), (0, 2), ("fill", "fill"), 0)
    out = np.empty((5, 5, 5))
    fourier.whole_fft(request, out, 1)
    wanted = sum(kernel[r, s] * f[r : r + 5, :, s : s + 5] for r, s in np.ndindex(2, 3))
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dilation", [1, 3])
def test_the_kernel_is_reversed_and_spread(dilation: int) -> None:
    window = AxisWindow(0, 1, 1, dilation)
    got = fourier.reversed_kernel(np.array([1.0, 2, 3]), (window,))
    assert got.tolist() == ([3, 2, 1] if dilation == 1 else [3, 0, 0, 2, 0, 0, 1])


@pytest.mark.parametrize("method", ["fft", "overlap-save"])
@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "i8", "u8"])
def test_whole_numbers_are_exact(method: str, dtype: str) -> None:
    import striate

    rng = np.random.default_rng(0)
    limits = np.iinfo(dtype)
    large = min(limits.max, 1 << 31)
    f = rng.integers(max(limits.min, -large), large, 5000, dtype)
    g = rng.integers(0, min(limits.max, 1 << 4), 100, dtype)
    wanted = np.convolve(f, g)  # wraps
    np.testing.assert_array_equal(striate.convolve(f, g, method=method), wanted)
