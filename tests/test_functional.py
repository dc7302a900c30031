"""Layers as functions: values, gradients, dtypes, and what they say to wrong arrays."""

import re

import numpy as np
import pytest

from striate import functional as F
from striate.ops import (
    activation,
    affine,
    channels,
    conv,
    dense,
    grouped,
    layernorm,
    local,
    lrn,
    multiply,
    pooling,
)

RANDOM = np.random.default_rng(8)
X = RANDOM.standard_normal((2, 6, 5, 4))
FILTERS = RANDOM.standard_normal((3, 2, 2, 6))
BIAS = RANDOM.standard_normal(6)
WINDOW = {"stride": (2, 1), "padding": (1, 0, 2, 0), "dilation": (1, 2), "groups": 2}
LOOPS = ((1, 0, 2, 0), (2, 1), (1, 2), 2)
engines = pytest.mark.parametrize("engine", ["numpy", "llvm"])


@engines
def test_conv2d_and_its_gradients(engine):
    output = F.conv2d(X, FILTERS, BIAS, **WINDOW, engine=engine)
    expected = conv.conv2d_loops(X, FILTERS, *LOOPS)
    np.testing.assert_allclose(output, expected + BIAS, rtol=1e-10)
    np.testing.assert_allclose(F.conv2d(X, FILTERS, **WINDOW, engine=engine), expected, rtol=1e-10)
    gradient = RANDOM.standard_normal(output.shape)
    np.testing.assert_allclose(
        F.conv2d_input_gradient(gradient, FILTERS, (6, 5, 4), **WINDOW, engine=engine),
        conv.conv2d_input_gradient_loops(gradient, FILTERS, (6, 5), *LOOPS),
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        F.conv2d_filter_gradient(X, gradient, (3, 2), **WINDOW, engine=engine),
        conv.conv2d_filter_gradient_loops(X, gradient, (3, 2), *LOOPS),
        rtol=1e-10,
        atol=1e-12,
    )


@engines
def test_locally_connected2d_and_its_gradients(engine):
    random = np.random.default_rng(9)
    rows, columns = conv.conv2d(X, FILTERS, *LOOPS).shape[1:3]
    weights = random.standard_normal((rows, columns, *FILTERS.shape))
    bias = random.standard_normal((rows, columns, 6))
    output = F.locally_connected2d(X, weights, bias, **WINDOW, engine=engine)
    expected = local.local2d_loops(X, weights, *LOOPS)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(output, expected + bias, **close)
    np.testing.assert_allclose(
        F.locally_connected2d(X, weights, **WINDOW, engine=engine), expected, **close
    )
    gradient = random.standard_normal(output.shape)
    np.testing.assert_allclose(
        F.locally_connected2d_input_gradient(gradient, weights, (6, 5, 4), **WINDOW, engine=engine),
        local.local2d_input_gradient_loops(gradient, weights, (6, 5), *LOOPS),
        **close,
    )
    np.testing.assert_allclose(
        F.locally_connected2d_weight_gradient(X, gradient, (3, 2), **WINDOW, engine=engine),
        local.local2d_weight_gradient_loops(X, gradient, (3, 2), *LOOPS),
        **close,
    )


@engines
def test_grouped_dense_and_its_gradients(engine):
    random = np.random.default_rng(9)
    x, weights, bias = X[:, 0, 0], random.standard_normal((4, 5)), random.standard_normal(5)
    output = F.grouped_dense(x, weights, 3, bias, engine=engine)
    expected = grouped.grouped_dense_loops(x, weights, 3)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(output, expected + np.repeat(bias, 3), **close)
    np.testing.assert_allclose(F.grouped_dense(x, weights, 3, engine=engine), expected, **close)
    gradient = random.standard_normal(output.shape)
    np.testing.assert_allclose(
        F.grouped_dense_input_gradient(gradient, weights, engine=engine),
        grouped.grouped_dense_input_gradient_loops(gradient, weights, 3),
        **close,
    )
    np.testing.assert_allclose(
        F.grouped_dense_weight_gradient(x, gradient, 3, engine=engine),
        grouped.grouped_dense_weight_gradient_loops(x, gradient, 3),
        **close,
    )
    with pytest.raises(ValueError, match="15 outputs does not fall into the 4 groups"):
        F.grouped_dense_input_gradient(gradient, weights[:, :4], engine=engine)


