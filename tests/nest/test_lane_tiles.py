"""Several vectors at once along the lane axis, at every vector width and remainder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.nest import algebra as a
from striate.nest.algebra import Accumulator, MultiplyAdd, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.elementary import maximum
from striate.nest.ir import BYTES, Number
from striate.nest.kernel_module import emit
from striate.nest.rewrite import in_rounds
from striate.nest.schedule import Schedule, can_mask, choose
from striate.nest.target import Target, host

Run = Callable[..., None]
WIDTHS = (64, 32, 16)


def tensor(role: str, offset: int = 0, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides), offset)


def numbers(*shape: int, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def narrow(width: int) -> Target:
    if width > host().vector_bytes:
        return Target(host().triple, host().cpu, host().features, width, 32)
    return host().narrowed(width)


def product(rows: int, depth: int, extent: int) -> Nest:
    """out[y, k] = max(bias[k] + sum over c of x[y, c] * f[c, k], 0)"""
    return Nest(
        (("y", rows), ("k", extent), ("c", depth)),
        stores=(Store(tensor("out", y=extent, k=1), maximum(Accumulator(), 0.0)),),
        terms=(tensor("x", y=depth, c=1) * tensor("f", c=extent, k=1),),
        reduce=("c",),
        reduction="sum",
        initial=(tensor("bias", k=1),),
    )


def of_product(rows: int, depth: int, extent: int, dtype: type = np.float32) -> dict:
    # Numbers behind the end: what a vector too many writes must be seen.
    return {
        "out": np.full(rows * extent + 70, 7, dtype),
        "x": numbers(rows, depth, dtype=dtype),
        "f": numbers(depth, extent, seed=1, dtype=dtype),
        "bias": numbers(extent, seed=2, dtype=dtype),
    }


@pytest.mark.parametrize(
    ("width", "rest"), [(width, rest) for width in WIDTHS for rest in range(width // 4)]
)
def test_every_remainder(run_nest: Run, width: int, rest: int) -> None:
    lanes, vectors = width // 4, 2 + rest % 3
    # Whole tiles, then whole vectors that fill no tile, then what fills no vector.
    extent = lanes * (2 * vectors + rest % vectors) + rest
    schedule = Schedule("k", lanes, (("y", 2), ("k", vectors)), ("c",) if rest % 2 else ())
    nest = product(3, 4, extent)
    run_nest(nest, of_product(3, 4, extent), schedule=schedule, target=narrow(width))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("element", ["f32", "f64"])
@pytest.mark.parametrize("whole", [0, 1, 3, 4])
def test_fewer_vectors_than_a_tile(run_nest: Run, width: int, element: Number, whole: int) -> None:
    target = narrow(width)
    lanes = target.lanes(BYTES[element])
    extent = max(lanes * whole + lanes // 2 + lanes // 4, 1)
    dtype = np.float32 if element == "f32" else np.float64
    schedule = Schedule("k", lanes, (("k", 4),))
    arrays = of_product(2, 3, extent, dtype)
    run_nest(product(2, 3, extent), arrays, schedule=schedule, target=target, element=element)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("reduction", ["none", "max", "argmax"])
def test_other_reductions(run_nest: Run, width: int, reduction: str) -> None:
    lanes = width // 4
    extent = 5 * lanes + 3
    out, x = tensor("out", y=extent, v=1), tensor("x", y=2 * extent, r=extent, v=1)
    stores = [Store(out, Accumulator() * 2.0)]
    if reduction == "none":
        place = a.Index(strides_of({"y": 3, "v": 2}), 1)
        stores = [Store(out, tensor("x", y=2 * extent, v=1) + place)]
    elif reduction == "argmax":
        stores.append(Store(tensor("which", y=extent, v=1), Accumulator(1)))
    nest = Nest(
        (("v", extent), ("y", 3), *((("r", 2),) if reduction != "none" else ())),
        stores=tuple(stores),
        terms=(x,) if reduction != "none" else (),
        reduce=("r",) if reduction != "none" else (),
        reduction=reduction,  # type: ignore[arg-type]
        order=a.Index(strides_of({"r": 1})) if reduction == "argmax" else None,
    )
    arrays = {"x": numbers(3, 2, extent), "out": np.zeros((3, extent), "f")}
    if reduction == "argmax":
        arrays["which"] = np.zeros((3, extent), "f")
    schedule = Schedule("v", lanes, (("v", 2), ("y", 2)))
    run_nest(nest, arrays, schedule=schedule, target=narrow(width))


@pytest.mark.parametrize("width", WIDTHS)
def test_lanes_that_lie_apart(run_nest: Run, width: int) -> None:
    """Read number by number, and written so: offsets inside a tile count vectors, not numbers."""
    lanes = width // 4
    extent = 3 * lanes + lanes // 2 + 1
    nest = Nest(
        (("y", 3), ("v", extent)),
        (
            Store(tensor("turned", y=1, v=3), tensor("x", y=extent, v=1)),
            Store(tensor("back", offset=extent - 1, y=extent, v=-1), tensor("z", y=1, v=3)),
        ),
    )
    arrays = {
        "x": numbers(3, extent),
        "z": numbers(extent, 3, seed=1),
        "turned": np.zeros((extent, 3), "f"),
        "back": np.zeros((3, extent), "f"),
    }
    schedule = Schedule("v", lanes, (("v", 2),))
    run_nest(nest, arrays, schedule=schedule, target=narrow(width))


def test_the_lane_axis_may_be_the_outermost(run_nest: Run) -> None:
    lanes = host().lanes(4)
    extent = 4 * lanes + 5
    nest = product(3, 4, extent)
    nest = replace(nest, axes=(("k", extent), ("c", 4), ("y", 3)))
    schedule = Schedule("k", lanes, (("k", 3), ("y", 2)))
    run_nest(nest, of_product(3, 4, extent), schedule=schedule)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    extent=st.integers(1, 70),
    tiles=st.tuples(*[st.integers(1, 4)] * 3),
    order=st.permutations("yxk"),
    unroll=st.sampled_from([(), ("r",), ("c",), ("r", "c")]),
    width=st.sampled_from(WIDTHS),
    element=st.sampled_from(["f32", "f64"]),
)
def test_any_tile(
    run_nest: Run,
    rows: int,
    columns: int,
    extent: int,
    tiles: tuple[int, int, int],
    order: list[str],
    unroll: tuple[str, ...],
    width: int,
    element: Number,
) -> None:
    """A convolution over columns, channels in the lanes: any loop order, tile and unrolling."""
    depth, taps = 3, 2
    extents = {"y": rows, "x": columns, "k": extent}
    sizes = dict(zip("yxk", tiles, strict=True))
    nest = Nest(
        (*((axis, extents[axis]) for axis in order), ("r", taps), ("c", depth)),
        stores=(Store(tensor("out", y=columns * extent, x=extent, k=1), Accumulator()),),
        terms=(
            tensor("x", y=(columns + 1) * depth, x=depth, r=depth, c=1)
            * tensor("f", r=depth * extent, c=extent, k=1),
        ),
        reduce=("r", "c"),
        reduction="sum",
        initial=(tensor("out", y=columns * extent, x=extent, k=1),),
    )
    dtype = np.float32 if element == "f32" else np.float64
    arrays = {
        "x": numbers(rows, columns + 1, depth, dtype=dtype),
        "f": numbers(taps, depth, extent, seed=1, dtype=dtype),
        "out": numbers(rows * columns * extent + 70, seed=2, dtype=dtype),
    }
    target = narrow(width)
    tile = tuple((axis, sizes[axis]) for axis in order if sizes[axis] > 1)
    schedule = Schedule("k", target.lanes(BYTES[element]), tile, unroll)
    run_nest(nest, arrays, schedule=schedule, target=target, element=element)


# --- products that are added at once ---------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("element", ["f32", "f64"])
def test_multiply_add(run_nest: Run, width: int, element: Number) -> None:
    n = 37
    dtype = np.float32 if element == "f32" else np.float64
    x, y, z = (tensor(role, i=1) for role in "xyz")
    once = MultiplyAdd(x, y, z)
    nest = Nest(
        (("i", n),),
        (
            Store(tensor("out", i=1), once),
            Store(tensor("more", i=1), MultiplyAdd(once, a.Constant(-0.5), MultiplyAdd(y, z, x))),
        ),
    )
    arrays = {role: numbers(n, seed=i, dtype=dtype) for i, role in enumerate("xyz")}
    arrays |= {"out": np.zeros(n, dtype), "more": np.zeros(n, dtype)}
    options = {"target": narrow(width), "element": element}
    run_nest(nest, arrays, tolerance=1e-6 if element == "f32" else 1e-15, **options)


@pytest.mark.parametrize("fused", [True, False])
def test_multiply_add_rounds_once_where_the_processor_can(fused: bool) -> None:
    if fused and not host().fused:
        pytest.skip("this processor multiplies and adds in two instructions")
    # (1 + e)² = 1 + 2e + e²; e² is lost when the square is rounded.
    e = np.float32(2.0**-12)
    arrays = {"x": np.full(19, 1 + e, "f"), "z": np.full(19, -(1 + 2 * e), "f")}
    arrays["out"] = np.zeros(19, "f")
    x, z = tensor("x", i=1), tensor("z", i=1)
    nest = Nest((("i", 19),), (Store(tensor("out", i=1), MultiplyAdd(x, x, z)),))
    target = replace(host(), fused=fused)
    compile_nest(nest, target=target)(*(arrays[role] for role in nest.buffers))
    assert set(arrays["out"].tolist()) == ({float(e * e)} if fused else {0.0})


# --- reduced axes around everything else -------------------------------------------------------


def sums(rows: int, depth: int, extent: int, lanes: int) -> Nest:
    """f[c, k] += sum over y, v of x[y, c, v] * g[y, k, v]"""
    target = tensor("f", c=extent, k=1)
    return Nest(
        (("c", depth), ("k", extent), ("y", rows), ("v", lanes)),
        stores=(Store(target, Accumulator()),),
        terms=(
            tensor("x", y=depth * lanes, c=lanes, v=1)
            * tensor("g", y=extent * lanes, k=lanes, v=1),
        ),
        reduce=("y", "v"),
        reduction="sum",
        initial=(target,),
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("lanes", [1, 2])
def test_rounds_change_nothing_but_the_order(
    run_nest: Run, width: int, size: int, lanes: int
) -> None:
    """Lanes along k, or along v: then they are summed up after each round."""
    rows, depth, extent = 6, 3, 21
    lanes = lanes if lanes == 1 else width // 4
    plain = sums(rows, depth, extent, lanes)
    nest = in_rounds(plain, "y", size)
    assert nest.multiply_adds == plain.multiply_adds
    assert nest.rounds == ("Y",)

    def arrays() -> dict:
        return {
            "x": numbers(rows, depth, lanes),
            "g": numbers(rows, extent, lanes, seed=1),
            "f": numbers(depth, extent, seed=2),
        }

    chosen = choose(nest, narrow(width))
    assert chosen.lane not in nest.rounds
    assert not set(chosen.unroll) & set(nest.rounds)
    run_nest(nest, arrays(), target=narrow(width))
    if lanes == 1:
        schedule = Schedule("k", width // 4, (("k", 2), ("c", 2)), ("y",))
        run_nest(nest, arrays(), schedule=schedule, target=narrow(width))
    # The same sums as those of the nest without rounds.
    mine, its = arrays(), arrays()
    compile_nest(nest, target=narrow(width))(*(mine[role] for role in nest.buffers))
    compile_nest(plain, target=narrow(width))(*(its[role] for role in plain.buffers))
    np.testing.assert_allclose(mine["f"], its["f"], rtol=0, atol=3e-5)


def test_rounds_need_a_place_for_each_sum() -> None:
    nest = sums(4, 3, 5, 1)
    target = nest.stores[0].target
    for stores in (
        (Store(target, Accumulator() + target),),
        (Store(target, Accumulator()), Store(replace(target, offset=1), Accumulator())),
        (Store(replace(target, element="bf16"), Accumulator()),),
        (Store(target, Accumulator() * 2.0, streaming=True),),
    ):
        with pytest.raises(ValueError, match="a store for each sum"):
            replace(nest, stores=stores, rounds=("y",))
    with pytest.raises(ValueError, match=r"\('c',\) are not among the reduced axes"):
        replace(nest, rounds=("c",))


def panels(rows: int, depth: int, width: int, *, addend: bool, initial: str) -> Nest:
    """out[y, K, k] = max(sum over r and c of x[y, r, c] * f[K, r, c, k] + addend, 0), from a bias,
    from what is there, or from nothing.
    """
    out = tensor("out", y=2 * width, K=width, k=1)
    value: a.Expression = Accumulator()
    if addend:
        value = value + tensor("more", y=2 * width, K=width, k=1)
    weights = tensor("f", K=2 * depth * width, r=depth * width, c=width, k=1)
    begun = {"bias": (tensor("bias", K=width, k=1),), "stored": (out,), "nothing": ()}
    return Nest(
        (("K", 2), ("y", rows), ("k", width), ("r", 2), ("c", depth)),
        stores=(Store(out, maximum(value, 0.0)),),
        terms=(tensor("x", y=2 * depth, r=depth, c=1) * weights,),
        reduce=("r", "c"),
        reduction="sum",
        initial=begun[initial],
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("initial", ["bias", "stored", "nothing"])
@pytest.mark.parametrize("rounds", [{"c": 4}, {"c": 12}, {"c": 6, "r": 1}, {"r": 1}, {"r": 2}])
@pytest.mark.parametrize("before", ["K", "y"])
def test_only_the_last_round_stores_what_is_wanted(
    run_nest: Run, width: int, initial: str, rounds: dict[str, int], before: str
) -> None:
    rows, depth, filters = 5, 12, 19
    nest = panels(rows, depth, filters, addend=len(rounds) == 1, initial=initial)
    for axis, size in rounds.items():
        nest = in_rounds(nest, axis, size, before)
    arrays = {
        # What was there before is read in no first round but one that begins with it.
        "out": np.full(rows * 2 * filters + 70, 0.5 if initial == "stored" else np.nan, "f"),
        "x": numbers(rows, 2, depth),
        "f": numbers(2, 2, depth, filters, seed=1),
    }
    if initial == "bias":
        arrays["bias"] = numbers(2, filters, seed=2)
    if len(rounds) == 1:
        arrays["more"] = numbers(rows, 2, filters, seed=3)
    lanes = width // 4
    for tile in ((("y", 2),), (("k", -(-filters // lanes)), ("y", 3))):
        schedule = Schedule("k", lanes, tile)
        run_nest(nest, dict(arrays), schedule=schedule, target=narrow(width))


@pytest.mark.parametrize("extent", [*range(1, 16), 17, 24, 31, 33, 40, 63])
@pytest.mark.parametrize("rows", [1, 5])
def test_the_last_vector_is_masked(run_nest: Run, extent: int, rows: int) -> None:
    """Neither are numbers behind the end written, nor are any read there."""
    nest, target = product(rows, 3, extent), narrow(64)
    schedule = Schedule("k", 16, (("k", -(-extent // 16)), ("y", 2)))
    assert can_mask(nest, "k", 16)
    run_nest(nest, of_product(rows, 3, extent), schedule=schedule, target=target)
    code = emit(nest, schedule)
    assert "llvm.masked.store" in code
    assert f"<{extent % 16} x float>" not in code
    assert "masked" not in emit(nest, replace(schedule, tile=(("k", 5),)))


def test_what_reads_no_numbers_side_by_side_is_not_masked() -> None:
    nest = product(2, 3, 24)
    (store,), (term,) = nest.stores, nest.terms
    assert can_mask(nest, "k", 16)
    assert not can_mask(nest, "k", 8)
    assert not can_mask(nest, "y", 16)
    assert not can_mask(product(2, 3, 32), "k", 16)
    apart = tensor("x", y=3, c=1) * tensor("f", c=1, k=3)
    assert not can_mask(replace(nest, terms=(apart,)), "k", 16)
    assert not can_mask(replace(nest, stores=(replace(store, streaming=True),)), "k", 16)
    packed = replace(nest, stores=(replace(store, target=replace(store.target, element="i8")),))
    assert not can_mask(packed, "k", 16)
    assert not can_mask(replace(nest, counted=("k",)), "k", 16)
    assert term in nest.terms
