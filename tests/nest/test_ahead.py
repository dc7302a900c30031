"""What an inner loop asks for before it reads it, and that nothing else changes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.nest.kernel_module import emit
from striate.nest.schedule import Schedule
from striate.nest.software_prefetch import Fetch, fetched

Run = Callable[..., None]


def tensor(role: str, **strides: int) -> Tensor:
    return Tensor(role, strides_of(strides))


def sums_over_pixels(pixels: int, apart: int, channels: int = 6, filters: int = 64) -> Nest:
    """dF[c, k] += sum over p of x[p, c] * g[p, k], where pixels are `apart`."""
    target = tensor("f", c=filters, k=1)
    return Nest(
        (("c", channels), ("k", filters), ("p", pixels)),
        (Store(target, Accumulator()),),
        (tensor("x", p=apart, c=1) * tensor("g", p=apart, k=1),),
        ("p",),
        "sum",
        (target,),
    )


def product(rows: int, depth: int, filters: int = 32, apart: int = 1) -> Nest:
    """out[t, k] = sum over c of x[apart * t, c] * f[c, k]."""
    return Nest(
        (("t", rows), ("k", filters), ("c", depth)),
        (Store(tensor("out", t=filters, k=1), Accumulator()),),
        (tensor("x", t=apart * depth, c=1) * tensor("f", c=filters, k=1),),
        ("c",),
        "sum",
    )


PIXELS = Schedule("k", 16, (("c", 6), ("k", 4)))
ROWS = Schedule("k", 16, (("t", 3), ("k", 2)))


def requests(nest: Nest, schedule: Schedule) -> int:
    """Requests in the code, for each place where a loop is written out."""
    text = emit(nest, schedule)
    return len(re.findall(r"call void @llvm.prefetch", text))


def test_far_pixels_are_asked_for_some_turns_before() -> None:
    # 24 vector operations a turn: 200 of them are 9 turns.  Six channels lie in one line of x, and
    # 64 filters in four of g.
    body = [{"c": c, "k": 16 * k} for c in range(6) for k in range(4)]
    found = list(fetched(sums_over_pixels(196, 512), PIXELS, "p", body, "f32"))
    assert found == [
        Fetch(tensor("x", p=512, c=1), {"c": 0, "k": 0, "p": 9}),
        *(Fetch(tensor("g", p=512, k=1), {"c": 0, "k": k, "p": 9}) for k in (0, 16, 32, 48)),
    ]
    assert requests(sums_over_pixels(196, 512), PIXELS) == 5


@pytest.mark.parametrize(("pixels", "apart"), [(196, 64), (12, 512)])
def test_near_pixels_and_short_sums_are_not(pixels: int, apart: int) -> None:
    assert requests(sums_over_pixels(pixels, apart), PIXELS) == 0


def test_lines_that_the_turn_before_reads_are_not_asked_for_again() -> None:
    # A window of three pixels: of the three rows of x only the last one's is new.
    nest = Nest(
        (("s", 3), ("k", 512), ("p", 196)),
        (Store(tensor("f", s=512, k=1), Accumulator()),),
        (tensor("x", p=512, s=512, k=1) * tensor("g", p=512, k=1),),
        ("p",),
        "sum",
    )
    body = [{"s": s, "k": 0} for s in range(3)]
    asked = fetched(nest, PIXELS, "p", body, "f32")
    found = [(fetch.tensor.buffer, fetch.point["s"]) for fetch in asked]
    assert found == [("x", 2), ("g", 0)]


def test_the_next_tile_s_rows_are_asked_for() -> None:
    nest = product(8, 64)
    body = [{"t": t, "k": k} for t in range(3) for k in (0, 16)]
    # Three rows in 64 turns: three numbers in each, of the stretch of memory that they are.
    found = list(fetched(nest, ROWS, "c", body, "f32"))
    assert found == [Fetch(Tensor("x", strides_of({"t": 64, "c": 3}), 192), {})]
    # 8 rows are two tiles of 3 and one of 2.
    assert requests(nest, ROWS) == 1 + 1
    assert requests(product(8, 16), ROWS) == 0


def test_the_next_tile_s_rows_are_asked_for_in_each_turn_where_they_lie_apart() -> None:
    nest = product(8, 64, apart=2)
    body = [{"t": t, "k": k} for t in range(3) for k in (0, 16)]
    found = list(fetched(nest, ROWS, "c", body, "f32"))
    assert found == [Fetch(tensor("x", t=128, c=1), {"t": t}) for t in (3, 4, 5)]
    assert requests(nest, ROWS) == 3 + 2


def panels(pixels: int, depth: int, count: int = 3, width: int = 64) -> Nest:
    """out[x, K, k] = sum over c of x[x, c] * f[K, c, k]: panels of 64 filters."""
    weights = tensor("f", K=depth * width, c=width, k=1)
    return Nest(
        (("K", count), ("x", pixels), ("k", width), ("c", depth)),
        (Store(tensor("out", x=count * width, K=width, k=1), Accumulator()),),
        (tensor("x", x=depth, c=1) * weights,),
        ("c",),
        "sum",
    )


def lines_asked_for(nest: Nest, schedule: Schedule) -> list[int]:
    """The lines of f that a panel's tiles and turns ask for, in order, for the first panel."""
    (size,) = (size for axis, size in schedule.tile if axis == "x")
    asked = []
    for x in range(0, nest.extent("x"), size):
        for c in range(nest.extent("c")):
            for fetch in fetched(nest, schedule, "c", [{}], "f32"):
                if not fetch.near:
                    form = dict(fetch.tensor.strides)
                    asked.append((fetch.tensor.offset + form.get("x", 0) * x + form["c"] * c) // 16)
    return asked


@pytest.mark.parametrize("pixels", [12, 18, 49, 196])
@pytest.mark.parametrize("depth", [64, 100, 256])
def test_all_tiles_together_ask_for_the_next_panel(pixels: int, depth: int) -> None:
    """Nearly every line of it once, and hardly any of the one behind it."""
    schedule = Schedule("k", 16, (("k", 4), ("x", 6)))
    asked = lines_asked_for(panels(pixels, depth), schedule)
    panel = range(4 * depth, 8 * depth)
    assert min(asked) == panel.start
    assert len(set(asked) & {*panel}) > 0.9 * len(panel)
    assert len(set(asked) - {*panel}) < 0.1 * len(panel) + 4


def test_panels_that_are_near_or_too_large_are_not_asked_for() -> None:
    schedule = Schedule("k", 16, (("k", 4), ("x", 6)))
    assert lines_asked_for(panels(49, 32), schedule) == []  # 8 KiB
    assert lines_asked_for(panels(49, 2000), schedule) == []  # 500 KiB
    assert lines_asked_for(panels(6, 256), schedule) == []  # one tile reads it, and once
    assert lines_asked_for(panels(49, 256, count=1), schedule) == []  # there is no other


@pytest.mark.parametrize("apart", [64, 512, 1024])
def test_sums_over_pixels_are_right(run_nest: Run, apart: int) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.standard_normal((40, apart), np.float32),
        "g": rng.standard_normal((40, apart), np.float32),
        "f": rng.standard_normal((6, 64), np.float32),
    }
    run_nest(sums_over_pixels(40, apart), arrays, schedule=PIXELS)


@pytest.mark.parametrize(("pixels", "depth"), [(13, 64), (19, 36)])
def test_panels_are_right(run_nest: Run, pixels: int, depth: int) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.standard_normal((pixels, depth), np.float32),
        "f": rng.standard_normal((3, depth, 64), np.float32),
        "out": np.zeros((pixels, 192), np.float32),
    }
    run_nest(panels(pixels, depth), arrays, schedule=Schedule("k", 16, (("k", 4), ("x", 6))))


def test_products_are_right(run_nest: Run) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.standard_normal((8, 80), np.float32),
        "f": rng.standard_normal((80, 32), np.float32),
        "out": np.zeros((8, 32), np.float32),
    }
    run_nest(product(8, 80), arrays, schedule=ROWS)