@engines
def test_pools_and_their_gradients(engine):
    options = {"stride": (2, 1), "padding": (1, 1, 0, 1), "engine": engine}
    window = ((2, 3), (1, 1, 0, 1), (2, 1))
    sums = pooling.sum_pool2d_loops(X, *window)
    maxima, winner = pooling.max_pool2d_loops(X, *window)
    np.testing.assert_allclose(F.max_pool2d(X, (2, 3), **options), maxima)
    np.testing.assert_allclose(F.sum_pool2d(X, (2, 3), **options), sums, rtol=1e-10)
    np.testing.assert_allclose(
        F.avg_pool2d(X, (2, 3), count_padding=True, **options), sums / 6, rtol=1e-10
    )
    gradient = RANDOM.standard_normal(sums.shape)
    np.testing.assert_allclose(
        F.max_pool2d_input_gradient(gradient, X, (2, 3), **options),
        pooling.max_pool2d_input_gradient_loops(gradient, winner, (6, 5)),
        atol=1e-12,
    )
    to_sum = pooling.sum_pool2d_input_gradient_loops(gradient, (6, 5), *window)
    np.testing.assert_allclose(
        F.sum_pool2d_input_gradient(gradient, (6, 5, 4), (2, 3), **options), to_sum, atol=1e-12
    )
    np.testing.assert_allclose(
        F.avg_pool2d_input_gradient(gradient, (6, 5, 4), (2, 3), count_padding=True, **options),
        to_sum / 6,
        atol=1e-12,
    )
    np.testing.assert_allclose(F.global_avg_pool2d(X, engine=engine), X.mean((1, 2)))
    vectors = RANDOM.standard_normal((2, 4))
    np.testing.assert_allclose(
        F.global_avg_pool2d_input_gradient(vectors, (6, 5, 4), engine=engine),
        np.broadcast_to(vectors[:, None, None] / 30, X.shape),
    )


@engines
def test_dense_and_its_gradients(engine):
    x, weights, bias = X[:, 0, 0], RANDOM.standard_normal((4, 7)), RANDOM.standard_normal(7)
    output = F.dense(x, weights, bias, engine=engine)
    np.testing.assert_allclose(output, dense.dense_loops(x, weights) + bias, rtol=1e-10)
    np.testing.assert_allclose(F.dense(x, weights, engine=engine), output - bias, rtol=1e-8)
    gradient = RANDOM.standard_normal((2, 7))
    np.testing.assert_allclose(
        F.dense_input_gradient(gradient, weights, engine=engine),
        dense.dense_input_gradient_loops(gradient, weights),
        rtol=1e-10,
    )
    np.testing.assert_allclose(
        F.dense_weight_gradient(x, gradient, engine=engine),
        dense.dense_weight_gradient_loops(x, gradient),
        rtol=1e-10,
    )


@engines
@pytest.mark.parametrize(
    "name",
    ["relu", "leaky_relu", "sigmoid", "tanh", "relu6", "hard_sigmoid", "hard_swish", "elu", "silu",
     "mish", "gelu"],
)  # fmt: skip
def test_activations_and_their_gradients(name, engine):
    function = getattr(F, name)
    gradient = RANDOM.standard_normal(X.shape)
    slope = (function(X + 1e-6, engine=engine) - function(X - 1e-6, engine=engine)) / 2e-6
    got = getattr(F, f"{name}_input_gradient")(gradient, X, engine=engine)
    np.testing.assert_allclose(got, gradient * slope, atol=1e-7)


