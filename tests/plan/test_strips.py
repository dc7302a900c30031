"""Winograd's algorithm along rows, with images in the lanes, against the textbook correlation.

What an error may be in float32 is derived in `test_winograd_passes`; here rows alone are
transformed, so that errors grow by one factor instead of by its square:

    k = max over i of sqrt(sum over p of A[p,i]² |B'[p]|² |G[p]|²) / sqrt(r)     forward
    k = max over i of sqrt(sum over p of B'[p,i]² |A[p]|² |G[p]|²) / sqrt(r)     dX
    k = max over j of sqrt(sum over p of G[p,j]² |B'[p]|² |A[p]|²) / sqrt(m)     dF

Measured, relative to the largest value, were up to 1.1 · u · k · sqrt(n/6 + 4) for sums of n
products; everything is held to 3 times that of k and n.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU
from striate.nest.target import host
from striate.network import Network
from striate.ops import conv
from striate.ops.shapes import Pads
from striate.ops.winograd import transforms
from striate.plan.analysis.operations import Operation, analyse
from striate.plan.lowering.convolution import row_strips, winograd_rows
from striate.plan.lowering.convolution.algorithm import PASSES
from striate.plan.lowering.convolution.row_strips import StripChoice, Strips
from striate.plan.runner import Runner

U = 2.0**-24
# Outputs of a strip, by taps.
SIZES = {3: (2, 3, 4, 5, 6), 5: (2, 3, 4)}


@dataclass(frozen=True)
class Case:
    """A convolution, its images, and the batch."""

    height: int
    width: int
    channels: int
    outputs: int
    pads: Pads
    n: int
    capacity: int
    taps: int = 3
    bias: bool = True
    relu: bool = False

    @property
    def rows_columns(self) -> tuple[int, int]:
        top, bottom, left, right = self.pads
        less = self.taps - 1
        return self.height + top + bottom - less, self.width + left + right - less


FIXED = [
    # No multiples of a strip; uneven padding; lanes with images to spare.
    Case(7, 9, 5, 4, (1, 0, 2, 1), 3, 3),
    Case(12, 8, 3, 7, (1, 1, 1, 1), 19, 21, relu=True),
    # Less than a strip; a single output; fewer rows than taps.
    Case(1, 2, 2, 8, (1, 1, 2, 0), 5, 5),
    Case(3, 3, 1, 2, (0, 0, 0, 0), 4, 9, bias=False),
    Case(2, 7, 3, 3, (2, 2, 0, 2), 2, 2),
    # 5 × 5 taps: LeNet-5's, and such whose padding hides rows and columns from some of them.
    Case(14, 14, 6, 16, (0, 0, 0, 0), 17, 17, taps=5, relu=True),
    Case(7, 4, 2, 3, (4, 0, 1, 3), 3, 3, taps=5, relu=True),
    Case(9, 12, 3, 4, (3, 4, 1, 4), 2, 2, taps=5),
    Case(1, 1, 2, 2, (4, 4, 4, 4), 2, 2, taps=5),
    # More blocks of images than shards, and a prime number: one shard is two blocks.
    Case(4, 3, 1, 2, (1, 0, 0, 1), 136, 136),
]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    taps = draw(st.sampled_from([3, 5]))
    pads = tuple(draw(st.integers(0, taps - 1)) for _ in range(4))
    height, width = (
        draw(st.integers(max(1, taps - sum(some)), 15)) for some in (pads[:2], pads[2:])
    )
    channels, outputs = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    n = draw(st.integers(1, 35))
    capacity = n + draw(st.sampled_from([0, 0, 1, 17]))
    bias, relu = draw(st.booleans()), draw(st.booleans())
    return Case(height, width, channels, outputs, pads, n, capacity, taps, bias, relu)


@contextmanager
def strips_of(m: int, passes: tuple[str, ...] = PASSES) -> Iterator[None]:
    """Strips of m outputs in some passes, whatever they cost."""

    def best(operation: Operation, *_: bool) -> StripChoice:
        matrices = transforms(m, operation.layer.size[0])
        return StripChoice(Strips(operation, matrices), frozenset(passes), 0.5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd_rows, "best", best)
        free = dict.fromkeys(passes, 0.0)
        patch.setattr(winograd_rows.WinogradRows, "costs", lambda *_: free)
        yield


def buffers(runner: Runner) -> set[str]:
    stages = runner.plan.recording.all_stages
    return {p.buffer.name for s in stages for step in s.all_steps for p in step.places.values()}


def numbers(case: Case, dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(case.height * 100 + case.width)
    shapes = {
        "x": (case.n, case.height, case.width, case.channels),
        "filters": (case.taps, case.taps, case.channels, case.outputs),
        "bias": (case.outputs,),
        "gradient": (case.n, *case.rows_columns, case.outputs),
    }
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def textbook(case: Case, numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """In float64, from the numbers as they are."""
    x, filters, bias, gradient = (array.astype(np.float64) for array in numbers.values())
    output = conv.conv2d(x, filters, case.pads) + (bias if case.bias else 0.0)
    if case.relu:
        gradient = np.where(output > 0, gradient, 0.0)
        output = np.maximum(output, 0)
    size = (case.height, case.width)
    return {
        "forward": output,
        "input_gradient": conv.conv2d_input_gradient(gradient, filters, size, case.pads),
        "filter_gradient": conv.conv2d_filter_gradient(
            x, gradient, (case.taps, case.taps), case.pads
        ),
    }


def compiled(
    case: Case,
    numbers: dict[str, np.ndarray],
    *,
    exact: bool = False,
    input_gradient: bool = True,
    threads: int = 2,
) -> tuple[Runner, dict[str, np.ndarray]]:
    """All passes with images in the lanes."""
    dtype = numbers["x"].dtype
    layers: list[Layer] = [Conv2D(case.outputs, case.taps, padding=case.pads, bias=case.bias)]
    network = Network([*layers, ReLU()] if case.relu else layers, numbers["x"].shape[1:])
    flat = np.zeros(network.flat.size, dtype)
    for slot in network.slots:
        flat[slot.start : slot.stop] = numbers[slot.parameter.name].ravel()
    runner = Runner(
        network,
        batch_size=case.capacity,
        threads=threads,
        training=True,
        loss="given",
        input_gradient=input_gradient,
        dtype=dtype,
        parameters=flat,
        statistics=network.state_flat.astype(dtype),
        lanes=host().lanes(dtype.itemsize),
        exact=exact,
    )
    weights, keys = np.ones(case.n, dtype), np.zeros(case.n, np.uint32)
    results = {"forward": runner.run(numbers["x"], numbers["gradient"], weights, keys)}
    if input_gradient:
        results["input_gradient"] = runner.input_gradient(case.n)
    slot = next(slot for slot in network.slots if slot.parameter.name == "filters")
    found = runner.plan.gradient[slot.start : slot.stop]
    results["filter_gradient"] = found.reshape(slot.parameter.shape).copy()
    return runner, results


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Relative to the largest value."""
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max()) / max(float(np.abs(expected).max()), 1e-300)


