"""A convolution alone: its three passes as programs of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers import Conv2D
from striate.ops import conv
from striate.plan.measure.convolution_passes import PASSES, ConvolutionPasses
from striate.plan.memory import non_temporal

Shape = tuple[int, int, int]

CASES = [
    (Conv2D(17, 3, padding=(1, 0, 2, 1)), (7, 9, 9), 5),
    (Conv2D(33, 3, padding=1), (8, 6, 31), 3),
    (Conv2D(9, (3, 2), stride=(2, 3), padding=(0, 1, 2, 0), uncovered="drop"), (9, 8, 5), 18),
    (Conv2D(6, 3, dilation=(2, 3), padding=2, uncovered="drop"), (9, 10, 4), 2),
    (Conv2D(12, 3, groups=3, padding="same"), (5, 6, 9), 7),
    (Conv2D(16, 3, groups=16, padding=1, bias=False), (6, 5, 16), 4),
    (Conv2D(7, 1), (4, 3, 70), 1),
    (Conv2D(8, 1, stride=2, uncovered="drop"), (5, 7, 15), 20),
    (Conv2D(5, 5, padding=(4, 0, 1, 3)), (6, 7, 3), 2),
    (Conv2D(128, 3, padding=1), (3, 4, 128), 2),
    (Conv2D(130, 1), (2, 3, 1024), 2),
    (Conv2D(3, 4, stride=4), (8, 12, 2), 33),
]


def numbers(layer: Conv2D, shape: Shape, n: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    depth = shape[-1] // layer.groups
    shapes = [
        (n, *shape),
        (*layer.size, depth, layer.filters),
        (n, *layer.output_shape(shape)),
    ]
    return [rng.standard_normal(some).astype(np.float32) for some in shapes]


def textbook(layer: Conv2D, shape: Shape, given_: list[np.ndarray]) -> list[np.ndarray]:
    """Output, input gradient and filter gradient in float64."""
    x, filters, gradient = (array.astype(np.float64) for array in given_)
    window = (layer.pads(shape), layer.stride, layer.dilation, layer.groups)
    return [
        conv.conv2d(x, filters, *window),
        conv.conv2d_input_gradient(gradient, filters, shape[:2], *window),
        conv.conv2d_filter_gradient(x, gradient, layer.size, *window),
    ]


def results(alone: ConvolutionPasses) -> list[np.ndarray]:
    return [alone.output(), alone.dx(), alone.dfilters()]


def filled(
    layer: Conv2D, shape: Shape, n: int, given_: list[np.ndarray], **options: object
) -> ConvolutionPasses:
    alone = ConvolutionPasses(layer, shape, n, **options)  # type: ignore[arg-type]
    for fill, array in zip((alone.set_input, alone.set_filters, alone.set_gradient), given_,
                           strict=True):  # fmt: skip
        fill(array)
    return alone


def agree(alone: ConvolutionPasses, expected: list[np.ndarray]) -> None:
    """In float32; tiles of Winograd's algorithm lose up to two digits."""
    for name, found, wanted in zip(PASSES, results(alone), expected, strict=True):
        assert found.shape == wanted.shape, name
        error = np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-30)
        assert error <= (3e-5 if alone.winograd[name] else 3e-6), f"{name}: {error:.1e}"


def check(layer: Conv2D, shape: Shape, n: int, **options: object) -> ConvolutionPasses:
    given_ = numbers(layer, shape, n)
    alone = filled(layer, shape, n, given_, **options)
    for run in PASSES:
        getattr(alone, run)()
    agree(alone, textbook(layer, shape, given_))
    return alone


@pytest.mark.parametrize(("layer", "shape", "n"), CASES, ids=str)
def test_three_passes(layer: Conv2D, shape: Shape, n: int) -> None:
    # The bias belongs to the layer; what it was at first is zero.
    check(layer, shape, n, threads=2)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2D, Shape, int]:
    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    size, stride, dilation = pair(1, 4), pair(1, 3), pair(1, 3)
    pads = (*pair(0, 3), *pair(0, 3))
    reach = [d * (s - 1) + 1 for s, d in zip(size, dilation, strict=True)]
    height, width = (
        max(1, r - before - after) + draw(st.integers(0, 5))
        for r, before, after in zip(reach, pads[::2], pads[1::2], strict=True)
    )
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    layer = Conv2D(
        groups * draw(st.integers(1, 11)),
        size,
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        uncovered="drop",
    )
    return layer, (height, width, groups * draw(st.integers(1, 11))), draw(st.integers(1, 20))


