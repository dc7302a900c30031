"""Storage types, tables of rows, whole-number arithmetic and streaming stores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from striate.nest.algebra import Accumulator, Element, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.elementary import maximum, minimum, rint
from striate.nest.ir import Number
from striate.nest.kernel_module import emit
from striate.nest.schedule import Schedule
from striate.nest.target import host

TYPES: dict[Element, type] = {
    "u8": np.uint8,
    "i8": np.int8,
    "u16": np.uint16,
    "i16": np.int16,
    "u32": np.uint32,
    "i32": np.int32,
    "u64": np.uint64,
    "i64": np.int64,
    "f32": np.float32,
    "f64": np.float64,
}
NUMBERS: dict[Number, type] = {
    "f32": np.float32,
    "f64": np.float64,
    "i32": np.int32,
    "i64": np.int64,
}
N = 37  # full vectors of every width, and remainders


def line(buffer: str, element: Element) -> Tensor:
    return Tensor(buffer, strides_of({"x": 1}), 0, element)


def copied(source: Element, target: Element, number: Number, values: np.ndarray) -> np.ndarray:
    nest = Nest((("x", N),), (Store(line("out", target), line("in", source)),))
    out = np.zeros(N, TYPES[target])
    arrays = {"in": values, "out": out}
    compile_nest(nest, element=number)(*(arrays[name] for name in nest.buffers))
    return out


@pytest.mark.parametrize(
    ("source", "number"),
    # Whole numbers are computed from whole numbers only.
    [(s, n) for s in TYPES for n in NUMBERS if n[0] == "f" or s[0] != "f"],
)
def test_every_type_is_read_as_c_converts_it(source: Element, number: Number) -> None:
    rng = np.random.default_rng(0)
    dtype = np.dtype(TYPES[source])
    if dtype.kind == "f":
        values = (100 * rng.standard_normal(N)).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, N, dtype, endpoint=True)
    target: Element = number  # type: ignore[assignment]
    got = copied(source, target, number, values)
    np.testing.assert_array_equal(got, values.astype(NUMBERS[number]))


@pytest.mark.parametrize("number", ["f32", "f64"])
@pytest.mark.parametrize("target", TYPES)
def test_every_type_is_written_without_the_fraction(target: Element, number: Number) -> None:
    dtype = np.dtype(TYPES[target])
    low, high = (-300.0, 300.0) if dtype.kind == "f" else (np.iinfo(dtype).min, 120.0)
    values = np.random.default_rng(0).uniform(max(low, -1e9), high, N).astype(NUMBERS[number])
    got = copied(number, target, number, values)  # type: ignore[arg-type]
    wanted = values if dtype.kind == "f" else np.trunc(values.astype(np.float64))
    np.testing.assert_array_equal(got, wanted.astype(dtype))


@pytest.mark.parametrize("target", ["u8", "i8", "u16", "i16", "u32", "i32"])
def test_what_a_type_cannot_hold_wraps(target: Element) -> None:
    values = np.linspace(-70_000.9, 70_000.9, N)
    got = copied("f64", target, "f64", values)
    np.testing.assert_array_equal(got, values.astype(np.int64).astype(TYPES[target]))


@pytest.mark.parametrize("number", ["i32", "i64"])
def test_whole_numbers_are_summed_modulo_their_size(number: Number) -> None:
    rng = np.random.default_rng(0)
    dtype, taps = NUMBERS[number], 5
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, N + taps - 1, dtype)
    w = rng.integers(limits.min, limits.max, taps, dtype)
    product = Tensor("in", strides_of({"x": 1, "s": 1})) * Tensor("w", strides_of({"s": 1}))
    nest = Nest(
        (("x", N), ("s", taps)),
        (Store(line("out", "real"), Accumulator()),),
        (product,),
        ("s",),
        "sum",
    )
    out = np.zeros(N, dtype)
    compile_nest(nest, element=number)(*({"in": x, "w": w, "out": out}[b] for b in nest.buffers))
    wanted = np.zeros(N, dtype)
    for s in range(taps):
        wanted += x[s : s + N] * w[s]
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("tile", [1, 2, 4])
@pytest.mark.parametrize("element", ["f32", "u8"])
def test_rows_may_lie_anywhere(tile: int, element: Element) -> None:
    # out[row y][x] = sum over r of in[row y + r][x], the rows in any order and repeated
    rows, taps = 6, 3
    rng = np.random.default_rng(1)
    source = rng.integers(0, 99, (4, N)).astype(TYPES[element])
    order = [3, 0, 0, 2, 1, 3, 2, 0]
    out = np.zeros((rows, N), np.float32)
    places = [5, 3, 1, 0, 2, 4]
    tables = {
        "in": np.array([source[i].ctypes.data for i in order]),
        "out": np.array([out[i].ctypes.data for i in places]),
    }
    read = Tensor("in", strides_of({"x": 1}), 0, element, strides_of({"y": 1, "r": 1}))
    written = Tensor("out", strides_of({"x": 1}), 0, "real", strides_of({"y": 1}))
    nest = Nest(
        (("y", rows), ("x", N), ("r", taps)),
        (Store(written, Accumulator()),),
        (read,),
        ("r",),
        "sum",
    )
    schedule = Schedule("x", 8, (("y", tile),), ("r",))
    compile_nest(nest, schedule)(*(tables[name] for name in nest.buffers))
    lines = source[order].astype(np.float32)
    wanted = np.array([lines[y : y + taps].sum(0) for y in range(rows)])
    np.testing.assert_array_equal(out[places], wanted)


def test_a_table_of_one_row() -> None:
    source, out = np.arange(N, dtype=np.float32), np.zeros(N, np.float32)
    read = Tensor("in", strides_of({"x": -1}), N - 1, rows=())
    nest = Nest((("x", N),), (Store(line("out", "real"), read),))
    arrays = {"in": np.array([source.ctypes.data]), "out": out}
    compile_nest(nest)(*(arrays[name] for name in nest.buffers))
    np.testing.assert_array_equal(out, source[::-1])


def test_rows_are_part_of_what_an_expression_reads() -> None:
    with pytest.raises(ValueError, match="unknown axes \\['y'\\]"):
        table = Tensor("in", strides_of({"x": 1}), rows=strides_of({"y": 1}))
        Nest((("x", N),), (Store(line("out", "real"), table),))


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_rounding_and_clipping(element: Number) -> None:
    values = np.array([-3.5, -0.5, 0.5, 1.5, 2.5, 254.5, 255.5, 1e6, np.inf, -np.inf, 7.4, 7.6])
    value = maximum(minimum(rint(line("in", "real")), 255.0), 0.0)
    nest = Nest((("x", len(values)),), (Store(line("out", "u8"), value),))
    out = np.zeros(len(values), np.uint8)
    arrays = {"in": values.astype(NUMBERS[element]), "out": out}
    compile_nest(nest, element=element)(*(arrays[name] for name in nest.buffers))
    assert out.tolist() == [0, 0, 0, 2, 2, 254, 255, 255, 255, 0, 7, 8]


@pytest.mark.parametrize("extent", [16, 31, 45])
def test_streaming_stores_write_the_same(extent: int) -> None:
    source = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    room = np.zeros(3 * 64 + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    out = room[start : start + 3 * 64].reshape(3, 64)
    here, there = (Tensor(name, strides_of({"y": 64, "x": 1})) for name in ("in", "out"))
    nest = Nest((("y", 3), ("x", extent)), (Store(there, here, streaming=True),))
    text = emit(nest, Schedule("x", host().lanes(4)))
    assert "!nontemporal" in text
    compile_nest(nest)(*({"in": source, "out": out}[name] for name in nest.buffers))
    np.testing.assert_array_equal(out[:, :extent], source[:, :extent])
    assert not out[:, extent:].any()


def test_all_pairs_of_whole_types_wrap() -> None:
    whole = [name for name in TYPES if name[0] in "iu"]
    for source, target in itertools.product(whole, whole):
        limits = np.iinfo(TYPES[source])
        rng = np.random.default_rng(0)
        values = rng.integers(limits.min, limits.max, N, TYPES[source], endpoint=True)
        got = copied(source, target, "i64", values)
        np.testing.assert_array_equal(got, values.astype(TYPES[target]), f"{source} to {target}")