def check(case: Case, m: int, passes: tuple[str, ...] = PASSES, **options: bool) -> Runner:
    given_ = numbers(case, np.float64)
    with strips_of(m, passes):
        runner, actual = compiled(case, given_, **options)
    expected = textbook(case, given_)
    for name, array in actual.items():
        found = error(array, expected[name])
        assert found <= 1e-11, f"{name}: off by {found:.1e} of the largest value"
    return runner


@pytest.mark.parametrize(("case", "m"), [(c, m) for c in FIXED for m in SIZES[c.taps]], ids=str)
def test_passes_in_float64(case: Case, m: int) -> None:
    assert {"V", "M", "N 0", "W", "position gradient 0"} <= buffers(check(case, m))


@settings(max_examples=6, deadline=None)
@given(case=cases(), number=st.integers(0, 2))
def test_passes_of_any_shape_in_float64(case: Case, number: int) -> None:
    check(case, SIZES[case.taps][number % len(SIZES[case.taps])])


@pytest.mark.parametrize("case", [FIXED[0], FIXED[7]], ids=str)
@pytest.mark.parametrize(
    ("passes", "scratch"),
    [
        (("forward",), {"V", "M"}),
        (("input_gradient",), {"N 0", "W"}),
        (("filter_gradient",), {"V", "W", "position gradient 0"}),
        (("forward", "filter_gradient"), {"V", "M", "W", "position gradient 0"}),
    ],
)
def test_each_pass_alone(case: Case, passes: tuple[str, ...], scratch: set[str]) -> None:
    """Beside direct passes, which read other halos."""
    everything = {"V", "M", "N 0", "W", "position gradient 0"}
    assert buffers(check(case, 4, passes)) & everything == scratch