@engines
def test_activations_with_constants(engine):
    gradient = RANDOM.standard_normal(X.shape)
    for name, given in (
        ("clip", {"low": -0.5}), ("clip", {"low": -0.3, "high": 0.6}), ("elu", {"alpha": 2.5}),
        ("hard_sigmoid", {"slope": -0.4, "offset": 0.2}), ("gelu", {"approximate": "tanh"}),
    ):  # fmt: skip
        textbook = "gelu_tanh" if "approximate" in given else name
        numbers = [value for value in given.values() if value != "tanh"]
        numbers += [np.inf] * (given == {"low": -0.5})
        got = getattr(F, name)(X, **given, engine=engine)
        expected = activation.activation_loops(textbook, X, *numbers)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
        above, below = (getattr(F, name)(X + h, **given, engine=engine) for h in (1e-6, -1e-6))
        slope = getattr(F, f"{name}_input_gradient")(gradient, X, **given, engine=engine)
        np.testing.assert_allclose(slope, gradient * (above - below) / 2e-6, atol=1e-7)


@engines
@pytest.mark.parametrize("shared", [False, True])
def test_prelu_and_its_gradients(shared, engine):
    slope, gradient = RANDOM.standard_normal(1 if shared else 4), RANDOM.standard_normal(X.shape)
    got = F.prelu(X, slope, engine=engine)
    np.testing.assert_allclose(got, activation.prelu_loops(X, slope), rtol=1e-10)
    expected = activation.prelu_gradients_loops(gradient, X, slope)
    for mine, wanted in zip(
        F.prelu_gradients(gradient, X, slope, engine=engine), expected, strict=True
    ):
        np.testing.assert_allclose(mine, wanted, rtol=1e-10)
    with pytest.raises(ValueError, match=r"PReLU: slope must have shape \(4,\).*got \(3,\)"):
        F.prelu(X, np.ones(3), engine=engine)


@engines
def test_affine_layer_norm_and_lrn(engine):
    scale, shift = RANDOM.standard_normal((2, 4))
    gradient, close = RANDOM.standard_normal(X.shape), {"rtol": 1e-9, "atol": 1e-12}
    for given in ((scale, shift), (scale, None), (None, shift)):
        got = F.affine(X, *given, engine=engine)
        np.testing.assert_allclose(got, affine.affine_loops(X, *given), **close)
    got = F.affine_gradients(gradient, X, scale, engine=engine)
    np.testing.assert_allclose(got.x, gradient * scale, **close)
    np.testing.assert_allclose(got.scale, (gradient * X).sum((0, 1, 2)), **close)
    np.testing.assert_allclose(got.shift, gradient.sum((0, 1, 2)), **close)
    got = F.layer_norm(X, scale, shift, eps=1e-3, engine=engine)
    np.testing.assert_allclose(got, layernorm.layer_norm_loops(X, scale, shift, 1e-3), **close)
    got = F.layer_norm_gradients(gradient, X, scale, eps=1e-3, engine=engine)
    direction = RANDOM.standard_normal(X.shape)
    losses = [
        (gradient * F.layer_norm(X + t * direction, scale, shift, eps=1e-3, engine=engine)).sum()
        for t in (1e-6, -1e-6)
    ]
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx((got.x * direction).sum(), rel=1e-6)
    constants = (3, 0.7, 0.6, 1.2)
    np.testing.assert_allclose(
        F.lrn(X, *constants, engine=engine), lrn.lrn_loops(X, *constants), **close
    )
    slope = (F.lrn_input_gradient(gradient, X, *constants, engine=engine) * direction).sum()
    losses = [
        (gradient * F.lrn(X + t * direction, *constants, engine=engine)).sum()
        for t in (1e-6, -1e-6)
    ]
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=1e-6)


