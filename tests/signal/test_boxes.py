"""Equal weights: running sums along columns, sums by doubling along rows."""

import numpy as np
import pytest

from striate.signal import sweep as module
from striate.signal.geometry import BORDERS, AxisWindow
from striate.signal.sweep import sweep

pytest.importorskip("llvmlite")


def summed(f, taps, axes, windows, borders, fill):
    """Sums of neighbours, one axis after the other, of an array extended by NumPy."""
    for axis, n, window, border in zip(axes, taps, windows, borders, strict=True):
        span = (n - 1) * window.dilation
        first, last = -window.start, window.start + window.size + span - f.shape[axis]
        mode = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect", "wrap": "wrap"}
        width = [(first, last) if a == axis else (0, 0) for a in range(f.ndim)]
        if border == "fill":
            f = np.pad(f, width, constant_values=fill)
        else:
            f = np.pad(f, width, mode[border])
        parts = [np.arange(window.size) + i * window.dilation for i in range(n)]
        f = sum(np.take(f, part, axis) for part in parts)
        fill *= n
    return f


@pytest.mark.parametrize("seed", range(40))
def test_boxes(seed):
    random = np.random.default_rng(seed)
    shape, axes = [
        ((9, 300), (1,)),
        ((300, 17), (0,)),
        ((140, 33), (0, 1)),
        ((3, 60, 31), (1, 2)),
        ((40, 21, 3), (0, 1)),
        ((150, 5, 7), (0,)),
        ((7, 40, 3), (1,)),
        ((500,), (0,)),
    ][seed % 8]
    dtype = np.dtype(random.choice(["float64", "float32", "int32", "int16", "uint8"]))
    f = random.integers(0, 60, shape).astype(random.choice(["uint8", "int16", dtype.name]))
    taps = [int(random.integers(1, min(30, shape[axis]))) for axis in axes]
    spread = [1 if random.random() < 0.7 else 2 for _ in axes]
    spread = [
        s if s * (n - 1) < shape[a] else 1 for s, n, a in zip(spread, taps, axes, strict=True)
    ]
    windows = [
        AxisWindow(-int(random.integers(n)) * s, shape[axis], 1, s)
        for axis, n, s in zip(axes, taps, spread, strict=True)
    ]
    borders, fill = random.choice(BORDERS, len(axes)).tolist(), int(random.integers(3))
    got = sweep(
        f, np.full(taps, 2, dtype), windows, axes=axes, border=borders, fill_value=fill,
        dtype=dtype, method="box",
    )  # fmt: skip
    wanted = 2 * summed(f.astype(np.int64), taps, axes, windows, borders, fill)
    np.testing.assert_array_equal(got, wanted.astype(dtype))


@pytest.mark.parametrize("taps", [(9, 1), (1, 9), (9, 9), (200, 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_window(taps, value):
    f = np.random.default_rng(0).random((400, 300))
    f[50, 60] = value
    windows = [AxisWindow(0, 401 - taps[0]), AxisWindow(0, 301 - taps[1])]
    for _ in range(2):  # the second time by what is kept of the first
        got = sweep(f, np.ones(taps), windows, axes=(0, 1), dtype="f8", method="box")
        spoilt = np.argwhere(~np.isfinite(got))
        wanted = [
            [max(0, at - n + 1), min(at, size - 1)]
            for at, n, size in zip((50, 60), taps, got.shape, strict=True)
        ]
        np.testing.assert_array_equal(spoilt.min(0), [low for low, _ in wanted])
        np.testing.assert_array_equal(spoilt.max(0), [high for _, high in wanted])
        assert len(spoilt) == np.prod([high - low + 1 for low, high in wanted])


def test_a_mean_of_what_is_not_finite():
    f = np.random.default_rng(0).random((400, 300))
    f[200, 7] = np.nan
    wanted = np.lib.stride_tricks.sliding_window_view(f, 20, 0).mean(-1)
    for _ in range(2):
        got = sweep(f, np.ones(20), [AxisWindow(0, 381)], axes=(0,), dtype="f8", mean=True)
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_rounding_errors_do_not_travel_far():
    f = np.random.default_rng(0).random((1000, 40))
    f[:10] = 1e17
    windows = [AxisWindow(0, 996), AxisWindow(0, 40)]
    got = sweep(f, np.ones((5, 1)), windows, axes=(0, 1), dtype="f8", method="box")
    wanted = np.lib.stride_tricks.sliding_window_view(f, 5, 0).sum(-1)
    np.testing.assert_allclose(got[140:], wanted[140:], rtol=1e-13)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_is_divided_once(axis, dtype):
    f = np.random.default_rng(0).integers(0, 256, (300, 310), dtype=np.uint8)
    for size in (3, 7, 49, 150):
        windows = [AxisWindow(0, f.shape[axis] + 1 - size)]
        shape = [windows[0].size if a == axis else n for a, n in enumerate(f.shape)]
        out = np.empty(shape, np.uint8)
        sweep(f, np.ones(size), windows, axes=(axis,), dtype=dtype, out=out, mean=True)
        view = np.lib.stride_tricks.sliding_window_view(f, size, axis)
        np.testing.assert_array_equal(out, view.sum(-1, dtype=int) // size)


def test_both_passes_are_remembered():
    f, w = np.random.default_rng(0).random((300, 200)), np.ones((9, 9))
    windows = [AxisWindow(-4, 300), AxisWindow(-4, 200)]
    module._PREPARED.clear()
    first = sweep(f, w, windows, axes=(0, 1), dtype="f8", border="wrap", method="box")
    kept = module._PREPARED.values()
    again = sweep(f, w, windows, axes=(0, 1), dtype="f8", border="wrap", method="box")
    np.testing.assert_array_equal(first, again)
    assert len(kept) >= 3
    # In place, over what is read.
    sweep(f, w, windows, axes=(0, 1), dtype="f8", border="wrap", method="box", out=f)
    np.testing.assert_array_equal(f, first)


@pytest.mark.parametrize("layout", ["plain", "strided input", "strided output"])
def test_axes_behind_the_swept_ones_are_one(layout):
    f = np.random.default_rng(0).integers(0, 99, (60, 6, 5, 14))
    f = f[..., ::2] if layout == "strided input" else f[..., :7].copy()
    wide = np.zeros((60, 6, 5, 14), np.int64)
    out = wide[..., ::2] if layout == "strided output" else wide[..., :7].copy()
    weights = np.array([3, -1, 2])
    sweep(f, weights, [AxisWindow(-1, 60)], axes=(0,), dtype="i8", border="wrap", out=out,
          method="direct")  # fmt: skip
    wanted = 3 * np.roll(f, 1, 0) - f + 2 * np.roll(f, -1, 0)
    np.testing.assert_array_equal(out, wanted)
    sweep(f, weights, [AxisWindow(-1, 6)], axes=(1,), dtype="i8", border="wrap", out=out,
          method="direct")  # fmt: skip
    np.testing.assert_array_equal(out, 3 * np.roll(f, 1, 1) - f + 2 * np.roll(f, -1, 1))
