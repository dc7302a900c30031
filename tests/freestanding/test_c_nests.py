"""Nests as C, one of each kind, beside the machine code of the same nest: to the bit."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from striate.freestanding.c.c_emitter import emit_c
from striate.freestanding.c.c_functions import c_functions
from striate.nest.algebra import (
    COUNTS,
    Accumulator,
    Element,
    Index,
    Keep,
    MultiplyAdd,
    Nest,
    Pair,
    Store,
    Tensor,
    Transformed,
    Unary,
    strides_of,
)
from striate.nest.compiler import compile_nest
from striate.nest.elementary import maximum, minimum, sigmoid, tanh, where
from striate.nest.rewrite import in_rounds
from striate.nest.schedule import Schedule
from tests.freestanding.c_compilers import STRICT, fused, needs_gcc, shared_library

pytestmark = needs_gcc
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A nest, how it is run, and the arrays of its buffers."""

    nest: Nest
    schedule: Schedule
    arrays: Arrays


def tensor(role: str, element: Element = "real", offset: int = 0, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), offset, element)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def functions() -> Case:
    """All of them, at the ends of their ranges too."""
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, 0.5, 1.5, 2.5, -2.5, 0.49999997, 8388607.5,
               -8388609.0, 88.0, 88.1, -87.0, -87.1, 1e-38, 1e-45, 3e38, 3.9999998]  # fmt: skip
    many = np.random.default_rng(0)
    values = np.concatenate(
        [special, many.normal(size=3000) * 30, 2.0 ** many.uniform(-126, 127, 3000)]
    )
    x = tensor("x", v=1)
    positive = where(x, ">", 1e-37, x, 1.0)
    stores = {
        **{name: Unary(name, x) for name in ("exp", "expm1", "rint")},  # type: ignore[arg-type]
        "log": Unary("log", positive),
        "sqrt": Unary("sqrt", x),
        "mills": Unary("mills", maximum(x, 0.0)),
        "tanh": tanh(x),
        "sigmoid": sigmoid(x),
        "clip": minimum(maximum(x, -1.0), Unary("rint", x) * 0.25),
    }
    nest = Nest((("v", len(values)),), tuple(Store(tensor(n, v=1), e) for n, e in stores.items()))
    arrays = {name: np.zeros(len(values), np.float32) for name in stores}
    return Case(nest, Schedule("v", 8), {"x": values.astype(np.float32), **arrays})


def flipped() -> Case:
    """Strides and offsets that are negative; what is left of the last tile."""
    sums = tensor("f", x=1, s=1) * tensor("g", offset=6, s=-2) + 0.0
    nest = Nest(
        (("x", 29), ("s", 4)), (Store(tensor("out", x=1), Accumulator()),), (sums,), ("s",), "sum"
    )
    arrays = {"f": numbers(32), "g": numbers(7), "out": numbers(29)}
    return Case(nest, Schedule("x", 8, (("x", 2),)), arrays)


def first_maximum() -> Case:
    """Of equals the first, and NaN wins."""
    x = np.array([[1, 3, 3, 2], [4, 4, 0, 1], [0, 0, 0, 0], [1, np.nan, 2, np.nan]], np.float32).T
    nest = Nest(
        (("v", 4), ("r", 2), ("s", 2)),
        (Store(tensor("best", v=1), Accumulator(0)), Store(tensor("at", v=1), Accumulator(1))),
        (tensor("x", r=8, s=4, v=1),),
        ("r", "s"),
        "argmax",
        order=Index(strides_of({"r": 2, "s": 1})),
    )
    arrays = {"x": np.ascontiguousarray(x), "best": numbers(4), "at": numbers(4)}
    return Case(nest, Schedule("v", 8), arrays)


def several_sums() -> Case:
    """Sums of two terms that share what they read, over lanes that are summed up, from a bias."""
    centred = tensor("x", o=32, i=1) - tensor("mean", o=1)
    nest = Nest(
        (("o", 5), ("i", 32)),
        (
            Store(tensor("out", o=1), Accumulator(0) / (Accumulator(1) + 1.0)),
            Store(tensor("mean", o=1), Accumulator(1) * Accumulator(1)),
        ),
        (centred * tensor("w", i=1), centred * centred),
        ("i",),
        "sum",
        (tensor("bias", o=1), tensor("bias", o=1, offset=5)),
    )
    arrays = {"x": numbers(5, 32), "mean": numbers(5), "w": numbers(32), "bias": numbers(10)}
    return Case(nest, Schedule("i", 16, (("o", 2),)), {**arrays, "out": numbers(5)})


