"""The emitter against point-by-point interpretation, at every vector width and remainder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import erfcx

from striate.nest import algebra as a
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.elementary import exp, log, maximum, sigmoid, sqrt, tanh
from striate.nest.ir import BYTES
from striate.nest.schedule import Schedule, choose
from striate.nest.target import Target, host

Run = Callable[..., None]
WIDTHS = (64, 32, 16)
REMAINDERS = (1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 16, 17, 23, 31, 32, 33)


def tensor(role: str, element: a.Element = "real", offset: int = 0, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), offset, element)


def numbers(*shape: int, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def narrow(width: int) -> Target:
    if width > host().vector_bytes:
        # Still valid code: LLVM splits what the machine has no registers for.
        return Target(host().triple, host().cpu, host().features, width, 32)
    return host().narrowed(width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("extent", REMAINDERS)
def test_lanes_with_every_remainder(run_nest: Run, width: int, extent: int) -> None:
    # out[k] = sum over c of x[c] * f[c, k]: lanes along k
    nest = Nest(
        (("k", extent), ("c", 5)),
        stores=(Store(tensor("out", k=1), Accumulator()),),
        terms=(tensor("x", c=1) * tensor("f", c=extent, k=1),),
        reduce=("c",),
        reduction="sum",
    )
    arrays = {"out": np.zeros(extent, "f"), "x": numbers(5), "f": numbers(5, extent, seed=1)}
    assert choose(nest, narrow(width)).lane == "k"
    run_nest(nest, arrays, target=narrow(width))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13, 16, 17, 24, 33])
def test_sums_over_lanes(run_nest: Run, width: int, element: str, count: int) -> None:
    # out[k] += sum over v of x[k, v]: the accumulators' lanes are added up
    target = narrow(width)
    lanes = target.lanes(BYTES[element])
    dtype = np.float32 if element == "f32" else np.float64
    nest = Nest(
        (("k", count), ("y", 2), ("v", lanes)),
        stores=(Store(tensor("out", k=1), Accumulator() * 2.0),),
        terms=(tensor("x", k=2 * lanes, y=lanes, v=1),),
        reduce=("y", "v"),
        reduction="sum",
        initial=(tensor("out", k=1),),
    )
    arrays = {"out": numbers(count, dtype=dtype), "x": numbers(count, 2, lanes, dtype=dtype)}
    tile = (("k", min(count, 16)),)
    schedule = Schedule("v", lanes, tile)
    run_nest(nest, arrays, schedule=schedule, target=target, element=element)


def test_a_reduced_lane_axis_must_fill_the_lanes(run_nest: Run) -> None:
    nest = Nest(
        (("v", 7),),
        stores=(Store(tensor("out"), Accumulator()),),
        terms=(tensor("x", v=1),),
        reduce=("v",),
        reduction="sum",
    )
    arrays = {"out": np.zeros(1, "f"), "x": numbers(7)}
    with pytest.raises(ValueError, match=r"extent 7 must be a multiple of 4"):
        run_nest(nest, arrays, schedule=Schedule("v", 4))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "tile",
    [(), (("y", 2),), (("y", 3), ("k", 2)), (("k", 4), ("x", 3)), (("y", 2), ("k", 3), ("x", 2))],
)
@pytest.mark.parametrize("unroll", [(), ("s",), ("r", "s")])
def test_tiles_and_unrolling_change_nothing(
    run_nest: Run, width: int, tile: tuple[tuple[str, int], ...], unroll: tuple[str, ...]
) -> None:
    # A strided, dilated convolution with uneven sizes, lanes = images.
    target = narrow(width)
    v = target.lanes(4)
    rows, columns, filters, depth = 5, 4, 7, 3
    height, width_ = 2 * (rows - 1) + 3 * 1 + 1, (columns - 1) + 2 * 2 + 1
    x = tensor("x", y=2 * width_ * depth * v, r=3 * width_ * depth * v, x=depth * v,
               s=2 * depth * v, c=v, v=1)  # fmt: skip
    f = tensor("f", r=3 * depth * filters, s=depth * filters, c=filters, k=1)
    out = tensor("out", y=columns * filters * v, x=filters * v, k=v, v=1)
    nest = Nest(
        (("y", rows), ("k", filters), ("x", columns), ("v", v), ("r", 2), ("s", 3), ("c", depth)),
        stores=(Store(out, maximum(Accumulator(), 0.0)),),
        terms=(x * f,),
        reduce=("r", "s", "c"),
        reduction="sum",
        initial=(tensor("bias", k=1),),
    )
    arrays = {
        "x": numbers(height, width_, depth, v),
        "f": numbers(2, 3, depth, filters, seed=1),
        "bias": numbers(filters, seed=2),
        "out": np.zeros((rows, columns, filters, v), "f"),
    }
    run_nest(nest, arrays, schedule=Schedule("v", v, tile, unroll), target=target)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    extents=st.tuples(*[st.integers(1, 6)] * 3),
    lanes=st.integers(1, 19),
    width=st.sampled_from(WIDTHS),
    seed=st.integers(0, 99),
)
def test_chosen_schedules(
    run_nest: Run, extents: tuple[int, int, int], lanes: int, width: int, seed: int
) -> None:
    i, j, k = extents
    nest = Nest(
        (("i", i), ("j", j), ("v", lanes), ("k", k)),
        stores=(Store(tensor("out", i=j * lanes, j=lanes, v=1), Accumulator() + 1.0),),
        terms=(tensor("x", i=k * lanes, k=lanes, v=1) * tensor("f", j=k, k=1),),
        reduce=("k",),
        reduction="sum",
    )
    arrays = {
        "out": np.zeros((i, j, lanes), "f"),
        "x": numbers(i, k, lanes, seed=seed),
        "f": numbers(j, k, seed=seed + 1),
    }
    run_nest(nest, arrays, target=narrow(width))


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_exp_log_sqrt_tanh_sigmoid(run_nest: Run, element: str) -> None:
    dtype = np.float32 if element == "f32" else np.float64
    x = np.concatenate([np.linspace(-30, 30, 501), [0.0, 1e-7, -1e-7, 1e-3, 80.0, -80.0]])
    n = x.size
    value = tensor("x", v=1)
    functions = {
        "exp": exp(value * 0.5),
        "log": log(value * value + 1e-6),
        "sqrt": sqrt(value * value),
        "sigmoid": sigmoid(value),
        "tanh": tanh(value),
    }
    arrays = {"x": x.astype(dtype), **{name: np.zeros(n, dtype) for name in functions}}
    nest = Nest((("v", n),), tuple(Store(tensor(name, v=1), e) for name, e in functions.items()))
    run_nest(nest, arrays, tolerance=3e-7 if element == "f32" else 1e-15, element=element)
    exact = np.tanh(arrays["x"].astype(np.float64))
    relative = np.abs(arrays["tanh"] - exact) / np.maximum(np.abs(exact), 1e-30)
    assert relative.max() < (5e-7 if element == "f32" else 1e-15)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_mills_ratio(run_nest: Run, element: str) -> None:
    """The stated error, up to where the probability of larger numbers is no number any more."""
    dtype, last, error = (np.float32, 13.3, 3e-7) if element == "f32" else (np.float64, 38.0, 2e-15)
    x = np.concatenate([np.linspace(0, last, 4001), np.geomspace(1e-8, 1, 99)]).astype(dtype)
    arrays = {"x": x, "out": np.zeros_like(x)}
    nest = Nest((("v", x.size),), (Store(tensor("out", v=1), a.Unary("mills", tensor("x", v=1))),))
    run_nest(nest, arrays, tolerance=error, element=element)
    exact = np.sqrt(np.pi / 2) * erfcx(x.astype(float) / np.sqrt(2))
    np.testing.assert_allclose(arrays["out"], exact, rtol=error)


def test_exp_saturates_instead_of_overflowing(run_nest: Run) -> None:
    arrays = {"x": np.array([1e4, -1e4, 100.0, -100.0], "f"), "out": np.zeros(4, "f")}
    nest = Nest((("v", 4),), (Store(tensor("out", v=1), exp(tensor("x", v=1))),))
    from striate.nest.compiler import compile_nest

    compile_nest(nest)(*(arrays[role] for role in nest.buffers))
    assert np.isfinite(arrays["out"]).all()
    assert arrays["out"][0] > 1e38 and 0 <= arrays["out"][1] < 1e-37


@pytest.mark.parametrize("width", WIDTHS)
def test_argmax_takes_the_first_of_equals(run_nest: Run, width: int) -> None:
    lanes = 5
    x = np.array([[1, 3, 3, 2], [4, 4, 0, 1], [0, 0, 0, 0], [-5, -2, -9, -2], [7, 8, 9, 9]], "f").T
    nest = Nest(
        (("v", lanes), ("r", 2), ("s", 2)),
        stores=(
            Store(tensor("best", v=1), Accumulator(0)),
            Store(tensor("where", v=1), Accumulator(1)),
        ),
        terms=(tensor("x", r=2 * lanes, s=lanes, v=1),),
        reduce=("r", "s"),
        reduction="argmax",
        order=a.Index(strides_of({"r": 2, "s": 1})),
    )
    arrays = {
        "x": np.ascontiguousarray(x),
        "best": np.zeros(lanes, "f"),
        "where": np.zeros(lanes, "f"),
    }
    run_nest(nest, arrays, target=narrow(width))
    assert arrays["where"].tolist() == [1, 0, 0, 1, 2]


def test_bytes_gathered_and_scattered(run_nest: Run) -> None:
    # Images side by side become lanes and back: strides other than 0 and 1 along the lanes.
    v, features = 16, 6
    rng = np.random.default_rng(0)
    arrays = {
        "raw": rng.integers(0, 256, (v, features), dtype=np.uint8),
        "packed": np.zeros((features, v), "f"),
        "again": np.zeros((v, features), "f"),
    }
    raw = tensor("raw", "u8", v=features, c=1)
    nest = Nest(
        (("c", features), ("v", v)),
        (
            Store(tensor("packed", c=v, v=1), raw * 0.5),
            Store(tensor("again", v=features, c=1), raw + 0.0),
        ),
    )
    run_nest(nest, arrays, schedule=Schedule("v", v))
    np.testing.assert_array_equal(arrays["again"], arrays["raw"])


@pytest.mark.parametrize("lane", ["v", "x", "y"])
@pytest.mark.parametrize("width", WIDTHS)
def test_tables_say_what_lies_where(run_nest: Run, width: int, lane: str) -> None:
    # Each image begins where a table says; so do the windows on its rows and columns, which are
    # looked up themselves: one table inside another.
    images, height, width_, channels, rows, columns = 5, 7, 9, 2, 6, 5
    rng = np.random.default_rng(0)
    size = height * width_ * channels
    first = Tensor("first", strides_of({"v": 1}), 0, "i64")
    top = Tensor("place", strides_of({"v": 1}), 0, "i32")
    left = Tensor("place", strides_of({"v": 1}), images, "i32")
    row = Tensor("rows", strides_of({"y": 1}), 0, "i32", shift=(top,))
    column = Tensor("columns", strides_of({"x": 1}), 1, "i32", shift=(left,))
    source = Tensor("images", strides_of({"c": 1}), 0, "u8", shift=(first, row, column))
    out = {"v": rows * columns * channels, "y": columns * channels, "x": channels, "c": 1}
    nest = Nest(
        (("y", rows), ("x", columns), ("c", channels), ("v", images)),
        (Store(tensor("out", **out), source * 2.0),),
    )
    arrays = {
        "images": rng.integers(0, 256, 3 * size, dtype=np.uint8),
        "first": rng.integers(0, 3, images) * size,
        "place": rng.integers(0, 3, 2 * images, dtype=np.int32),
        "rows": rng.permutation(rows + 2).astype(np.int32) % height * (width_ * channels),
        "columns": rng.permutation(columns + 3).astype(np.int32) * channels,
        "out": np.zeros((images, rows, columns, channels), "f"),
    }
    lanes = width // 4
    for tile in ((), (("y", 2),), (("x", 2), ("c", 2)), (("v", 2),)):
        run_nest(nest, arrays, 0, schedule=Schedule(lane, lanes, tile), target=narrow(width))
    assert len(np.unique(arrays["out"])) > 20


@pytest.mark.parametrize(("lane", "unroll"), [("k", ("x",)), ("k", ()), ("y", ("x",)), ("x", ())])
def test_sums_of_what_tables_find(run_nest: Run, lane: str, unroll: tuple[str, ...]) -> None:
    # A table and a stride along one axis add up, and neighbours of a tile keep apart.
    rows, outputs, taps, lanes = 6, 5, 16, 8
    rng = np.random.default_rng(0)
    row = Tensor("rows", strides_of({"y": 1}), 0, "i32")
    place = Tensor("places", strides_of({"x": 1}), 0, "i32")
    source = Tensor("source", strides_of({"x": 1}), 0, "real", shift=(row, place))
    nest = Nest(
        (("y", rows), ("k", outputs), ("x", taps)),
        (Store(tensor("out", y=outputs, k=1), Accumulator()),),
        (source * tensor("weights", x=outputs, k=1),),
        ("x",),
        "sum",
    )
    arrays = {
        "source": numbers(8 * 40),
        "rows": rng.permutation(8)[:rows].astype(np.int32) * 40,
        "places": rng.integers(0, 24, taps, dtype=np.int32),
        "weights": numbers(taps, outputs),
        "out": np.zeros((rows, outputs), "f"),
    }
    for tile in ((), (("y", 3),), (("y", 2), ("k", 2))):
        run_nest(nest, arrays, schedule=Schedule(lane, lanes, tile, unroll), target=narrow(32))


@pytest.mark.parametrize("lane", ["v", "x"])
def test_rows_at_any_address_lane_by_lane(lane: str) -> None:
    from striate.nest.compiler import compile_nest

    lanes, length = 16, 21
    sources = [numbers(length + 2, seed=i) for i in range(lanes)]
    starts = np.arange(lanes, dtype=np.int32) % 3
    table = np.array([source.ctypes.data for source in sources], np.uint64)
    first = Tensor("starts", strides_of({"v": 1}), 0, "i32")
    row = Tensor("table", strides_of({"x": 1}), 0, "f32", strides_of({"v": 1}), (first,))
    nest = Nest((("x", length), ("v", lanes)), (Store(tensor("out", x=lanes, v=1), row + 0.0),))
    out = np.zeros((length, lanes), "f")
    compile_nest(nest, Schedule(lane, 16))(
        *({"table": table, "starts": starts, "out": out}[role] for role in nest.buffers)
    )
    expected = [source[start:][:length] for source, start in zip(sources, starts, strict=True)]
    np.testing.assert_array_equal(out, np.transpose(expected))


def test_dropout_bits_are_those_of_numpy(run_nest: Run) -> None:
    v, features = 16, 37
    keys = np.random.default_rng(0).integers(0, 2**32, v, dtype=np.uint32)
    keep = a.Keep(tensor("keys", "u32", v=1), a.Index(strides_of({"c": 1})), 9, 1 << 31)
    nest = Nest((("c", features), ("v", v)), (Store(tensor("out", c=v, v=1), keep),))
    arrays = {"keys": keys, "out": np.zeros((features, v), "f")}
    run_nest(nest, arrays)
    assert 0.3 < arrays["out"].mean() < 0.7


def test_negative_strides_and_offsets(run_nest: Run) -> None:
    n, taps = 21, 4  # a true convolution: the kernel is flipped
    nest = Nest(
        (("x", n), ("s", taps)),
        stores=(Store(tensor("out", x=1), Accumulator()),),
        terms=(tensor("f", x=1, s=1) * tensor("g", offset=taps - 1, s=-1),),
        reduce=("s",),
        reduction="sum",
    )
    arrays = {"f": numbers(n + taps - 1), "g": numbers(taps, seed=1), "out": np.zeros(n, "f")}
    expected = np.convolve(arrays["f"], arrays["g"], "valid")
    run_nest(nest, arrays)
    np.testing.assert_allclose(arrays["out"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("reduction", ["max", "argmax"])
def test_the_largest_along_contiguous_numbers(run_nest: Run, width: int, reduction: str) -> None:
    # Lanes along the reduced axis would have to be reduced too: it must not be chosen.
    nest = Nest(
        (("o", 5), ("i", 16)),
        stores=(Store(tensor("out", o=1), Accumulator()),),
        terms=(tensor("x", o=16, i=1),),
        reduce=("i",),
        reduction=reduction,  # type: ignore[arg-type]
        order=a.Index(strides_of({"i": 1})) if reduction == "argmax" else None,
    )
    run_nest(nest, {"x": numbers(5, 16), "out": np.zeros(5, "f")}, target=narrow(width))
    with pytest.raises(ValueError, match=f"not reduced by {reduction}"):
        run_nest(nest, {"x": numbers(5, 16), "out": np.zeros(5, "f")}, schedule=Schedule("i", 16))


def test_without_fused_multiply_add(run_nest: Run) -> None:
    from dataclasses import replace

    from striate.nest.kernel_module import emit

    nest = Nest(
        (("k", 21), ("c", 5)),
        stores=(Store(tensor("out", k=1), exp(Accumulator())),),
        terms=(tensor("x", c=1) * tensor("f", c=21, k=1),),
        reduce=("c",),
        reduction="sum",
    )
    arrays = {"out": np.zeros(21, "f"), "x": numbers(5), "f": numbers(5, 21, seed=1)}
    run_nest(nest, arrays, target=replace(host(), fused=False))
    schedule = choose(nest, host())
    assert "llvm.fma" in emit(nest, schedule, target=replace(host(), fused=True))
    assert "llvm.fma" not in emit(nest, schedule, target=replace(host(), fused=False))


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_nan_and_infinity_pass_through(element: str) -> None:
    """A number that is none must be seen at the end, not become an ordinary one."""
    from striate.nest.compiler import compile_nest

    dtype = np.float32 if element == "f32" else np.float64
    x = tensor("x", v=1)
    functions = {
        "relu": maximum(x, 0.0),
        "exp": exp(x),
        "sigmoid": sigmoid(x),
        "tanh": tanh(x),
        "log": log(sqrt(x * x) + 1.0),
    }
    nest = Nest((("v", 7),), tuple(Store(tensor(name, v=1), e) for name, e in functions.items()))
    values = np.array([np.nan, np.inf, -np.inf, 1.0, np.nan, -2.0, np.nan], dtype)
    arrays = {"x": values, **{name: np.zeros(7, dtype) for name in functions}}
    compile_nest(nest, element=element)(*(arrays[role] for role in nest.buffers))  # type: ignore[arg-type]
    for name in functions:
        np.testing.assert_array_equal(np.isnan(arrays[name]), np.isnan(values), err_msg=name)
    assert arrays["relu"].tolist()[1:4] == [np.inf, 0.0, 1.0]
    assert arrays["tanh"].tolist()[1:3] == [1.0, -1.0]
    assert arrays["sigmoid"][1] == 1.0
    assert arrays["sigmoid"][2] < 1e-30


@pytest.mark.parametrize("at", [0, 1, 3])
def test_nan_wins_a_maximum(at: int) -> None:
    from striate.nest.compiler import compile_nest

    for reduction in ("max", "argmax"):
        nest = Nest(
            (("v", 3), ("r", 4)),
            stores=(Store(tensor("out", v=1), Accumulator()),),
            terms=(tensor("x", r=3, v=1),),
            reduce=("r",),
            reduction=reduction,  # type: ignore[arg-type]
            order=a.Index(strides_of({"r": 1})) if reduction == "argmax" else None,
        )
        x = numbers(4, 3)
        x[at, 1] = np.nan
        arrays = {"x": x, "out": np.zeros(3, "f")}
        compile_nest(nest)(*(arrays[role] for role in nest.buffers))
        np.testing.assert_array_equal(arrays["out"], x.max(axis=0))
