"""What the cost model chooses: within the registers, soon, and near rather than far."""

from __future__ import annotations

import math
import time

import pytest

from striate.nest.algebra import Accumulator, Index, Nest, Store, Tensor, strides_of
from striate.nest.schedule import choose, writes_out
from striate.nest.target import Target, host


def tensor(role: str, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides))


def forward(height: int, width: int, depth: int, filters: int, size: int, lanes: int) -> Nest:
    """out[y, x, k, v] += x[y + r, x + s, c, v] * f[r, s, c, k]"""
    row, column = (width + size - 1) * depth * lanes, depth * lanes
    return Nest(
        (("y", height), ("x", width), ("k", filters), ("v", lanes),
         ("r", size), ("s", size), ("c", depth)),
        (Store(tensor("out", y=width * filters * lanes, x=filters * lanes, k=lanes,
                      v=int(lanes > 1)), Accumulator()),),
        (tensor("x", y=row, r=row, x=column, s=column, c=lanes, v=int(lanes > 1))
         * tensor("f", r=size * depth * filters, s=depth * filters, c=filters, k=1),),
        ("r", "s", "c"),
        "sum",
    )  # fmt: skip


def filter_gradient(
    height: int, width: int, depth: int, filters: int, size: int, lanes: int
) -> Nest:
    """f[r, s, c, k] += x[y + r, x + s, c, v] * out[y, x, k, v]"""
    row, column = (width + size - 1) * depth * lanes, depth * lanes
    target = tensor("f", r=size * depth * filters, s=depth * filters, c=filters, k=1)
    return Nest(
        (("c", depth), ("r", size), ("s", size), ("k", filters),
         ("y", height), ("x", width), ("v", lanes)),
        (Store(target, Accumulator()),),
        (tensor("x", y=row, r=row, x=column, s=column, c=lanes, v=int(lanes > 1))
         * tensor("out", y=width * filters * lanes, x=filters * lanes, k=lanes,
                  v=int(lanes > 1)),),
        ("y", "x", "v"),
        "sum",
        (target,),
    )  # fmt: skip


SIZES = [
    (56, 56, 64, 64, 3),
    (7, 7, 512, 512, 3),
    (14, 14, 1024, 256, 1),
    (112, 112, 3, 64, 7),
    (28, 28, 16, 32, 5),
    (13, 11, 24, 37, 5),
]
CONVOLUTIONS = [
    pytest.param(make(*size, lanes), id=f"{make.__name__}-{size}-{lanes}")
    for make in (forward, filter_gradient)
    for size in SIZES
    for lanes in (1, 16)
]


def targets() -> list[Target]:
    """Of both kinds: with 24 accumulators and with 12."""
    machine = host()
    return [machine.narrowed(width, registers) for width in (64, 32, 16) for registers in (16, 32)]


def registers_of_a_tile(nest: Nest, target: Target) -> int:
    each = max(len(nest.terms), 1) * (2 if nest.reduction == "argmax" else 1)
    return each * math.prod(size for _, size in choose(nest, target).tile)


@pytest.mark.parametrize("nest", CONVOLUTIONS)
def test_a_tile_fits_the_registers_and_fills_them(nest: Nest) -> None:
    for target in targets():
        used = registers_of_a_tile(nest, target)
        assert target.accumulators / 2 < used <= target.accumulators


@pytest.mark.parametrize("terms", [1, 2, 3, 5, 13, 30])
def test_several_sums_share_the_registers(terms: int) -> None:
    roles = [f"x{i}" for i in range(terms)]
    nest = Nest(
        (("y", 60), ("v", 64), ("c", 9)),
        tuple(Store(tensor(f"o{r}", y=64, v=1), Accumulator(i)) for i, r in enumerate(roles)),
        tuple(tensor(role, y=9 * 64, c=64, v=1) for role in roles),
        ("c",),
        "sum",
    )
    for target in targets():
        assert registers_of_a_tile(nest, target) <= max(target.accumulators, terms)