def test_the_first_layer_needs_no_input_gradient() -> None:
    names = buffers(check(FIXED[1], 4, input_gradient=False))
    assert "N 0" not in names
    assert {"V", "M", "W"} <= names


def test_sums_of_some_rows_at_a_time() -> None:
    """Two kinds of rows of 7 strips of 8 positions of 40 filters: some bands."""
    case = Case(12, 26, 2, 40, (0, 0, 1, 1), 3, 3, taps=3)
    runner = check(case, 6)
    sums = [b for b in runner.plan.memory.arrays if b.name == "M"]
    assert len(sums) == case.rows_columns[0]


@pytest.mark.parametrize(("outputs", "runs"), [(6, [2, 2, 2]), (7, [2, 2, 2, 1]), (1, [1])])
def test_gradients_of_some_filters_at_a_time(outputs: int, runs: list[int]) -> None:
    """W of 28 rows of 7 strips of 8 positions: 1,568 vectors a filter, of which 4,096 are near."""
    case = Case(28, 27, 2, outputs, (2, 2, 3, 2), 3, 3, taps=5)
    runner = check(case, 4, ("filter_gradient",))
    spread = [b for b in runner.plan.memory.arrays if b.name == "W"]
    assert len(spread) == len(runs)
    largest = max(runner.plan.memory.arrays[buffer].size for buffer in spread)
    assert largest < 4096 * host().lanes(8) * max(runner.settings.blocks, 1) * 1.1
    # Where the gradient of the inputs needs all of W, it is there once.
    everything = check(case, 4)
    assert [b.name for b in everything.plan.memory.arrays].count("W") == 1


def growth(m: int, r: int, name: str) -> float:
    """k of the docstring."""
    t = transforms(m, r)
    b, g, a = (np.array(matrix, float) for matrix in (t.inputs, t.filters, t.outputs))
    last, others = {
        "forward": (a, (b, g)),
        "input_gradient": (b, (a, g)),
        "filter_gradient": (g, (b, a)),
    }[name]
    rows = np.prod([(matrix**2).sum(axis=1) for matrix in others], axis=0)
    count = m if name == "filter_gradient" else r
    return float(np.sqrt((last**2 * rows[:, None]).sum(axis=0).max() / count))


def bound(case: Case, m: int, name: str) -> float:
    """The largest error in float32, relative to the largest value."""
    columns = -(-case.rows_columns[1] // m)
    terms = {
        "forward": case.taps * case.channels,
        "input_gradient": case.taps * case.outputs,
        "filter_gradient": case.n * case.rows_columns[0] * columns,
    }[name]
    return 3 * U * growth(m, case.taps, name) * (terms / 6 + 4) ** 0.5


@pytest.mark.parametrize("case", [FIXED[0], FIXED[1], FIXED[5], FIXED[7]], ids=str)
def test_errors_in_float32(case: Case) -> None:
    given_ = numbers(case, np.float32)
    expected = textbook(case, given_)
    for m in SIZES[case.taps]:
        with strips_of(m):
            _, actual = compiled(case, given_)
        for name in PASSES:
            found, limit = error(actual[name], expected[name]), bound(case, m, name)
            assert found <= limit, f"{name}, m = {m}: {found:.1e} is more than {limit:.1e}"


def test_what_strips_cost_in_accuracy() -> None:
    """The bounds as numbers, so that another set of points is noticed."""
    found = [growth(m, r, "forward") for m, r in ((2, 3), (4, 3), (6, 3), (2, 5), (4, 5))]
    np.testing.assert_allclose(found, [1.291, 5.608, 6.801, 4.445, 5.455], atol=0.001)
    assert all(growth(m, r, name) < 7 for r, some in SIZES.items() for m in some for name in PASSES)


# --- which passes ------------------------------------------------------------------------------


def lenet5() -> Network:
    return Network(
        [
            *(Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2)),
            *(Conv2D(16, 5), ReLU(), MaxPool2D(2)),
            *(Flatten(), Dense(10)),
        ],
        (28, 28, 1),
    )


