"""Winograd's three passes, compiled, against the textbook correlation in float64.

What an error may be in float32.  Let numbers be independent, u = 2⁻²⁴.  A sum of n products, one
after the other, has the relative error u·sqrt(n/6) (each of its n partial sums is rounded; they
grow like sqrt(j)), to which the few roundings of the transforms come.  The inverse transform lets
errors of large positions meet in a result that is small: relative to the textbook result they
grow by

    k = (max over i of sqrt(sum over p of A[p,i]² |B'[p]|² |G[p]|²))² / r     forward, dX
    k = (max over i of sqrt(sum over p of B'[p,i]² |A[p]|² |G[p]|²))² / r     dX from tiles of dO
    k = (max over j of sqrt(sum over p of G[p,j]² |B'[p]|² |A[p]|²))² / m     dF

since a number of dF is the sum of m² products of every tile.  Measured, relative to the largest
value, were up to 1.1 · u · k · sqrt(n/6 + 4), and 1.8 for the textbook sums (k = 1): everything is
held to 3 times that, see `bound`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU
from striate.nest.target import host
from striate.network import Network
from striate.ops import conv
from striate.ops.shapes import Pads
from striate.ops.winograd import transforms
from striate.plan.analysis.operations import analyse
from striate.plan.lowering import shard_gradients
from striate.plan.lowering.convolution import winograd, winograd_input_gradient
from striate.plan.runner import Runner

U = 2.0**-24
PASSES = ("output", "dx", "filters")


@dataclass(frozen=True)
class Case:
    """A convolution of 3×3, its images, and the batch."""

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
    huge: bool = False

    @property
    def layers(self) -> list[Layer]:
        convolution = Conv2D(self.outputs, self.taps, padding=self.pads, bias=self.bias)
        return [convolution, ReLU()] if self.relu else [convolution]

    @property
    def rows_columns(self) -> tuple[int, int]:
        top, bottom, left, right = self.pads
        less = self.taps - 1
        return self.height + top + bottom - less, self.width + left + right - less

    def tiles(self, m: int) -> int:
        rows, columns = self.rows_columns
        return self.n * -(-rows // m) * -(-columns // m)


CHANNELS = [7, 8, 9, 15, 16, 17, 23, 31, 33, 48, 64, 70]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    taps = draw(st.sampled_from([3, 3, 5]))
    pads = tuple(draw(st.integers(0, taps - 1)) for _ in range(4))
    height, width = (
        draw(st.integers(max(1, taps - sum(some)), 13)) for some in (pads[:2], pads[2:])
    )
    n = draw(st.integers(1, 20))
    return Case(
        height,
        width,
        draw(st.sampled_from(CHANNELS)),
        draw(st.sampled_from(CHANNELS)),
        pads,
        n,
        n + draw(st.sampled_from([0, 0, 1, 5])),
        taps,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@contextmanager
def tiles_of(m: int, case: Case, scattered: bool = False) -> Iterator[None]:
    """Tiles of m × m whatever they cost, with dX from those of inputs or of outputs; of a huge
    case, filters as if they were many."""
    with pytest.MonkeyPatch.context() as patch:
        tiling = winograd.Tiling(transforms(m, case.taps), 0.0)
        patch.setattr(winograd, "tiling", lambda *_: tiling)
        patch.setattr(winograd_input_gradient, "pays", lambda *_: scattered)
        if case.huge:
            patch.setattr(
                shard_gradients,
                "_is_huge",
                lambda network, node, slot: slot.parameter.name == "filters",
            )
        yield


def buffers(runner: Runner) -> set[str]:
    stages = runner.plan.recording.all_stages
    return {p.buffer.name for s in stages for step in s.all_steps for p in step.places.values()}


SCRATCH = {"V", "M", "W"}
# Tiles by taps.
SIZES = {3: (2, 3, 4, 5), 5: (2, 3)}


def numbers(case: Case, dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(case.height * 100 + case.width)
    shapes = {
        "x": (case.n, case.height, case.width, case.channels),
        "filters": (case.taps, case.taps, case.channels, case.outputs),
        "bias": (case.outputs,),
        "gradient": (case.n, *case.rows_columns, case.outputs),
    }
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def textbook(case: Case, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """In float64, from the numbers as they are."""
    x, filters, bias, gradient = (
        given[name].astype(np.float64) for name in ("x", "filters", "bias", "gradient")
    )
    output = conv.conv2d(x, filters, case.pads) + (bias if case.bias else 0.0)
    if case.relu:
        gradient = np.where(output > 0, gradient, 0.0)
        output = np.maximum(output, 0)
    size = (case.height, case.width)
    return {
        "output": output,
        "dx": conv.conv2d_input_gradient(gradient, filters, size, case.pads),
        "filters": conv.conv2d_filter_gradient(x, gradient, (case.taps, case.taps), case.pads),
        "bias": gradient.sum((0, 1, 2)),
    }


def compiled(
    case: Case,
    given: dict[str, np.ndarray],
    *,
    exact: bool = False,
    threads: int = 2,
    input_gradient: bool = True,
) -> tuple[Runner, dict[str, np.ndarray]]:
    """All passes with channels in the lanes."""
    dtype = given["x"].dtype
    network = Network(case.layers, given["x"].shape[1:])
    flat = np.zeros(network.flat.size, dtype)
    for slot in network.slots:
        flat[slot.start : slot.stop] = given[slot.parameter.name].ravel()
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
        lanes=1,
        exact=exact,
    )
    assert exact == (not buffers(runner) >= SCRATCH)
    weights, keys = np.ones(case.n, dtype), np.zeros(case.n, np.uint32)
    results = {"output": runner.run(given["x"], given["gradient"], weights, keys)}
    if input_gradient:
        results["dx"] = runner.input_gradient(case.n)
    for slot in network.slots:
        found = runner.plan.gradient[slot.start : slot.stop]
        results[slot.parameter.name] = found.reshape(slot.parameter.shape).copy()
    return runner, results


def errors(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> dict[str, float]:
    """Of each pass, relative to its largest value."""
    found = {}
    for name, array in actual.items():
        assert array.shape == expected[name].shape
        scale = max(float(np.abs(expected[name]).max()), 1e-300)
        found[name] = float(np.abs(array - expected[name]).max()) / scale
    return found


def growth(m: int, r: int, name: str) -> float:
    """k of the docstring."""
    t = transforms(m, r)
    b, g, a = (np.array(matrix, float) for matrix in (t.inputs, t.filters, t.outputs))
    rows = {key: (matrix**2).sum(axis=1) for key, matrix in (("b", b), ("g", g), ("a", a))}
    if name == "filters":
        return float((g**2 * (rows["b"] * rows["a"])[:, None]).sum(axis=0).max()) / m
    if name == "scattered dx":
        return float((b**2 * (rows["a"] * rows["g"])[:, None]).sum(axis=0).max()) / r
    return float((a**2 * (rows["b"] * rows["g"])[:, None]).sum(axis=0).max()) / r


def bound(case: Case, m: int, name: str) -> float:
    """The largest error in float32, relative to the largest value; m = 1 for the textbook sums."""
    dx = {"dx": case.outputs, "scattered dx": case.outputs}
    terms = {"output": case.channels, **dx, "filters": case.tiles(m)}[name]
    if m == 1 and name != "filters":
        terms *= case.taps**2
    return 3 * U * (growth(m, case.taps, name) if m > 1 else 1.0) * (terms / 6 + 4) ** 0.5


FIXED = [
    # Heights and widths that differ, no multiples of a tile; uneven padding; vectors with tails.
    Case(7, 9, 9, 17, (1, 0, 2, 1), 3, 3),
    Case(12, 8, 31, 33, (1, 1, 1, 1), 2, 2, relu=True),
    # Less than a tile, and a single output.
    Case(1, 2, 16, 8, (1, 1, 2, 0), 5, 5),
    Case(3, 3, 7, 15, (0, 0, 0, 0), 4, 9, bias=False),
    # Several panels of filters; more channels of one side.
    Case(5, 6, 96, 8, (2, 0, 0, 2), 2, 2),
    Case(6, 5, 7, 96, (0, 2, 2, 0), 2, 2, relu=True),
    # 5 × 5 taps.
    Case(7, 4, 17, 9, (4, 0, 1, 3), 3, 3, taps=5, relu=True),
    Case(5, 6, 8, 33, (0, 0, 2, 2), 2, 2, taps=5, huge=True),
]


def check(case: Case, m: int, scattered: bool = False) -> None:
    given_ = numbers(case, np.float64)
    with tiles_of(m, case, scattered):
        runner, actual = compiled(case, given_)
    assert any(name.startswith("position gradient") for name in buffers(runner))
    assert ("N 0" in buffers(runner)) == scattered
    expected = textbook(case, given_)
    for name, error in errors(actual, expected).items():
        assert error <= 1e-11, f"{name}: off by {error:.1e} of the largest value"


@pytest.mark.parametrize(("case", "m"), [(c, m) for c in FIXED for m in SIZES[c.taps]], ids=str)
@pytest.mark.parametrize("scattered", [False, True])
def test_passes_in_float64(case: Case, m: int, scattered: bool) -> None:
    check(case, m, scattered)


@settings(max_examples=6, deadline=None)
@given(case=cases(), m=st.sampled_from(SIZES[3]), scattered=st.booleans())
def test_passes_of_any_shape_in_float64(case: Case, m: int, scattered: bool) -> None:
    check(case, min(m, max(SIZES[case.taps])), scattered)


def test_many_filters_are_summed_at_once_in_float64() -> None:
    """Large enough for one gradient of the whole batch, and for filters laid out late."""
    case = Case(9, 8, 128, 128, (1, 1, 1, 0), 3, 3)
    assert 9 * case.channels * case.outputs > shard_gradients._HUGE
    given_ = numbers(case, np.float64)
    runner, actual = compiled(case, given_)
    assert "position gradient" in buffers(runner)
    assert max(errors(actual, textbook(case, given_)).values()) <= 1e-11


def test_both_ways_to_sum_the_gradient_are_taken() -> None:
    given_ = numbers(FIXED[0], np.float64)
    found = []
    for huge in (False, True):
        case = replace(FIXED[0], huge=huge)
        with tiles_of(4, case):
            runner, results = compiled(case, given_)
        found.append(results["filters"])
        stages = runner.plan.recording.all_stages
        # Shard by shard there are steps at the ends of shards; at once there are none.
        assert any(stage.ends for stage in stages) != huge
    np.testing.assert_allclose(*found, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("m", [2, 4])
def test_the_first_layer_needs_no_input_gradient(m: int) -> None:
    case = FIXED[1]
    given_ = numbers(case, np.float64)
    with tiles_of(m, case):
        runner, actual = compiled(case, given_, input_gradient=False)
    expected = textbook(case, given_)
    assert sorted(actual) == ["bias", "filters", "output"]
    assert max(errors(actual, expected).values()) <= 1e-11
    assert not any("turned" in name for name in buffers(runner))


# --- float32 -----------------------------------------------------------------------------------


def check_errors(case: Case, m: int) -> None:
    given_ = numbers(case, np.float32)
    expected = textbook(case, given_)
    with tiles_of(m, case):
        _, actual = compiled(case, given_)
    _, direct = compiled(case, given_, exact=True)
    for name in PASSES:
        for tiles, results in ((m, actual), (1, direct)):
            error = errors({name: results[name]}, expected)[name]
            limit = bound(case, tiles, name)
            assert error <= limit, f"{name}, m = {tiles}: {error:.1e} is more than {limit:.1e}"


@pytest.mark.parametrize(
    ("case", "m"),
    [
        *((FIXED[0], 2), (FIXED[0], 4), (FIXED[1], 5), (FIXED[3], 2)),
        *((FIXED[4], 3), (FIXED[4], 4), (FIXED[4], 5), (FIXED[7], 2), (FIXED[7], 3)),
    ],
)
def test_errors_in_float32(case: Case, m: int) -> None:
    check_errors(case, m)


@pytest.mark.parametrize(
    ("case", "m"), [(FIXED[0], 2), (FIXED[3], 4), (FIXED[4], 5), (FIXED[7], 2)]
)
def test_errors_of_the_input_gradient_from_tiles_of_outputs(case: Case, m: int) -> None:
    given_ = numbers(case, np.float32)
    with tiles_of(m, case, scattered=True):
        _, actual = compiled(case, given_)
    error = errors({"dx": actual["dx"]}, textbook(case, given_))["dx"]
    assert error <= bound(case, m, "scattered dx")
    # Than from tiles of inputs they are smaller.
    assert bound(case, m, "scattered dx") < bound(case, m, "dx")


@settings(max_examples=3, deadline=None)
@given(case=cases(), m=st.sampled_from(SIZES[3]))
def test_errors_of_any_shape_in_float32(case: Case, m: int) -> None:
    # Rectified numbers near zero may fall on the other side: that is no error of the sums.
    check_errors(replace(case, relu=False), min(m, max(SIZES[case.taps])))


def test_what_the_tiles_cost_in_accuracy() -> None:
    """The bounds as numbers, so that another set of points is noticed."""
    sizes = [(2, 3), (4, 3), (2, 5)]
    found = [growth(m, r, name) for m, r in sizes for name in ("output", "filters")]
    expected = [5 / 3, 2, 283 / 9, 871 / 36, 3557 / 180, 406 / 9]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    case = Case(14, 14, 64, 64, (1, 1, 1, 1), 8, 8)
    assert bound(case, 4, "output") < 3e-6 * case.channels**0.5


# --- which algorithm ---------------------------------------------------------------------------


def chosen(layer: Conv2D, shape: tuple[int, int, int], images: int = 64) -> int | None:
    (operation,) = analyse(Network([layer], shape), True).operations
    found = winograd.tiling(operation, 16, images)
    return found.transforms.outputs_count if found else None


def test_tiles_are_chosen_by_cost() -> None:
    assert chosen(Conv2D(64, 3, padding=1), (56, 56, 64)) == 4
    assert chosen(Conv2D(64, 5, padding=2), (56, 56, 64)) == 3
    # 2 × 2, 6 × 6 and 10 × 10 outputs waste much of tiles of 4 × 4.
    assert chosen(Conv2D(64, 3, padding=1), (2, 2, 64)) == 2
    assert chosen(Conv2D(64, 3, padding=1), (6, 6, 64)) == 3
    assert chosen(Conv2D(64, 3, padding=1), (10, 10, 64)) == 5
    # Too few channels for the transforms to pay, and what is not 3 × 3 or 5 × 5 of stride 1.
    assert chosen(Conv2D(16, 3, padding=1), (28, 28, 3)) is None
    for layer in (
        Conv2D(64, 7, padding=2),
        Conv2D(64, (3, 5)),
        Conv2D(64, 3, stride=2, uncovered="drop"),
        Conv2D(64, 3, dilation=2),
        Conv2D(64, 3, groups=2),
        Conv2D(64, 3, padding=3),
    ):
        assert chosen(layer, (16, 16, 64)) is None


def test_input_gradients_are_from_the_fewer_tiles() -> None:
    def scattered(layer: Conv2D, shape: tuple[int, int, int], m: int = 4) -> bool:
        (operation,) = analyse(Network([layer], shape), True).operations
        return winograd_input_gradient.pays(operation, transforms(m, layer.size[0]), host())

    # 9 tiles instead of 16; as many, with padding or by chance; and such that leave the cache.
    assert scattered(Conv2D(64, 3), (13, 13, 32))
    assert not scattered(Conv2D(64, 3, padding=1), (13, 13, 32))
    assert not scattered(Conv2D(64, 3), (11, 11, 32))
    assert not scattered(Conv2D(64, 3), (53, 53, 32))
    # Padding on one side only: fewer rows of tiles, as many columns.
    assert scattered(Conv2D(64, 3, padding=(0, 0, 1, 1)), (13, 13, 32))


def network() -> Network:
    return Network(
        [
            Conv2D(24, 3, padding=1), BatchNorm(), ReLU(), Conv2D(17, 3, padding=(0, 1, 2, 1)),
            ReLU(), MaxPool2D(2, uncovered="drop"), Flatten(), Dense(5),
        ],
        (8, 10, 16),
    )  # fmt: skip


def steps(
    threads: int, lanes: int, *, exact: bool, times: int = 1
) -> tuple[Runner, list[tuple[bytes, ...]]]:
    """The bits of outputs, gradient, statistics after each of some identical steps."""
    net = network()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((21, *net.input_shape)).astype("f")
    targets = np.eye(5, dtype="f")[rng.integers(0, 5, 21)]
    net.flat[:] = 0.2 * rng.standard_normal(net.flat.size)
    runner = Runner(
        net,
        batch_size=21,
        threads=threads,
        training=True,
        loss="softmax_cross_entropy",
        input_gradient=True,
        lanes=lanes,
        exact=exact,
    )
    bits, state = [], net.state_flat.copy()
    for _ in range(times):
        net.state_flat[:] = state
        outputs = runner.run(images, targets, np.full(21, 1 / 21, "f"), np.zeros(21, np.uint32))
        parts = (outputs, runner.plan.gradient, runner.plan.input_gradient, net.state_flat)
        bits.append(tuple(part.tobytes() for part in parts))
    return runner, bits


def test_exact_turns_it_off() -> None:
    runner, bits = steps(2, 1, exact=True, times=3)
    names = buffers(runner)
    assert not SCRATCH & names
    assert not any(name.startswith("position") for name in names)
    assert len(set(bits)) == 1
    _, more = steps(2, 1, exact=True)
    assert more[0] == bits[0]
    with_tiles, other = steps(2, 1, exact=False)
    assert buffers(with_tiles) >= SCRATCH
    assert other[0] != bits[0]


@pytest.mark.parametrize("lanes", [1, host().lanes(4)])
@pytest.mark.parametrize("exact", [False, True])
def test_the_same_bits_for_any_number_of_threads(lanes: int, exact: bool) -> None:
    found = {
        bits for threads in (1, 2, 3, 5) for bits in steps(threads, lanes, exact=exact, times=2)[1]
    }
    assert len(found) == 1