@engines
def test_products_and_choices_of_channels(engine):
    gate, mask = RANDOM.standard_normal((2, 4)), RANDOM.standard_normal((2, 6, 5, 1))
    inputs = (X, gate, mask, X + 1)
    got = F.multiply(*inputs, engine=engine)
    np.testing.assert_allclose(got, multiply.multiply_loops(inputs), rtol=1e-12)
    gradient = RANDOM.standard_normal(X.shape)
    for mine, wanted in zip(
        F.multiply_input_gradients(gradient, *inputs, engine=engine),
        multiply.multiply_gradients_loops(gradient, inputs),
        strict=True,
    ):
        np.testing.assert_allclose(mine, wanted, rtol=1e-11)
    shuffled = F.channel_shuffle(X, 2, engine=engine)
    np.testing.assert_array_equal(shuffled, channels.shuffle_loops(X, 2))
    np.testing.assert_array_equal(shuffled[..., 1], X[..., 2])
    back = F.channel_shuffle_input_gradient(shuffled, 2, engine=engine)
    np.testing.assert_array_equal(back, X)
    np.testing.assert_array_equal(F.channel_slice(X, 1, 4, 2, engine=engine), X[..., 1:4:2])
    expected = np.zeros_like(X)
    expected[..., 1:4:2] = gradient[..., :2]
    got = F.channel_slice_input_gradient(gradient[..., :2], 4, 1, 4, 2, engine=engine)
    np.testing.assert_array_equal(got, expected)


@engines
def test_batch_norm_by_the_batch_and_by_given_statistics(engine):
    scale, shift = RANDOM.standard_normal((2, 4))
    mean, variance = X.mean((0, 1, 2)), X.var((0, 1, 2))
    expected = scale * (X - mean) / np.sqrt(variance + 1e-3) + shift
    for statistics in ((), (mean, variance)):
        got = F.batch_norm(X, scale, shift, *statistics, eps=1e-3, engine=engine)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    moved = F.batch_norm(X, scale, shift, mean + 1, variance, eps=1e-3, engine=engine)
    np.testing.assert_allclose(moved, expected - scale / np.sqrt(variance + 1e-3), rtol=1e-8)
    with pytest.raises(ValueError, match="give both mean and variance, or neither"):
        F.batch_norm(X, scale, shift, mean, engine=engine)

    gradient = RANDOM.standard_normal(X.shape)
    got = F.batch_norm_gradients(gradient, X, scale, eps=1e-3, engine=engine)
    direction = RANDOM.standard_normal(X.shape)

    def loss(t):
        return (
            gradient * F.batch_norm(X + t * direction, scale, shift, eps=1e-3, engine=engine)
        ).sum()

    assert (got.x * direction).sum() == pytest.approx((loss(1e-5) - loss(-1e-5)) / 2e-5, rel=1e-5)
    np.testing.assert_allclose(got.shift, gradient.sum((0, 1, 2)))
    np.testing.assert_allclose(got.scale, (gradient * (expected - shift) / scale).sum((0, 1, 2)))


@engines
def test_add_and_concat(engine):
    np.testing.assert_allclose(F.add(X, 2 * X, X, engine=engine), 4 * X)
    both = F.concat(X, X[..., :3], engine=engine)
    np.testing.assert_array_equal(both, np.concatenate([X, X[..., :3]], -1))
    first, second = F.concat_input_gradients(both, (4, 3))
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(second, X[..., :3])
    with pytest.raises(ValueError, match=r"channels \(4, 4\) make 8, the gradient has 7"):
        F.concat_input_gradients(both, (4, 4))
    with pytest.raises(ValueError, match="Add: needs at least 2 inputs"):
        F.add(X, engine=engine)
    with pytest.raises(ValueError, match="same number of images, got 2, 1"):
        F.add(X, X[:1], engine=engine)