@settings(max_examples=8, deadline=None)
@given(case=convolutions())
def test_three_passes_of_any_shape(case: tuple[Conv2D, Shape, int]) -> None:
    check(*case, threads=2)


def test_every_pass_can_run_alone_and_again() -> None:
    """In any order: none relies on what another has left, and none harms another's results."""
    layer, shape, n = CASES[1]
    given_ = numbers(layer, shape, n)
    expected = None
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        alone = filled(layer, shape, n, given_, threads=2)
        for i in order:
            getattr(alone, PASSES[i])()
            first = results(alone)[i].tobytes()
            getattr(alone, PASSES[i])()
            assert results(alone)[i].tobytes() == first
        bits = [array.tobytes() for array in results(alone)]
        assert bits == (expected or bits)
        expected = bits
    agree(alone, textbook(layer, shape, given_))


def test_new_numbers_are_seen() -> None:
    layer, shape, n = CASES[0]
    alone = filled(layer, shape, n, numbers(layer, shape, n), threads=1)
    for seed in (1, 2):
        given_ = numbers(layer, shape, n, seed)
        alone.set_input(given_[0])
        alone.set_filters(given_[1])
        alone.set_gradient(given_[2])
        for run in PASSES:
            getattr(alone, run)()
        agree(alone, textbook(layer, shape, given_))


def test_winograd_is_told_and_can_be_turned_off() -> None:
    layer, shape, n = Conv2D(32, 3, padding=1), (8, 12, 32), 2
    assert set(check(layer, shape, n).winograd.values()) == {True}
    assert set(check(layer, shape, n, exact=True).winograd.values()) == {False}
    assert not any(check(*CASES[2]).winograd.values())


@pytest.mark.parametrize("case", [CASES[1], CASES[2], CASES[9]], ids=str)
def test_the_same_bits_for_any_number_of_threads(case: tuple[Conv2D, Shape, int]) -> None:
    found = {
        tuple(array.tobytes() for array in results(check(*case, threads=threads)))
        for threads in (1, 2, 3, 5)
    }
    assert len(found) == 1


def test_filters_are_laid_out_before_they_are_read() -> None:
    """Each pass is a program: what it prepares must be done when the first thread goes on."""
    alone = ConvolutionPasses(Conv2D(128, 3, padding=1), (3, 4, 128), 2, threads=2)
    for name in ("forward", "input_gradient"):
        first, *_, last = alone._programs[name].jobs
        assert len(alone._programs[name].jobs) > 1 and first.tasks > 1
        assert first.barrier and last.barrier


def test_what_fills_far_memory_goes_past_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixels that no output reads are stored by nests of their own: all of them stream, since
    none reads what another stores."""
    case = (Conv2D(32, 1, stride=2, uncovered="drop", bias=False), (7, 8, 16), 3)

    def streaming(alone: ConvolutionPasses) -> list[bool]:
        job = alone._programs["input_gradient"].jobs[-1]
        return [store.streaming for call in job.calls for store in call.kernel.nest.stores]

    near = check(*case, threads=2)
    assert streaming(near) == [False] * 4
    monkeypatch.setattr(non_temporal, "_FAR", 0)
    far = check(*case, threads=2)
    assert streaming(far) == [True] * 4
    assert [a.tobytes() for a in results(far)] == [a.tobytes() for a in results(near)]


def test_where_nothing_is_summed_up_tasks_go_to_whoever_is_free() -> None:
    """Only shards have sums of their own, and so only the filters' gradient needs them."""
    alone = ConvolutionPasses(Conv2D(16, 1), (64, 64, 16), 40, threads=2)
    jobs = [alone._programs[name].jobs for name in PASSES]
    assert [jobs[0][-1].shards, jobs[1][-1].shards, jobs[2][0].shards] == [40, 40, 8]


@pytest.mark.parametrize("channels", [(48, 128), (256, 192), (1024, 256), (80, 2048)])
def test_panels_of_filters_and_parts_of_channels(channels: tuple[int, int]) -> None:
    depth, filters = channels
    check(Conv2D(filters, 1, bias=False), (3, 5, depth), 3, threads=3)
