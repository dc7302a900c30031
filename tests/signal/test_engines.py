"""Every algorithm against the textbook loops, over random shapes, borders, strides and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.common.arrays import Array
from striate.signal import compiled_sweep, sweep
from striate.signal.geometry import BORDERS, AxisWindow, border_indices
from striate.signal.methods import METHODS
from striate.signal.output_arrays import aligned_empty
from striate.signal.sweep import sweep as swept
from striate.signal.textbook import loops

SETTINGS = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def looped(
    f: Array, w: Array, windows: list[AxisWindow], axes: list[int], borders: list[str], fill: Any
) -> Array:
    """The textbook loops, once for each batch, in float64 or exact whole numbers."""
    wide = np.int64 if w.dtype.kind in "iu" else np.complex128 if w.dtype.kind == "c" else float
    ahead = np.moveaxis(f, axes, range(-len(axes), 0)).astype(wide)
    batches = ahead.shape[: f.ndim - len(axes)]
    out = np.zeros((*batches, *(window.size for window in windows)), wide)
    for batch in np.ndindex(*batches):
        out[batch] = loops(ahead[batch], w.astype(wide), windows, borders, fill)
    return np.moveaxis(out, range(-len(axes), 0), axes)


def agree(got: Array, wanted: Array, f: Array, w: Array, fill: float) -> None:
    """Whole numbers exactly (modulo their size), others within the arithmetic's rounding."""
    if got.dtype.kind in "iu":
        np.testing.assert_array_equal(got, wanted.astype(got.dtype))
        return
    largest = max(np.abs(f.astype(np.complex128)).max(), abs(fill))
    scale = largest * np.abs(w.astype(np.complex128)).sum() + 1e-30
    tolerance = 2e-6 if got.dtype in (np.float32, np.complex64) else 1e-14
    np.testing.assert_allclose(got / scale, wanted / scale, rtol=0, atol=tolerance)


def windows_of(
    draw: st.DrawFn, lengths: list[int], taps: list[int], strides: bool
) -> list[AxisWindow]:
    return [
        AxisWindow(
            draw(st.integers(-count - 1, count)),
            draw(st.integers(1, length + count)),
            draw(st.sampled_from([1, 1, 2, 3])) if strides else 1,
            draw(st.sampled_from([1, 1, 2])),
        )
        for length, count in zip(lengths, taps, strict=True)
    ]