def test_softmax_cross_entropy():
    logits, labels = RANDOM.standard_normal((3, 5)), np.array([4, 0, 2])
    loss, gradient = F.softmax_cross_entropy(logits, labels)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert loss == pytest.approx(-np.log(chances[[0, 1, 2], labels]).mean())
    np.testing.assert_allclose(gradient, (chances - np.eye(5)[labels]) / 3, rtol=1e-9)
    weighted, _ = F.softmax_cross_entropy(logits, labels, weights=[1, 0, 0])
    assert weighted == pytest.approx(-np.log(chances[0, 4]))
    smoothed, _ = F.softmax_cross_entropy(logits, labels, label_smoothing=0.5)
    assert smoothed != pytest.approx(loss)
    with pytest.raises(ValueError, match="3 logits but 2 labels"):
        F.softmax_cross_entropy(logits, labels[:2])
    with pytest.raises(ValueError, match="3 logits but 2 weights"):
        F.softmax_cross_entropy(logits, labels, weights=[1, 2])


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (np.float16, np.float16),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.longdouble, np.longdouble),
        (np.uint8, np.float64),
        (np.int32, np.float64),
        (bool, np.float64),
    ],
)
def test_dtypes(given, result):
    x = (X > 0).astype(given)
    assert F.conv2d(x, np.ones((2, 2, 4, 3), given), engine="numpy").dtype == result
    assert F.relu(x, engine="numpy").dtype == result


def test_mixed_dtypes_take_the_finer():
    output = F.conv2d(X.astype(np.float32), np.ones((2, 2, 4, 3)), engine="numpy")
    assert output.dtype == np.float64


def test_lists_are_arrays():
    assert F.relu([[-1, 2]], engine="numpy").tolist() == [[0, 2]]


def test_dtypes_that_are_not_compiled_run_in_numpy():
    assert F.relu(X.astype(np.float16), engine="llvm").dtype == np.float16


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: F.conv2d(X[0], FILTERS, engine="numpy"), ValueError, "Conv2D: inputs must be "),
        (lambda: F.relu(X[0], engine="numpy"), ValueError, "add the batch axis: x[None]"),
        (lambda: F.conv2d(X, FILTERS[0], engine="numpy"), ValueError, "filters must be (filter"),
        (
            lambda: F.conv2d(X, FILTERS, engine="numpy"),
            ValueError,
            "filters must have shape (3, 2, 4, 6) for inputs of shape (2, 6, 5, 4), got (3, 2, 2",
        ),
        (
            lambda: F.conv2d(X, FILTERS, BIAS[1:], groups=2, engine="numpy"),
            ValueError,
            "bias must have shape (6,)",
        ),
        (
            lambda: F.conv2d(X, FILTERS, groups=2, stride=2, engine="numpy"),
            ValueError,
            "(6 - 3 + 0 + 0)/2 + 1 = 2.5 is not whole along the height",
        ),
        (
            lambda: F.conv2d_input_gradient(X, FILTERS, (6, 5, 4), groups=2, engine="numpy"),
            ValueError,
            "the gradient must have the shape of the output, (2, 4, 4, 6), got (2, 6, 5, 4)",
        ),
        (
            lambda: F.conv2d_filter_gradient(X[0], X, 3, engine="numpy"),
            ValueError,
            "x must be (n, height, width, channels), got shape (6, 5, 4); for a single one add",
        ),
        (lambda: F.dense(X, np.ones((4, 2)), engine="numpy"), ValueError, "Dense: needs a vector"),
        (lambda: F.dense(X[:, 0, 0], np.ones(4), engine="numpy"), ValueError, "weights must be (i"),
        (
            lambda: F.relu([["a"]], engine="numpy"),
            TypeError,
            "array of real numbers, got dtype <U1",
        ),
        (lambda: F.relu(X + 1j, engine="numpy"), TypeError, "got dtype complex128"),
        (lambda: F.relu(X, engine="gpu"), ValueError, 'engine must be "llvm" or "numpy"'),
        (
            lambda: F.softmax_cross_entropy(X, [0, 1]),
            ValueError,
            "logits must be (n, classes), got",
        ),
    ],
)
def test_mistakes_are_explained(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()
