"""`convolve` and `correlate` against SciPy and exact sums: values, dtypes, layouts, errors."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, signal

import striate
from striate.common.arrays import Array
from striate.signal.geometry import BORDERS
from striate.signal.textbook import loops

MODES = ("full", "same", "valid")
SCIPY = {
    "fill": "constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
    "wrap": "wrap",
}
# Small arrays are summed by NumPy, larger ones by the compiled engine.
SHAPES = [((40,), (5,)), ((9, 7), (4, 3)), ((90, 130), (3, 4)), ((12, 30, 41), (2, 3, 3))]


def random(shape: tuple[int, ...], dtype: str = "f8", seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) * 3
    if np.dtype(dtype).kind == "c":
        return (values + 1j * rng.standard_normal(shape)).astype(dtype)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return values.astype(dtype)


def close(got: Array, wanted: Array, tolerance: float = 1e-12) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


# --- values, as in SciPy ----------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "taps"), SHAPES)
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_modes_are_those_of_scipy(
    mode: str, shape: tuple[int, ...], taps: tuple[int, ...], dtype: str
) -> None:
    f, g = random(shape, dtype), random(taps, dtype, 1)
    got = striate.convolve(f, g, mode)
    close(got, signal.convolve(f, g, mode, "direct"))
    assert got.dtype == dtype
    close(striate.correlate(f, g, mode), signal.correlate(f, g, mode, "direct"))


def test_a_complex_kernel_is_conjugated_by_correlate_alone() -> None:
    f, g = np.array([1 + 2j, 3 - 1j]), np.array([2 + 5j])
    np.testing.assert_array_equal(striate.convolve(f, g), f * (2 + 5j))
    np.testing.assert_array_equal(striate.correlate(f, g), f * (2 - 5j))
    np.testing.assert_array_equal(striate.correlate(f.real, g), f.real * (2 - 5j))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(("shape", "taps"), SHAPES)
def test_borders_are_those_of_ndimage(
    border: str, shape: tuple[int, ...], taps: tuple[int, ...]
) -> None:
    f, g = random(shape), random(taps, seed=1)
    # ndimage.convolve counts the origin of a flipped kernel, so an even one has another centre.
    got = striate.correlate(f, g, "same", border=border, fill_value=2.5)
    close(got, ndimage.correlate(f, g, mode=SCIPY[border], cval=2.5))
    origin = [n // 2 for n in taps]
    got = striate.convolve(f, g, "same", border=border, fill_value=2.5, origin=origin)
    close(got, ndimage.convolve(f, g, mode=SCIPY[border], cval=2.5))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_kernels_much_longer_than_the_signal(border: str, length: int) -> None:
    f, g = random((length,)), random((17,), seed=1)
    got = striate.correlate(f, g, "same", border=border, fill_value=-1)
    close(got, ndimage.correlate1d(f, g, mode=SCIPY[border], cval=-1))
    stack = np.repeat(f[:, None], 2000, 1)  # the compiled engine
    got = striate.correlate(stack, g, "same", border=border, fill_value=-1, axes=0, method="direct")
    close(got, ndimage.correlate1d(stack, g, 0, mode=SCIPY[border], cval=-1))


@pytest.mark.parametrize("origin", [(0, 0), (2, 1), (0, 3), (2, 3)])
def test_origins(origin: tuple[int, int]) -> None:
    f, g = random((30, 40)), random((3, 4), seed=1)
    shift = [o - n // 2 for o, n in zip(origin, g.shape, strict=True)]
    got = striate.correlate(f, g, "same", origin=origin, border="mirror")
    close(got, ndimage.correlate(f, g, mode="mirror", origin=shift))
    full = signal.convolve2d(f, g)
    got = striate.convolve(f, g, "same", origin=origin)
    close(got, full[origin[0] : origin[0] + 30, origin[1] : origin[1] + 40])


def test_the_corner_is_causal() -> None:
    # Article 001: the running mean of three, from the first value on.
    f = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
    got = striate.convolve(f, [1 / 3] * 3, "same", origin="corner")
    close(got, np.convolve(f, [1 / 3] * 3)[:10])
    assert round(float(got[0]), 2) == 3.33


@pytest.mark.parametrize("pair", list(itertools.permutations(BORDERS, 2))[::3])
def test_each_axis_has_its_own_border(pair: tuple[str, str]) -> None:
    f, g = random((60, 70)), random((5, 3), seed=1)
    got = striate.correlate(f, g, "same", border=pair)
    numpy = {"fill": "constant", "nearest": "edge", "reflect": "symmetric", "mirror": "reflect"}
    wide = np.pad(f, [(2, 2), (0, 0)], numpy.get(pair[0], "wrap"))
    wide = np.pad(wide, [(0, 0), (1, 1)], numpy.get(pair[1], "wrap"))
    close(got, signal.correlate2d(wide, g, "valid"))


@pytest.mark.parametrize("method", ["direct", "numpy"])
@pytest.mark.parametrize("border", BORDERS)
def test_stride_and_dilation(method: str, border: str) -> None:
    f, g = random((23, 31)), random((3, 4), seed=1)
    for mode, stride, dilation in [
        ("same", (2, 3), (1, 1)), ("same", (1, 1), (3, 2)), ("full", (3, 2), (2, 3)),
        ("valid", (2, 2), (2, 5)), ("same", (1, 1), (40, 50)),
    ]:  # fmt: skip
        got = striate.correlate(
            f, g, mode, border=border, fill_value=2, stride=stride, dilation=dilation, method=method
        )
        span = [(n - 1) * d for n, d in zip(g.shape, dilation, strict=True)]
        before = {
            "full": span,
            "valid": [0, 0],
            "same": [n // 2 * d for n, d in zip(g.shape, dilation, strict=True)],
        }[mode]
        sizes = {
            "full": [n + s for n, s in zip(f.shape, span, strict=True)],
            "valid": [n - s for n, s in zip(f.shape, span, strict=True)],
            "same": list(f.shape),
        }[mode]
        windows = [
            striate.signal.geometry.AxisWindow(-b, -(-n // s), s, d)
            for b, n, s, d in zip(before, sizes, stride, dilation, strict=True)
        ]
        close(got, loops(f, g, windows, [border] * 2, 2))


@pytest.mark.parametrize("where", [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (3, 1)])
def test_batches_and_channels_may_be_anywhere(where: tuple[int, int]) -> None:
    f, g = random((21, 5, 18, 20)), random((3, 2), seed=1)
    got = striate.convolve(f, g, "same", axes=where, border="reflect", origin="corner")
    moved = np.moveaxis(f, where, (0, 1))
    wanted = np.empty_like(moved)
    for batch in np.ndindex(*moved.shape[2:]):
        one = moved[(slice(None), slice(None), *batch)]
        wanted[(slice(None), slice(None), *batch)] = ndimage.convolve(
            one, g, mode="reflect", origin=[-1, -1]
        )
    close(got, np.moveaxis(wanted, (0, 1), where))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("channels", [1, 3, 16, 17])
def test_one_axis_of_three(axis: int, channels: int) -> None:
    f, g = random((30, 40, channels)), random((5,), seed=1)
    got = striate.correlate(f, g, "same", axes=axis, border="nearest")
    close(got, ndimage.correlate1d(f, g, axis, mode="nearest"))


# --- dtypes -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(11, 13), (90, 130)])
def test_whole_numbers_wrap_as_those_of_numpy_do(dtype: str, shape: tuple[int, int]) -> None:
    f, g = random(shape, dtype), random((3, 3), dtype, 1)
    wanted = np.zeros((shape[0] + 2, shape[1] + 2), dtype)
    for r, s in np.ndindex(3, 3):
        wanted[r : r + shape[0], s : s + shape[1]] += f * g[r, s]
    got = striate.convolve(f, g)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, wanted)
    for method in ("direct", "numpy"):
        np.testing.assert_array_equal(striate.convolve(f, g, method=method), wanted)


@pytest.mark.parametrize("method", ["direct", "numpy"])
@pytest.mark.parametrize("to", ["i4", "u2", "i1", "f4"])
def test_sums_wrap_before_they_are_written_to_out(to: str, method: str) -> None:
    f, g = random((60, 70), "u1"), np.full((3, 3), 7, np.uint8)
    out = np.empty((60, 70), to)
    striate.convolve(f, g, "same", out=out, method=method)
    wanted = signal.convolve2d(f.astype("i8"), g.astype("i8"), "same").astype("u1").astype(to)
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("size", [8, 700])
def test_kernels_with_the_least_of_whole_numbers(size: int) -> None:
    f = random((size, size), "i1")
    g = np.array([[-128, 0], [0, 0]], np.int8)
    np.testing.assert_array_equal(
        striate.convolve(f, g, "same", origin="corner"), f * np.int8(-128)
    )


@pytest.mark.parametrize("size", [8, 300])
@pytest.mark.parametrize("method", ["auto", "numpy"])
def test_booleans_are_or_of_and(size: int, method: str) -> None:
    f = np.random.default_rng(0).random((size, size)) > 0.9
    g = np.array([[1, 0, 1], [0, 1, 0]], bool)
    got = striate.convolve(f, g, "same", method=method)
    assert got.dtype == bool
    wanted = signal.convolve2d(f.astype(int), g.astype(int), "same") > 0
    np.testing.assert_array_equal(got, wanted)
    filled = striate.convolve(f, g, border="fill", fill_value=True, method=method)
    assert filled[0].all() and filled[:, -1].all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("u1", "f4"),
        ("f4", "f8"),
        ("i8", "f4"),
        ("u1", "i1"),
        ("?", "u1"),
        ("f4", "c8"),
        ("i4", "c8"),
    ],
)
def test_the_dtype_is_that_of_numpy(one: str, other: str) -> None:
    f, g = np.ones((40, 50), one), np.ones((2, 3), other)
    for a, b in ((f, g), (g, f)):
        got = striate.convolve(a, b)
        assert got.dtype == np.result_type(f, g)
        assert got.real.max() == pytest.approx(6)


def test_rare_dtypes() -> None:
    f, g = random((50,), "f2"), random((3,), "f2", 1)
    got = striate.convolve(f, g, "same")
    assert got.dtype == np.float16
    close(got.astype("f8"), np.convolve(f.astype("f8"), g.astype("f8"), "same"), 2e-3)
    third = np.ones(4, np.longdouble) / 3
    got = striate.convolve(third, third[:2])
    assert got.dtype == np.longdouble
    assert abs(got[1] - np.longdouble(2) / 9) <= np.finfo(np.longdouble).eps
    words = striate.convolve(random((300, 400), ">f4"), random((3, 3), ">f4", 1), "valid")
    close(words, signal.convolve2d(random((300, 400)), random((3, 3), seed=1), "valid"), 1e-6)


def test_objects() -> None:
    f, g = np.array([Decimal("0.1")] * 3), np.array([Decimal(2), Decimal(1)])
    got = striate.convolve(f, g, fill_value=Decimal(0))
    assert got.tolist() == [Decimal(x) for x in ("0.2", "0.3", "0.3", "0.1")]
    thirds = np.array([[Fraction(1, 3)] * 2] * 2)
    assert striate.correlate(thirds, thirds)[1, 1] == Fraction(4, 9)


# --- layouts ----------------------------------------------------------------------------


def views(f: Array) -> dict[str, Array]:
    """The same numbers, laid out otherwise."""
    wide = np.zeros((f.shape[0] * 2, f.shape[1] * 3), f.dtype)
    wide[::2, 1::3] = f
    locked = f.copy()
    locked.flags.writeable = False
    odd = np.zeros(f.nbytes + 1, np.uint8)[1:].view(f.dtype).reshape(f.shape)
    odd[...] = f
    return {
        "Fortran": np.asfortranarray(f),
        "strided": wide[::2, 1::3],
        "rows backwards": f[::-1].copy()[::-1],
        "columns backwards": f[:, ::-1].copy()[:, ::-1],
        "read-only": locked,
        "unaligned": odd,
        "part": np.pad(f, 3)[3:-3, 3:-3],
    }


@pytest.mark.parametrize("shape", [(10, 12), (90, 700)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "c8"])
def test_no_layout_changes_the_result(shape: tuple[int, int], dtype: str) -> None:
    f, g = random(shape, dtype), random((3, 4), dtype, 1)
    wanted = striate.convolve(f, g, "same", border="wrap")
    assert wanted.flags.c_contiguous and wanted.flags.aligned
    for name, view in views(f).items():
        before = view.copy()
        got = striate.convolve(view, g, "same", border="wrap")
        np.testing.assert_array_equal(got, wanted, name)
        np.testing.assert_array_equal(view, before, name)
    for name, view in views(g).items():
        got = striate.convolve(f, view, "same", border="wrap")
        np.testing.assert_array_equal(got, wanted, name)


@pytest.mark.parametrize("method", ["direct", "separable", "column-fft", "box", "numpy"])
def test_an_input_that_repeats_one_row_or_number(method: str) -> None:
    g = np.ones((3, 3)) if method == "box" else random((3, 3), seed=1)
    for f in (
        np.broadcast_to(random((70,)), (60, 70)),
        np.broadcast_to(random((60, 1)), (60, 70)),
        np.broadcast_to(1.5, (60, 70)),
    ):
        got = striate.convolve(f, g, "same", border="reflect", method=method)
        close(got, striate.convolve(f.copy(), g, "same", border="reflect", method="numpy"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (1, 1, 3000), (3000, 1, 1)])
@pytest.mark.parametrize("method", ["direct", "numpy"])
def test_axes_of_one_element(shape: tuple[int, ...], method: str) -> None:
    f, g = random(shape), random((3,) * len(shape), seed=1)
    for mode in ("full", "same"):
        got = striate.convolve(f, g, mode, method=method)
        close(got, signal.convolve(f, g, mode, "direct"))
    odd = np.lib.stride_tricks.as_strided(f, f.shape, [8 if n > 1 else 12345 for n in f.shape])
    close(
        striate.correlate(odd, g, "same", border="wrap", method=method),
        ndimage.correlate(f, g, mode="wrap"),
    )


def outs(shape: tuple[int, int], dtype: Any) -> dict[str, Array]:
    """Arrays to write to."""
    odd = np.zeros(shape[0] * shape[1] * 8 + 1, np.uint8)[1:].view("f8").reshape(shape)
    return {
        "plain": np.empty(shape, dtype),
        "Fortran": np.empty(shape, dtype, "F"),
        "strided": np.empty((shape[0] * 2, shape[1] * 2), dtype)[::2, 1::2],
        "backwards": np.empty(shape, dtype)[::-1, ::-1],
        "rows backwards": np.empty(shape, dtype)[::-1],
        "unaligned": odd,
        "narrower": np.empty(shape, "f4"),
        "complex": np.empty(shape, "c16"),
    }


@pytest.mark.parametrize("method", ["direct", "fft", "column-fft", "numpy"])
def test_out_of_any_layout(method: str) -> None:
    f, g = random((90, 100)), random((3, 3), seed=1)
    wanted = striate.convolve(f, g, "same", border="mirror")
    for name, out in outs((90, 100), "f8").items():
        got = striate.convolve(f, g, "same", border="mirror", out=out, method=method)
        assert got is out, name
        close(out.real, wanted, 1e-6 if name == "narrower" else 1e-12)


def test_nothing_beside_out_is_written() -> None:
    f, g = random((90, 700)), random((3, 3), seed=1)
    room = np.full((94, 1404), 7.5)
    striate.convolve(f, g, "same", out=room[2:-2, 1:701])
    room[2:-2, 1:701] = 7.5
    assert (room == 7.5).all()


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "column-fft", "numpy", "auto"])
def test_out_may_overlap_the_input(method: str) -> None:
    room, g = random((95, 305)), random((3, 3), seed=1)
    for target in (room[:90, :300], room[5:, 5:], room[89::-1, :300]):
        room[...] = random((95, 305))
        f = room[:90, :300]
        wanted = striate.convolve(f.copy(), g, "same", method="numpy")
        striate.convolve(f, g, "same", out=target, method=method)
        close(target, wanted)


def test_out_may_be_the_kernel() -> None:
    f, g = random((300, 300)), random((300, 300), seed=1)[:3, :3].copy()
    wanted = striate.convolve(g, f, "same", method="numpy")
    for method in ("direct", "numpy", "fft"):
        kernel = g.copy()
        full = np.zeros((302, 302))
        full[:3, :3] = kernel
        striate.convolve(f, full[:3, :3], out=full, method=method)
        close(full, signal.convolve2d(f, g))
    assert wanted.shape == (3, 3)


def test_a_small_result_takes_little_memory() -> None:
    got = striate.convolve(np.ones(10), np.ones(3))
    owner = got
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    assert owner.nbytes < got.nbytes + 200


# --- infinities and NaN -----------------------------------------------------------------

# Arguments with which `auto` chooses each method; see `test_what_is_chosen`.
CASES: dict[str, tuple[tuple[int, ...], Array]] = {
    "numpy": ((20, 30), random((3, 3), seed=1)),
    "direct": ((200, 300), random((3, 3), seed=1)),
    "separable": ((700, 800), np.outer(np.arange(1.0, 10), np.arange(2.0, 11))),
    "separable, rank 2": (
        (700, 800),
        np.outer(np.arange(1.0, 16), np.ones(15)) + np.outer(np.ones(15), np.arange(0.0, 15) ** 2),
    ),
    "box": ((700, 800), np.full((41, 41), 1 / 1681)),
    "column-fft": ((700, 800), random((31, 31), seed=1)),
    "overlap-save": ((200_000,), random((4095,), seed=1)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_chosen(case: str) -> None:
    shape, g = CASES[case]
    choice = striate.explain_method(random(shape), g, "same")
    assert choice.method == case.split(",")[0]
    assert str(choice).startswith(f"{choice.method}: ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES)
def test_what_is_not_finite_reaches_only_outputs_that_read_it(case: str, value: float) -> None:
    shape, g = CASES[case]
    f = random(shape)
    place = tuple(n // 3 for n in shape)
    got = striate.convolve(f, g, "same")
    f[place] = value
    spoilt = striate.convolve(f, g, "same")
    touched = np.zeros(shape, bool)
    window = tuple(
        slice(p - (n - 1) // 2, p + n - (n - 1) // 2) for p, n in zip(place, g.shape, strict=True)
    )
    touched[window] = True
    assert not np.isfinite(spoilt[touched]).any()
    close(spoilt[~touched], got[~touched], 1e-11)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("taps", "stride", "dilation"), [(3, 2, 1), (3, 2, 2), (5, 3, 2), (4, 2, 1)]
)
def test_strides_do_not_read_between(taps: int, stride: int, dilation: int, value: float) -> None:
    f, g = random((50, 400)), random((taps, taps), seed=1)
    f[20, 200] = value
    how = {"stride": stride, "dilation": dilation, "border": "wrap"}
    for method in ("direct", "auto"):
        got = striate.correlate(f, g, "same", method=method, **how)  # type: ignore[arg-type]
        wanted = striate.correlate(f, g, "same", method="numpy", **how)  # type: ignore[arg-type]
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))
        finite = np.isfinite(wanted)
        close(got[finite], wanted[finite])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(20, 30), (300, 400)])
def test_infinite_weights_meet_nothing_beyond_the_border(
    shape: tuple[int, int], value: float
) -> None:
    f, g = np.abs(random(shape)) + 1, np.ones((3, 3))
    g[0, 0] = value
    got = striate.correlate(f, g, "same")
    # The first row and column have nothing under the first weight.
    assert np.isfinite(got[0]).all() and np.isfinite(got[:, 0]).all()
    np.testing.assert_array_equal(got[1:, 1:], np.full((shape[0] - 1, shape[1] - 1), value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("taps", [(3, 3), (31, 31)])
@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_fill_values_that_are_not_finite(taps: tuple[int, int], value: float, dtype: str) -> None:
    f = np.ones((500, 600), dtype)
    got = striate.convolve(f, np.abs(random(taps, seed=1)) + 1, "same", fill_value=value)
    half = taps[0] // 2
    assert np.isfinite(got[half:-half, half:-half]).all()
    got[half:-half, half:-half] = value
    np.testing.assert_array_equal(got, np.full(f.shape, value))


def test_a_long_kernel_and_an_infinite_fill_value() -> None:
    f, g = np.ones(50_000), np.abs(random((4095,), seed=1)) + 1
    got = striate.convolve(f, g, "same", fill_value=np.inf)
    assert np.isfinite(got[2047:-2047]).all()
    assert np.isinf(got[:2047]).all() and np.isinf(got[-2047:]).all()


# --- errors -----------------------------------------------------------------------------

F, G = np.ones((5, 6)), np.ones((3, 3))
ERRORS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (([], [1]), {}, ValueError, r"f is empty: its shape is \(0,\)"),
    (([1], np.ones((0, 2))), {}, ValueError, r"g is empty: its shape is \(0, 2\)"),
    ((["a"], [1]), {}, TypeError, "f must hold numbers, got dtype <U1"),
    (([1], np.array(["2020"], "M8[D]")), {}, TypeError, "g must hold numbers, got dtype datetime"),
    ((F, G, "ful"), {}, ValueError, 'mode must be one of "full".*did you mean "full"'),
    ((F, G, 3), {}, ValueError, 'mode must be one of "full", "same", "valid", got 3'),
    ((F, G), {"border": "miror"}, ValueError, 'border must be one of "fill".*mean "mirror"'),
    ((F, G), {"border": None}, ValueError, "border must be one of .* got None"),
    ((F, G), {"border": ["wrap"]}, ValueError, r"border needs one value for each of 2 axes"),
    ((F, G), {"border": ["wrap", "x"]}, ValueError, "border must be one of .* got 'x'"),
    ((F, G), {"method": "seperable"}, ValueError, 'method must be one.*mean "separable"'),
    ((F, [1, 2]), {}, ValueError, r"f has 2 dimensions and g 1; .* such as axes=\(-1,\)"),
    ((np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1))), {}, ValueError, "1 to 3 axes .* not 4"),
    ((3, 4), {}, ValueError, r"1 to 3 axes can be convolved, not 0; f has shape \(\)"),
    ((F, G), {"axes": (0, 2)}, ValueError, "f has 2 dimensions, so no axis 2"),
    ((F, G), {"axes": (-3, 0)}, ValueError, "f has 2 dimensions, so no axis -3"),
    ((F, G), {"axes": (0, -2)}, ValueError, r"axes \(0, 0\) name an axis twice"),
    ((F, G), {"axes": 0}, ValueError, r"one dimension for each of the axes \(0,\).*\(3, 3\)"),
    ((F, G), {"axes": 0.5}, TypeError, "axes must be whole numbers, got 0.5"),
    ((F, G), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
    ((F, G), {"stride": (1, 2, 3)}, ValueError, "stride needs one value for each of 2 axes"),
    ((F, G), {"dilation": -1}, ValueError, "dilation must be at least 1, got -1"),
    ((F, G), {"dilation": 1.5}, TypeError, "dilation must be whole numbers, got 1.5"),
    ((F, G), {"origin": "centre"}, ValueError, 'origin must be one of.*did you mean "center"'),
    ((F, G), {"origin": 3}, ValueError, "an index of the kernel, 0 to 2, got 3"),
    ((F, G), {"origin": (0, -1)}, ValueError, "an index of the kernel, 0 to 2, got -1"),
    (
        (F, np.ones((7, 1)), "valid"), {}, ValueError,
        r'in mode "valid" the kernel must fit into f, but it spans \(7, 1\) and f has \(5, 6\)',
    ),
    ((F, G, "valid"), {"dilation": 3}, ValueError, r"it spans \(7, 7\)"),
    ((F, G), {"out": np.ones((5, 6))}, ValueError, r"out must be .* \(7, 8\), got \(5, 6\)"),
    ((F, G), {"out": [1]}, ValueError, "out must be an array of shape .* got list"),
    ((F, G, "same"), {"out": np.ones((5, 6), int)}, TypeError, "out of dtype int64 cannot hold"),
    ((F, G * 1j, "same"), {"out": np.ones((5, 6))}, TypeError, "cannot hold complex128"),
    (
        (F, G, "same"), {"out": np.broadcast_to(1.0, (5, 6))}, ValueError, "out is read-only",
    ),
    (
        (F, G, "same"), {"out": np.ma.masked_greater(np.ones((5, 6)), 0)}, ValueError,
        ": out has masked elements",
    ),
    ((F, G), {"fill_value": "x"}, TypeError, "fill_value must be a number, got 'x'"),
    ((F, G), {"fill_value": [1, 2]}, TypeError, r"fill_value must be a number, got \[1, 2\]"),
    ((F, G), {"fill_value": 1j}, TypeError, "fill_value 1j does not fit float64"),
    ((F > 0, G > 0), {"fill_value": 2}, ValueError, "fill_value 2 does not fit bool"),
    (
        (F.astype("u1"), G.astype("u1")), {"fill_value": 256}, ValueError,
        "fill_value 256 does not fit uint8, whole numbers from 0 to 255",
    ),
    ((F.astype("i4"),) * 2, {"fill_value": np.nan}, ValueError, "nan does not fit int32"),
    ((F.astype("i4"), G.astype("i4")), {"fill_value": 0.5}, ValueError, "0.5 does not fit int32"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "options", "kind", "message"), ERRORS)
def test_errors_say_what_to_change(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    for function in (striate.convolve, striate.correlate):
        with pytest.raises(kind, match=message) as caught:
            function(*arguments, **options)
        assert function.__name__ in str(caught.value) or "method" in message


@pytest.mark.parametrize(
    ("method", "f", "g", "message"),
    [
        (
            "separable",
            F.astype("i8"),
            (9 * random((3, 3))).astype("i8"),
            "no sum of products of a column and a row",
        ),
        ("separable", F, np.zeros((3, 3)), "no sum of products"),
        ("box", F, random((3, 3)), "numbers are not all equal"),
        ("column-fft", F, G, "too few rows"),
        ("column-fft", F.astype("i4"), G.astype("i4"), "whole numbers are exact here"),
        ("overlap-save", F, G, "made for one axis"),
        ("fft", F.astype("f2"), G.astype("f2"), "no fast transform of float16"),
        ("fft", F * np.nan, G, "NaN, infinity"),
        ("fft", F.astype("i8") << 50, G.astype("i8"), "too large to be exact"),
        ("direct", F.astype("f2"), G.astype("f2"), "no code for float16"),
        ("direct", F, G * np.inf, "infinite weights"),
    ],
)
def test_methods_that_cannot_be_used(method: str, f: Array, g: Array, message: str) -> None:
    with pytest.raises(ValueError, match=f'method "{method}" cannot be used: .*{message}'):
        striate.convolve(f, g, method=method)
    with pytest.raises(ValueError, match=f'method "{method}" cannot be used: .*{message}'):
        striate.explain_method(f, g, method=method)


# --- properties -------------------------------------------------------------------------

FEW = settings(max_examples=25, deadline=None, derandomize=True)
NUMBERS = st.integers(-100, 100)
lines = hnp.arrays(np.int64, st.integers(1, 40), elements=NUMBERS)
planes = hnp.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 40)), elements=NUMBERS)
METHODS_OF_ALL = st.sampled_from(["direct", "numpy"])


@FEW
@given(lines, lines, METHODS_OF_ALL)
def test_full_convolution_commutes(f: Array, g: Array, method: str) -> None:
    there = striate.convolve(f, g, method=method)
    np.testing.assert_array_equal(there, striate.convolve(g, f, method=method))
    np.testing.assert_array_equal(there, np.convolve(f, g))


@FEW
@given(planes, planes, st.sampled_from(BORDERS), METHODS_OF_ALL)
def test_convolution_is_linear(f: Array, g: Array, border: str, method: str) -> None:
    g = g[:4, :4]
    other = np.roll(f[::-1], 1)

    def swept(x: Array) -> Array:
        return striate.convolve(x, g, "same", border=border, method=method)

    np.testing.assert_array_equal(swept(3 * f - 2 * other), 3 * swept(f) - 2 * swept(other))


@FEW
@given(planes, planes, st.integers(-5, 5), METHODS_OF_ALL)
def test_with_wrap_a_shift_moves_the_result(f: Array, g: Array, shift: int, method: str) -> None:
    g = g[:4, :4]
    moved = striate.correlate(np.roll(f, shift, 1), g, "same", border="wrap", method=method)
    still = striate.correlate(f, g, "same", border="wrap", method=method)
    np.testing.assert_array_equal(moved, np.roll(still, shift, 1))


@FEW
@given(planes, lines, lines, st.sampled_from(BORDERS), st.sampled_from(["direct", "separable"]))
def test_a_separable_kernel_is_two_convolutions(
    f: Array, column: Array, row: Array, border: str, method: str
) -> None:
    column, row = np.abs(column[:5]) + 1, np.abs(row[:6]) + 1
    if method == "separable" and min(len(column), len(row)) == 1:
        return
    together = striate.convolve(
        f, np.outer(column, row), "same", border=border, fill_value=0, method=method
    )
    apart = striate.convolve(f, column, "same", border=border, axes=0)
    np.testing.assert_array_equal(
        together, striate.convolve(apart, row, "same", border=border, axes=1)
    )


@FEW
@given(planes, planes, st.sampled_from(MODES), st.sampled_from(BORDERS), METHODS_OF_ALL)
def test_out_receives_what_is_returned(
    f: Array, g: Array, mode: str, border: str, method: str
) -> None:
    g = g[: f.shape[0], : f.shape[1]]
    wanted = striate.correlate(f, g, mode, border=border, method=method)
    out = np.full(wanted.shape, 77, np.float64, order="F")
    assert striate.correlate(f, g, mode, border=border, out=out, method=method) is out
    np.testing.assert_array_equal(out, wanted)