@st.composite
def sweeps(draw: st.DrawFn, method: str) -> dict[str, Any]:
    """Arguments of a sweep that a method can do."""
    flat = method in ("separable", "box", "column-fft")
    ndim = draw(st.integers(1, 4) if not flat else st.integers(2, 3))
    count = 2 if flat else draw(st.integers(1, min(ndim, 3)))
    first = draw(st.integers(0, ndim - count)) if flat else 0
    axes = list(range(first, first + count))
    if not flat:
        axes = draw(st.permutations(range(ndim)))[:count]
    if method == "overlap-save":
        axes, count = axes[:1], 1
    longest = {1: 300, 2: 40, 3: 12, 4: 6}[ndim]
    shape = draw(st.lists(st.integers(1, longest), min_size=ndim, max_size=ndim))
    taps = [draw(st.integers(1 if not flat else 2, 6)) for _ in axes]
    if method == "column-fft":
        shape[axes[0]] = draw(st.integers(33, 90))
    whole = method not in ("column-fft",) and draw(st.booleans())
    dtype = draw(st.sampled_from(["int16", "uint8", "int64"] if whole else ["float32", "float64"]))
    source = draw(st.sampled_from(["uint8", "int16", "bool"] + ["float32", ">f8"] * (not whole)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    if method == "box":
        w = np.full(taps, rng.integers(1, 5))
    elif method == "separable" and whole:
        w = np.outer(*(rng.integers(1, 5, n) for n in taps))
    else:
        w = rng.standard_normal(taps) * 3
    f = (50 * rng.standard_normal(shape)).astype(np.int8).astype(source)
    if draw(st.booleans()):
        f = np.asfortranarray(f)
    if draw(st.booleans()):
        f = f[::-1]
    f.flags.writeable = False
    lengths = [shape[axis] for axis in axes]
    windows = windows_of(draw, lengths, taps, strides=not flat)
    if method == "column-fft":
        windows[0] = AxisWindow(windows[0].start, lengths[0], 1, windows[0].dilation)
    return {
        "f": f,
        "weights": w.astype(dtype) if dtype != "uint8" else np.abs(w).astype(dtype),
        "windows": windows,
        "axes": axes,
        "border": [draw(st.sampled_from(BORDERS)) for _ in axes],
        "fill_value": draw(st.sampled_from([0, 3, 200])),
        "dtype": dtype,
    }


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_sum(method: str) -> None:
    @SETTINGS
    @given(sweeps(method))
    def check(case: dict[str, Any]) -> None:
        got = swept(**case, method=method)
        wanted = looped(
            case["f"], case["weights"], case["windows"], case["axes"], case["border"],
            case["fill_value"],
        )  # fmt: skip
        assert got.dtype == case["dtype"]
        agree(got, wanted, case["f"], case["weights"], case["fill_value"])

    check()


@pytest.mark.parametrize("method", ["direct", "separable", "box", "column-fft"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_that_are_read_where_they_are(method: str, border: str, dtype: str) -> None:
    # Wide enough that what lies inside is not copied: see `block_choice.split_interior`.
    rng = np.random.default_rng(0)
    f = rng.standard_normal((70, 613)).astype(dtype)
    w = np.full((5, 4), 2.0) if method == "box" else rng.standard_normal((5, 4))
    windows = [AxisWindow(-2, 70), AxisWindow(-1, 613)]
    wide = np.take(f, border_indices(border, 70, *windows[0].reach(5)), 0).astype(np.float64)
    wide = np.take(wide, border_indices(border, 613, *windows[1].reach(4)), 1)
    if border == "fill":
        wide[:2], wide[-2:], wide[:, :1], wide[:, -2:] = 3, 3, 3, 3
    wanted = np.zeros(f.shape)
    for r, s in np.ndindex(w.shape):
        wanted += w[r, s] * wide[r : r + 70, s : s + 613]
    got = swept(
        f, w.astype(dtype), windows, axes=(0, 1), border=border, fill_value=3, dtype=dtype,
        method=method,
    )  # fmt: skip
    agree(got, wanted, f, w, 3)


def test_the_image_is_read_where_it_is() -> None:
    f = np.ones((70, 613), np.float32)
    swept(
        f,
        f[:3, :3],
        [AxisWindow(-1, 70), AxisWindow(-1, 613)],
        axes=(0, 1),
        dtype="f",
        method="direct",
    )
    plan = next(reversed(compiled_sweep._PLANS.values()))
    kernels = [call.kernel.nest for job in plan.program._jobs for call in job.calls]
    wanted = {"source", "weights", "out", "counts"}
    read = [nest for nest in kernels if set(nest.buffers) == wanted]
    assert len(read) == 1


@pytest.mark.parametrize(
    ("shape", "axes", "methods"),
    [
        ((613,), (0,), "direct box"),
        ((40, 300), (0, 1), "direct box separable column-fft"),
        ((6, 30, 200), (0, 1, 2), "direct"),
        ((6, 40, 200), (1, 2), "direct box separable column-fft"),
        ((40, 300, 3), (0, 1), "direct box separable column-fft"),
    ],
)
def test_threads_change_no_bit(
    shape: tuple[int, ...], axes: tuple[int, ...], methods: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("striate.signal.compiled_engine._FEW", 0)
    for method in methods.split():
        same_bits(shape, axes, method, monkeypatch)


def same_bits(
    shape: tuple[int, ...], axes: tuple[int, ...], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    f = rng.standard_normal(shape)
    w = rng.standard_normal([3] * len(axes)) if method != "box" else np.ones([3] * len(axes))
    windows = [AxisWindow(-1, shape[axis]) for axis in axes]
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setattr(
            "striate.signal.compiled_engine.default_threads", lambda n=threads: int(n)
        )
        sweep._PREPARED.clear()
        found.append(swept(f, w, windows, axes=axes, dtype="f8", border="mirror", method=method))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_plan_is_made_once_and_used_again() -> None:
    rng = np.random.default_rng(0)
    windows = [AxisWindow(-1, 50), AxisWindow(-1, 60)]
    # Where an array lies in its cache lines is part of its kind.
    f, out = (aligned_empty((50, 60), np.dtype("f8")) for _ in range(2))
    sweep._PREPARED.clear()
    for seed in range(3):  # other values, other weights
        f[...], w = rng.standard_normal(f.shape), np.random.default_rng(seed % 2).random((3, 3))
        swept(f, w, windows, axes=(0, 1), dtype="f8", out=out, method="direct")
        agree(out, looped(f, w, windows, [0, 1], ["fill"] * 2, 0), f, w, 0)
    assert len(sweep._PREPARED) == 2


def test_output_of_another_dtype_and_layout() -> None:
    rng = np.random.default_rng(0)
    f, w = rng.standard_normal((40, 50)) * 40, rng.standard_normal((3, 3))
    windows = [AxisWindow(-1, 40), AxisWindow(-1, 50)]
    wanted = looped(f, w, windows, [0, 1], ["wrap"] * 2, 0)
    for dtype in (np.int16, np.int64, np.float32, np.float64, np.uint8, np.uint64):
        for order in "CF":
            out = np.empty((40, 50), dtype, order)
            swept(f, w, windows, axes=(0, 1), border="wrap", dtype="f8", out=out, method="direct")
            if np.dtype(dtype).kind == "f":
                np.testing.assert_allclose(out, wanted, rtol=1e-6, atol=1e-4)
            else:
                np.testing.assert_array_equal(out, np.trunc(wanted).astype(np.int64).astype(dtype))


@pytest.mark.parametrize("method", ["direct", "numpy", "separable"])
def test_output_where_the_input_is(method: str) -> None:
    rng = np.random.default_rng(0)
    f, w = rng.standard_normal((40, 50)), rng.standard_normal((3, 3))
    windows = [AxisWindow(-1, 40), AxisWindow(-1, 50)]
    wanted = looped(f, w, windows, [0, 1], ["fill"] * 2, 0)
    swept(f, w, windows, axes=(0, 1), dtype="f8", out=f, method=method)
    np.testing.assert_allclose(f, wanted, atol=1e-12)


def test_rounded_and_clipped() -> None:
    rng = np.random.default_rng(0)
    f = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    w = rng.standard_normal((3, 3))
    windows = [AxisWindow(-1, 40), AxisWindow(-1, 50)]
    sums = looped(f, w, windows, [0, 1], ["reflect"] * 2, 0)
    for method in ("direct", "separable", "fft", "numpy"):
        out = np.empty_like(f)
        swept(
            f, w, windows, axes=(0, 1), border="reflect", dtype="f8", out=out, clip=(0, 255),
            method=method,
        )  # fmt: skip
        np.testing.assert_array_equal(out, np.clip(np.rint(sums), 0, 255).astype(np.uint8))


def streams(plan: compiled_sweep.CompiledSweep) -> bool:
    """Whether some kernel of a plan writes past the caches."""
    nests = [call.kernel.nest for job in plan.program._jobs for call in job.calls]
    return any(store.streaming for nest in nests for store in nest.stores)


def test_streaming_output_is_the_same() -> None:
    f = np.random.default_rng(0).random((1100, 2064), dtype=np.float32)
    w = np.random.default_rng(1).random((3, 3), dtype=np.float32)
    windows = [AxisWindow(-1, 1100), AxisWindow(-1, 2064)]
    out = aligned_empty(f.shape, f.dtype)
    assert out.ctypes.data % 64 == 0 and out.nbytes >= 8 << 20
    swept(f, w, windows, axes=(0, 1), border="nearest", dtype="f", out=out, method="direct")
    plan = next(reversed(compiled_sweep._PLANS.values()))
    assert streams(plan)
    shifted = np.empty(f.size + 1, np.float32)[1:].reshape(f.shape)
    swept(f, w, windows, axes=(0, 1), border="nearest", dtype="f", out=shifted, method="direct")
    assert streams(next(reversed(compiled_sweep._PLANS.values())))  # from where a line begins
    np.testing.assert_array_equal(out, shifted)
    narrow = aligned_empty((1100, 2070), f.dtype)[:, :2064]  # rows that begin anywhere in a line
    swept(f, w, windows, axes=(0, 1), border="nearest", dtype="f", out=narrow, method="direct")
    assert not streams(next(reversed(compiled_sweep._PLANS.values())))
    np.testing.assert_array_equal(out, narrow)