def test_a_maximum_and_its_place_take_two_registers() -> None:
    nest = Nest(
        (("y", 60), ("v", 64), ("r", 9)),
        (Store(tensor("out", y=64, v=1), Accumulator(1)),),
        (tensor("x", y=9 * 64, r=64, v=1),),
        ("r",),
        "argmax",
        order=Index(strides_of({"r": 1})),
    )
    for target in targets():
        assert 2 < registers_of_a_tile(nest, target) <= target.accumulators


@pytest.mark.parametrize("nest", CONVOLUTIONS)
def test_choosing_takes_no_time(nest: Nest) -> None:
    """Milliseconds, for compiling takes tens of them.  The time of this process: others may run."""

    def seconds() -> float:
        start = time.process_time()
        choose(nest, host())
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 0.05


@pytest.mark.parametrize("first", ["near", "far"])
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_near_numbers_are_read_together_rather_than_far_ones(first: str, lanes: int) -> None:
    """Two axes that differ in nothing but in how far apart their numbers lie."""
    strides = {"near": lanes, "far": 8192}
    axes = (first, "far" if first == "near" else "near")
    nest = Nest(
        (*((axis, 24) for axis in axes), ("v", lanes), ("c", 8)),
        (Store(tensor("out", **strides, v=1), Accumulator()),),
        (tensor("x", **strides, c=24 * lanes, v=1) * tensor("f", c=1),),
        ("c",),
        "sum",
    )
    for registers in (16, 32):
        schedule = choose(nest, host().narrowed(4 * lanes, registers))
        assert schedule.lane == "v"
        sizes = dict(schedule.tile)
        assert sizes.get("near", 1) > sizes.get("far", 1)


@pytest.mark.parametrize("width", [48, 64])
@pytest.mark.parametrize("size", [1, 3])
def test_a_tile_lies_along_a_panel(width: int, size: int) -> None:
    """Weights laid out in panels: several vectors of one, rather than of several."""
    depth, panels, columns = 64, 8, 14
    panel = size * size * depth * width
    row = (columns + size - 1) * depth
    out = tensor("out", y=columns * panels * width, x=panels * width, K=width, k=1)
    nest = Nest(
        (("K", panels), ("y", 14), ("x", columns), ("k", width), ("r", size), ("s", size),
         ("c", depth)),
        (Store(out, Accumulator()),),
        (tensor("x", y=row, r=row, x=depth, s=depth, c=1)
         * tensor("f", K=panel, r=size * depth * width, s=depth * width, c=width, k=1),),
        ("r", "s", "c"),
        "sum",
    )  # fmt: skip
    for target in targets():
        schedule = choose(nest, target)
        sizes = dict(schedule.tile)
        assert schedule.lane == "k"
        assert sizes.get("k", 1) > sizes.get("K", 1)


@pytest.mark.parametrize("sizes", SIZES)
def test_room_for_all_that_is_read_where_it_takes_registers(sizes: tuple[int, ...]) -> None:
    """As behind WebAssembly, where one turn of the innermost loop is one point of the sum."""
    target = Target("wasm32", "mvp", "", 16, 15, fused=False, portable=True, writes_out=False)
    nest = forward(*sizes, lanes=1)
    schedule = choose(nest, target)
    tile = dict(schedule.tile)
    registers = math.prod(tile.values())
    for read in nest.read:
        registers += math.prod(size for axis, size in tile.items() if read.stride(axis))
    assert 8 <= registers <= 15


def test_what_is_used_at_once_is_written_out_everywhere() -> None:
    target = Target("wasm32", "mvp", "", 16, 15, fused=False, portable=True, writes_out=False)
    read = tensor("x", y=120, r=60, x=12, s=6, c=1)
    out = Store(tensor("out", y=30, x=6, c=1), Accumulator())
    axes = (("y", 4), ("x", 5), ("c", 6), ("r", 2), ("s", 2))
    pooling = Nest(axes, (out,), (read,), ("r", "s"), "max")
    assert writes_out(pooling, target)
    assert not writes_out(forward(5, 6, 7, 8, 3, 1), target)
    assert writes_out(forward(5, 6, 7, 8, 3, 1), host())