def stored_twice() -> Case:
    """A sum over lanes that two stores have."""
    nest = Nest(
        (("o", 5), ("i", 32)),
        (Store(tensor("out", o=1), Accumulator()), Store(tensor("again", o=1), Accumulator())),
        (tensor("x", o=32, i=1) * tensor("w", i=1),),
        ("i",),
        "sum",
    )
    arrays = {"x": numbers(5, 32), "w": numbers(32), "out": numbers(5), "again": numbers(5)}
    return Case(nest, Schedule("i", 16), arrays)


def rounds(initial: str, *axes: str) -> Case:
    """Sums in rounds, and a value that only the last one stores."""
    out = tensor("out", y=19, k=1)
    begun = {"bias": (tensor("bias", k=1),), "stored": (out,), "nothing": ()}[initial]
    nest = Nest(
        (("y", 6), ("k", 19), ("r", 2), ("c", 12)),
        (Store(out, maximum(Accumulator() + tensor("more", y=19, k=1), 0.0)),),
        (tensor("x", y=12, r=12, c=1) * tensor("f", r=228, c=19, k=1),),
        ("r", "c"),
        "sum",
        begun,
    )
    for axis in axes:
        nest = in_rounds(nest, axis, 4 if axis == "c" else 1, "y")
    arrays = {
        "x": numbers(7, 12), "f": numbers(2, 12, 19), "bias": numbers(19), "more": numbers(6, 19),
        "out": numbers(6, 19) if initial == "stored" else np.full((6, 19), np.nan, np.float32),
    }  # fmt: skip
    return Case(nest, Schedule("k", 8, (("y", 4), ("k", 2))), arrays)


def going_on() -> Case:
    """Sums that go on from where they are stored, with the next term rounded once."""
    out = tensor("out", y=9, k=1)
    nest = Nest(
        (("y", 7), ("k", 9), ("c", 5)),
        (Store(out, Accumulator()),),
        (MultiplyAdd(tensor("x", y=5, c=1), tensor("f", c=9, k=1), tensor("f", k=1)),),
        ("c",),
        "sum",
        (out,),
    )
    arrays = {"x": numbers(7, 5), "f": numbers(5, 9), "out": numbers(7, 9)}
    return Case(nest, Schedule("k", 8, (("y", 3),)), arrays)


def types() -> Case:
    """Whole numbers and doubles, read and written, side by side or not."""
    stores = tuple(
        Store(tensor(f"out_{kind}", kind, c=7, v=1), tensor(kind, kind, v=3, c=1) * 0.75)
        for kind in _KINDS
    )
    random = np.random.default_rng(0)
    arrays: Arrays = {}
    for kind in _KINDS:
        dtype = np.dtype(kind.replace("u", "uint").replace("i", "int").replace("uintnt", "uint"))
        low, high = (0 if kind[0] == "u" else -100), 100
        arrays[kind] = random.integers(low, high, (7, 3)).astype(dtype)
        arrays[f"out_{kind}"] = np.zeros((3, 7), dtype)
    return Case(Nest((("c", 3), ("v", 7)), stores), Schedule("v", 8), arrays)


_KINDS: tuple[Element, ...] = ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")


def dropped() -> Case:
    """The bits of dropout."""
    keys = np.random.default_rng(0).integers(0, 2**32, 16, dtype=np.uint32)
    keep = Keep(tensor("keys", "u32", v=1), Index(strides_of({"c": 1}), 3), 9, 1 << 31)
    nest = Nest((("c", 37), ("v", 16)), (Store(tensor("out", c=16, v=1), keep * 2.0),))
    return Case(nest, Schedule("v", 8), {"keys": keys, "out": numbers(37, 16)})


def tables() -> Case:
    """What other tables say lies where, and rows at any address."""
    place = Tensor("places", strides_of({"x": 1}), 1, "i32")
    row = Tensor("rows", strides_of({"y": 1}), 0, "i64", shift=(tensor("first", "i32"),))
    found = Tensor("source", strides_of({"c": 1}), 0, "u8", shift=(row, place))
    far = Tensor("far", strides_of({"c": 1}), 1, "f32", strides_of({"y": 1}))
    nest = Nest(
        (("y", 4), ("x", 5), ("c", 3)),
        (Store(tensor("out", y=15, x=3, c=1), found * 0.5 + far),),
    )
    random = np.random.default_rng(0)
    apart = numbers(4, 9)
    arrays = {
        "source": random.integers(0, 256, 200, dtype=np.uint8),
        "places": random.integers(0, 20, 6, dtype=np.int32),
        "rows": random.integers(0, 6, 8) * 20,
        "first": np.array([2], np.int32),
        "far": np.array([one.ctypes.data for one in apart], np.uint64),
        "kept": apart,
        "out": numbers(4, 5, 3),
    }
    return Case(nest, Schedule("c", 8), arrays)