def test_strips_are_chosen_by_cost() -> None:
    first, second = (o for o in analyse(lenet5(), True).operations if isinstance(o.layer, Conv2D))
    # Sums of 5 products are too short to be kept for a transform; those over an image are not.
    chosen = row_strips.best(first, True)
    assert chosen is not None
    assert chosen.passes == {"filter_gradient"}
    chosen = row_strips.best(second, True)
    assert chosen is not None
    assert (chosen.strips.m, chosen.passes) == (4, set(PASSES))
    assert chosen.share < 0.5
    inference = row_strips.best(second, False)
    assert inference is not None
    assert inference.passes == {"forward"}
    # Strips of 4 would be half empty.
    (small,) = analyse(Network([Conv2D(16, 5)], (20, 6, 6)), True).operations
    chosen = row_strips.best(small, True)
    assert chosen is not None
    assert chosen.strips.m == 2


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (Conv2D(8, 7, padding=2), 8),
        (Conv2D(8, (3, 5)), 8),
        (Conv2D(8, 3, stride=2, uncovered="drop"), 8),
        (Conv2D(8, 3, dilation=2), 8),
        (Conv2D(8, 3, groups=2), 8),
        (Conv2D(8, 3, padding=3), 8),
        # Rows that leave the cache, filters that do, and sums that are too short.
        (Conv2D(48, 3, padding=1), 96),
        (Conv2D(6, 3), 1),
    ],
)
def test_where_strips_do_not_pay(layer: Conv2D, channels: int) -> None:
    (operation,) = analyse(Network([layer], (16, 16, channels)), True).operations
    assert row_strips.best(operation, True) is None


@pytest.mark.parametrize("pads", [0, 1, (2, 0, 1, 0), (0, 2, 0, 1)])
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("height", [5, 6, 9])
def test_the_rows_that_are_counted_are_those_that_are_run(
    pads: Any, taps: int, height: int
) -> None:
    network = Network([Conv2D(2, taps, padding=pads)], (height, 7, 3))
    (operation,) = analyse(network, False).operations
    found = Strips(operation, transforms(2, taps))
    assert found._reached == sum(run.count * run.taps for run in found.runs())


def test_filters_that_leave_the_cache_are_left_alone() -> None:
    (operation,) = analyse(Network([Conv2D(128, 3)], (4, 4, 128)), True).operations
    assert row_strips.best(operation, True) is None


def run(exact: bool, threads: int) -> tuple[set[str], bytes]:
    network = lenet5()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((41, 28, 28, 1)).astype("f")
    targets = np.eye(10, dtype="f")[rng.integers(0, 10, 41)]
    runner = Runner(
        network,
        batch_size=50,
        threads=threads,
        training=True,
        loss="softmax_cross_entropy",
        lanes=16,
        exact=exact,
    )
    outputs = runner.run(images, targets, np.full(41, 1 / 41, "f"), np.zeros(41, np.uint32))
    return buffers(runner), outputs.tobytes() + runner.plan.gradient.tobytes()


def test_exact_turns_them_off_and_threads_change_nothing() -> None:
    names, bits = run(False, 1)
    assert {"V", "M", "W"} <= names
    assert {run(False, threads)[1] for threads in (2, 3, 5)} == {bits}
    names, other = run(True, 2)
    assert not {"V", "M", "W"} & names
    assert other != bits
