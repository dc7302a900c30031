"""A convolution as a locally connected layer, as a matrix, and back: equal outputs, or errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import conversions
from striate.layers import Conv2D, Dense, GroupedDense, Layer, LocallyConnected2D, ReLU
from striate.teaching.conversions import (
    TrainedLayer,
    to_conv2d,
    to_dense,
    to_grouped_dense,
    to_locally_connected,
)

LIMITS = {np.float32: 1e-6, np.float64: 1e-12}


def trained(
    layer: Layer, shape: tuple[int, ...], dtype: type = np.float64, seed: int = 0
) -> TrainedLayer:
    """A layer with random numbers."""
    rng = np.random.default_rng(seed)
    numbers = {
        p.name: rng.standard_normal(p.shape).astype(dtype) / np.sqrt(p.fan_in)
        for p in layer.parameters(shape)
    }
    return TrainedLayer(layer, {n: a.astype(dtype) for n, a in numbers.items()}, shape)


def images(shape: tuple[int, ...], dtype: type = np.float64, n: int = 3) -> np.ndarray:
    return np.random.default_rng(9).uniform(-1, 1, (n, *shape)).astype(dtype)


def agree(one: TrainedLayer, other: TrainedLayer, dtype: type, engine: str) -> None:
    """The same outputs for the same pixels, whatever their shapes."""
    x = images(one.input_shape, dtype)
    mine = one(x, engine=engine)
    assert mine.dtype == dtype
    assert other.parameters.keys() >= {"bias"} & one.parameters.keys()
    yours = other(x.reshape(3, *other.input_shape), engine=engine)
    scale = max(float(np.abs(mine).max(initial=0)), 1.0)
    assert np.abs(mine.ravel() - yours.ravel()).max(initial=0) <= LIMITS[dtype] * scale


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2D, tuple[int, int, int]]:
    """Random sizes, strides, paddings, dilations, channels and groups; and an image that fits."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    size, stride, dilation = pair(1, 4), pair(1, 3), pair(1, 2)
    pads = (*pair(0, 3), *pair(0, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    reach = [d * (s - 1) + 1 for s, d in zip(size, dilation, strict=True)]
    height, width = (
        max(1, r - sum(pads[2 * axis : 2 * axis + 2])) + draw(st.integers(0, 5))
        for axis, r in enumerate(reach)
    )
    layer = Conv2D(
        groups * draw(st.integers(1, 4)),
        size,
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        uncovered="drop",
    )
    return layer, (height, width, groups * draw(st.integers(1, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(case=convolutions())
@settings(max_examples=60)
def test_there_and_back(dtype: type, case: tuple[Conv2D, tuple[int, int, int]]) -> None:
    check_there_and_back(*case, dtype, "numpy")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(case=convolutions())
@settings(max_examples=8)
def test_there_and_back_compiled(dtype: type, case: tuple[Conv2D, tuple[int, int, int]]) -> None:
    check_there_and_back(*case, dtype, "llvm")


def check_there_and_back(
    layer: Conv2D, shape: tuple[int, int, int], dtype: type, engine: str
) -> None:
    conv = trained(layer, shape, dtype)
    local = to_locally_connected(conv)
    dense = to_dense(conv)
    assert isinstance(local.layer, LocallyConnected2D)
    assert isinstance(dense.layer, Dense)
    assert local.output_shape == conv.output_shape
    agree(conv, local, dtype, engine)
    agree(conv, dense, dtype, engine)
    for name, array in to_dense(local).parameters.items():
        np.testing.assert_array_equal(array, dense.parameters[name])
    # Back from each, to the very numbers where they met a pixel.
    seen = to_locally_connected(dense, like=local.layer, image=shape)
    agree(local, seen, dtype, engine)
    for found in (to_conv2d(local), to_conv2d(dense, like=layer, image=shape), to_conv2d(seen)):
        assert vars(found.layer) == vars(layer)
        agree(conv, found, dtype, engine)
        kept, mine = found.parameters["filters"], conv.parameters["filters"]
        assert ((kept == mine) | (kept == 0)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("engine", ["numpy", "llvm"])
@pytest.mark.parametrize(("units", "group"), [(16, 4), (12, 1), (9, 9)])
@pytest.mark.parametrize("bias", [True, False])
def test_groups_there_and_back(
    units: int, group: int, bias: bool, engine: str, dtype: type
) -> None:
    grouped = trained(GroupedDense(units, group, bias=bias), (9,), dtype)
    dense = to_dense(grouped)
    assert dense.parameters["weights"].shape == (9, units)
    agree(grouped, dense, dtype, engine)
    again = to_grouped_dense(dense, group)
    assert vars(again.layer) == vars(grouped.layer)
    for name, array in grouped.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array)


def test_the_matrix_of_a_small_convolution() -> None:
    """3×3 pixels and a 2×2 filter: each output meets 4 of the 9 pixels."""
    filters = np.array([[1.0, 2.0], [3.0, 4.0]])[..., None, None]
    conv = TrainedLayer(Conv2D(1, 2, bias=False), {"filters": filters}, (3, 3, 1))
    expected = [
        [1, 0, 0, 0],
        [2, 1, 0, 0],
        [0, 2, 0, 0],
        [3, 0, 1, 0],
        [4, 3, 2, 1],
        [0, 4, 0, 2],
        [0, 0, 3, 0],
        [0, 0, 4, 3],
        [0, 0, 0, 4],
    ]
    np.testing.assert_array_equal(to_dense(conv).parameters["weights"], expected)


def test_padding_is_no_row_of_the_matrix() -> None:
    filters = np.arange(1.0, 10).reshape(3, 3, 1, 1)
    conv = TrainedLayer(Conv2D(1, 3, padding=1, bias=False), {"filters": filters}, (1, 1, 1))
    np.testing.assert_array_equal(to_dense(conv).parameters["weights"], [[5.0]])
    back = to_conv2d(to_dense(conv), like=conv.layer, image=(1, 1, 1))
    np.testing.assert_array_equal(back.parameters["filters"].ravel(), [0, 0, 0, 0, 5, 0, 0, 0, 0])


def test_a_one_dimensional_convolution_is_one_of_height_1() -> None:
    """The edge kernel (1, -1) over a row: shared weights, and the band of a matrix."""
    edge = np.array([1.0, -1]).reshape(1, 2, 1, 1)
    conv = TrainedLayer(Conv2D(1, (1, 2), bias=False), {"filters": edge}, (1, 5, 1))
    signal = np.array([0.0, 0, 1, 1, 0])
    np.testing.assert_array_equal(conv(signal.reshape(1, 1, 5, 1)).ravel(), [0, -1, 0, 1])
    band = np.eye(5, 4) - np.eye(5, 4, -1)
    np.testing.assert_array_equal(to_dense(conv).parameters["weights"], band)
    np.testing.assert_array_equal(to_dense(conv)(signal[None]).ravel(), [0, -1, 0, 1])
    # Article 002: five dense units on five inputs have 25 weights, a width-3 convolution 3.
    small = trained(Conv2D(1, (1, 3), padding="same", bias=False), (1, 5, 1))
    assert small.parameters["filters"].size == 3
    assert to_dense(small).parameters["weights"].size == 25


# Weights that do not allow it.


def test_a_weight_that_is_not_shared_is_named() -> None:
    local = to_locally_connected(trained(Conv2D(3, 2), (3, 4, 2)))
    local.parameters["weights"][1, 2, 0, 1, 1, 2] = 7.5
    local.parameters["weights"][0, 1, 1, 1, 0, 0] += 0.25
    same = local.parameters["weights"][0, 0, 1, 1, 0, 0]
    message = (
        f"weights[0, 1, 1, 1, 0, 0] = {same + 0.25:.9g}, but weights[0, 0, 1, 1, 0, 0] = "
        f"{same:.9g}, and they would have to be the same number; in all 2 of 144 numbers"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        to_conv2d(local)
    with pytest.raises(ValueError, match=re.escape("weights[1, 2, 0, 1, 1, 2] = 7.5, but")):
        to_conv2d(local, tolerance=0.25)
    assert to_conv2d(local, tolerance=9).parameters["filters"][1, 1, 0, 0] == same


def test_a_bias_that_is_not_shared_is_named() -> None:
    local = to_locally_connected(trained(Conv2D(3, 2), (3, 4, 2)))
    local.parameters["bias"][1, 2, 1] = 0.5
    first = local.parameters["bias"][0, 0, 1]
    with pytest.raises(
        ValueError, match=re.escape(f"bias[1, 2, 1] = 0.5, but bias[0, 0, 1] = {first:.9g}")
    ):
        to_conv2d(local)


def test_weights_that_meet_only_padding_do_not_count() -> None:
    conv = trained(Conv2D(2, 3, padding=1), (3, 4, 2))
    local = to_locally_connected(conv)
    local.parameters["weights"][0, :, 0] = np.nan  # above the first row
    np.testing.assert_array_equal(
        to_conv2d(local).parameters["filters"], conv.parameters["filters"]
    )
    local.parameters["weights"][1, 1, 0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=re.escape("weights[1, 1, 0, 0, 0, 0] = nan")):
        to_conv2d(local, tolerance=1e9)


def test_a_connection_that_should_not_be_is_named() -> None:
    conv = trained(Conv2D(2, 2), (3, 3, 2))
    dense = to_dense(conv)
    at = np.ravel_multi_index((2, 1, 1), (3, 3, 2)), np.ravel_multi_index((0, 1, 1), (2, 2, 2))
    dense.parameters["weights"][at] = -0.125
    message = (
        f"weights[{at[0]}, {at[1]}] = -0.125 connects pixel (2, 1), channel 1, with output "
        "(0, 1), filter 1, whose window does not read it, so it would have to be 0; in all "
        "1 of 144 numbers are so, by up to 0.125"
    )
    for convert, like in (
        (to_conv2d, conv.layer),
        (to_locally_connected, LocallyConnected2D(2, 2)),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            convert(dense, like=like, image=(3, 3, 2))
        convert(dense, like=like, image=(3, 3, 2), tolerance=0.125)


def test_neurons_of_a_group_that_differ_are_named() -> None:
    dense = to_dense(trained(GroupedDense(8, 4), (5,)))
    dense.parameters["weights"][3, 6] = 2.5
    first = dense.parameters["weights"][3, 4]
    message = f"weights[3, 6] = 2.5, but weights[3, 4] = {first:.9g}"
    with pytest.raises(ValueError, match=re.escape(message)):
        to_grouped_dense(dense, 4)
    dense = to_dense(trained(GroupedDense(8, 4), (5,)))
    dense.parameters["bias"][1] += 1
    with pytest.raises(ValueError, match=re.escape("bias[1] = ")):
        to_grouped_dense(dense, 4)
    with pytest.raises(ValueError, match="8 units do not fall into groups of 3"):
        to_grouped_dense(dense, 3)


# Wrong use.


def test_too_large_a_matrix_is_refused_with_its_bytes() -> None:
    filters = np.zeros((3, 3, 1, 1), np.float32)
    layer = Conv2D(1, 3, padding=1, bias=False)
    conv = TrainedLayer(layer, {"filters": filters}, (200, 200, 1))
    size = 4 * 200**4
    with pytest.raises(
        ValueError,
        match=re.escape(f"40,000 inputs × 40,000 outputs, would take {size:,} bytes (6.0 GiB)"),
    ):
        to_dense(conv)
    with pytest.raises(ValueError, match=re.escape("would take 1,440,000 bytes")):
        to_locally_connected(conv, most_bytes=1_000_000)
    assert to_locally_connected(conv).parameters["weights"].nbytes == 1_440_000


@pytest.mark.parametrize(
    ("convert", "options", "kind", "message"),
    [
        (to_conv2d, {}, TypeError, "a matrix does not say which windows it stands for: give like"),
        (to_conv2d, {"like": Conv2D(2, 2), "image": (9, 1)}, ValueError, "(height, width, channel"),
        (
            to_conv2d,
            {"like": Conv2D(2, 2), "image": (3, 4, 1)},
            ValueError,
            "its matrix is 9 × 8, but LocallyConnected2D(2, (2, 2)",
        ),
        (
            to_conv2d,
            {"like": Conv2D(2, 2), "image": (3, 3, 1), "tolerance": -1},
            ValueError,
            "tolerance must be at least 0, got -1",
        ),
        (to_dense, {}, TypeError, "Dense: only Conv2D can become LocallyConnected2D or Dense"),
    ],
)
def test_wrong_use_is_explained(
    convert: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        convert(trained(Dense(8), (9,)), **options)


def test_other_layers_are_refused() -> None:
    with pytest.raises(TypeError, match="ReLU: only LocallyConnected2D or Dense can become Conv2D"):
        to_conv2d(TrainedLayer(ReLU(), {}, (3, 3, 1)))
    with pytest.raises(TypeError, match="Conv2D: only Dense can become GroupedDense"):
        to_grouped_dense(trained(Conv2D(1, 1), (3, 3, 1)), 2)


def test_numbers_must_fit_their_layer() -> None:
    with pytest.raises(ValueError, match="Dense: it lacks its bias"):
        TrainedLayer(Dense(2), {"weights": np.zeros((3, 2))}, (3,))
    with pytest.raises(ValueError, match=re.escape("weights must have shape (3, 2) for inputs of")):
        TrainedLayer(Dense(2, bias=False), {"weights": np.zeros((2, 3))}, (3,))


def test_it_is_public() -> None:
    import striate

    assert striate.conversions is conversions
    assert set(conversions.__all__) <= set(dir(conversions))