def counted() -> Case:
    """Extents that are known when it runs."""
    nest = Nest(
        (("y", 3), ("x", 8), ("s", 3)),
        (Store(tensor("out", y=40, x=1), Accumulator()),),
        (tensor("x", y=42, x=1, s=1) * tensor("f", s=1),),
        ("s",),
        "sum",
        counted=("x", "y"),
    )
    arrays = {"x": numbers(9, 42), "f": numbers(3), "out": numbers(9, 40)}
    counts = {COUNTS: np.array([37, 7], np.int64)}
    return Case(nest, Schedule("x", 8, (("y", 2),)), {**arrays, **counts})


def grid() -> Case:
    """A transform of tiles, whose sums are shared."""
    left = tuple(tuple(map(Fraction, row)) for row in ((1, 2, 0), (1, -2, 3)))
    right = tuple(tuple(map(Fraction, row)) for row in (("1/2", 0, 1), (0, 1, -1)))
    x = Tensor("x", strides_of({"t": 95, "p": 19, "q": 19, "c": 1}))
    out = Tensor("out", strides_of({"t": 76, "i": 38, "j": 19, "c": 1}))
    value = maximum(Transformed(left, right, x), 0.0) + tensor("bias", c=1)
    axes = (("i", 2), ("j", 2), ("p", 3), ("q", 3))
    nest = Nest((("t", 3), ("c", 19)), (Store(out, value),), grid=axes)
    arrays = {"x": numbers(3, 95), "bias": numbers(19), "out": numbers(3, 4, 19)}
    return Case(nest, Schedule("c", 8), arrays)


CASES = {
    "functions": functions(),
    "flipped": flipped(),
    "first_maximum": first_maximum(),
    "several_sums": several_sums(),
    "stored_twice": stored_twice(),
    "rounds_from_a_bias": rounds("bias", "c"),
    "rounds_from_what_is_there": rounds("stored", "c"),
    "rounds_from_nothing": rounds("nothing", "r", "c"),
    "going_on": going_on(),
    "types": types(),
    "dropped": dropped(),
    "tables": tables(),
    "counted": counted(),
    "grid": grid(),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """All cases as C, compiled together."""
    made = [emit_c(name, (case.nest, case.schedule)) for name, case in CASES.items()]
    helpers = {helper for function in made for helper in function.helpers}
    text = "\n".join(
        [
            "#include <math.h>",
            "#include <stdint.h>",
            "#define LANES",
            c_functions(helpers, "tested"),
            *(function.text.replace("static void", "void", 1) for function in made),
        ]
    )
    folder: Path = tmp_path_factory.mktemp("nests")
    return shared_library(folder, {"nests.c": text}, "-O2", "-ffp-contract=off", *fused(), *STRICT)


@pytest.mark.parametrize("name", list(CASES))
def test_the_bits_of_machine_code(name: str, compiled: ctypes.CDLL) -> None:
    case = CASES[name]
    found = {role: array.copy() for role, array in case.arrays.items()}
    wanted = {role: array.copy() for role, array in case.arrays.items()}
    getattr(compiled, name)(*(ctypes.c_void_p(found[r].ctypes.data) for r in case.nest.buffers))
    compile_nest(case.nest, case.schedule)(*(wanted[role] for role in case.nest.buffers))
    changed = {store.target.buffer for store in case.nest.stores}
    for role, array in found.items():
        np.testing.assert_array_equal(array, wanted[role], err_msg=role)
        assert np.array_equal(array, case.arrays[role], equal_nan=True) == (role not in changed)


def test_pairs_of_bfloat16_are_refused() -> None:
    pair = Store(tensor("out", "pair", v=1), Pair(tensor("x", v=2), tensor("x", v=2, offset=1)))
    with pytest.raises(ValueError, match="no numbers of 16 bits, as bfloat16 wants them"):
        emit_c("pairs", (Nest((("v", 4),), (pair,)), Schedule("v", 4)))


def test_a_name_that_is_an_axis_or_a_keyword_is_another_one() -> None:
    target = tensor("int", x=1)
    nest = Nest((("x", 4),), (Store(target, tensor("x", x=1) + tensor("xx", x=1)),))
    text = emit_c("names", (nest, Schedule("x", 4))).text
    assert "int_2[x] = in[x] + xx_2[x];" in text
