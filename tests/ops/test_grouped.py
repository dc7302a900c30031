"""The grouped dense layer: NumPy against textbook loops, PyTorch and a dense layer."""

import numpy as np
import pytest

from striate.ops import dense, grouped

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def case(inputs, groups, group):
    random = np.random.default_rng([inputs, groups, group])
    x = random.standard_normal((3, inputs))
    return (
        x,
        random.standard_normal((inputs, groups)),
        random.standard_normal((3, groups * group)),
    )


@pytest.mark.parametrize("inputs", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33])
@pytest.mark.parametrize(("groups", "group"), [(1, 1), (1, 5), (5, 1), (4, 4), (3, 17)])
def test_numpy_agrees_with_loops(inputs, groups, group):
    x, weights, gradient = case(inputs, groups, group)
    np.testing.assert_allclose(
        grouped.grouped_dense(x, weights, group),
        grouped.grouped_dense_loops(x, weights, group),
        **CLOSE,
    )
    np.testing.assert_allclose(
        grouped.grouped_dense_weight_gradient(x, gradient, group),
        grouped.grouped_dense_weight_gradient_loops(x, gradient, group),
        **CLOSE,
    )
    np.testing.assert_allclose(
        grouped.grouped_dense_input_gradient(gradient, weights, group),
        grouped.grouped_dense_input_gradient_loops(gradient, weights, group),
        **CLOSE,
    )


def test_it_is_a_dense_layer_with_repeated_columns():
    x, weights, gradient = case(9, 4, 4)
    repeated = np.repeat(weights, 4, axis=1)
    np.testing.assert_allclose(
        grouped.grouped_dense(x, weights, 4), dense.dense(x, repeated), **CLOSE
    )
    np.testing.assert_allclose(
        grouped.grouped_dense_input_gradient(gradient, weights, 4),
        dense.dense_input_gradient(gradient, repeated),
        **CLOSE,
    )
    # A shared weight gets the gradients of all its copies.
    of_copies = dense.dense_weight_gradient(x, gradient).reshape(9, 4, 4)
    np.testing.assert_allclose(
        grouped.grouped_dense_weight_gradient(x, gradient, 4), of_copies.sum(2), **CLOSE
    )


def test_successive_outputs_are_a_group():
    output = grouped.grouped_dense(np.ones((1, 1)), np.array([[1.0, 2.0]]), 3)
    np.testing.assert_array_equal(output, [[1, 1, 1, 2, 2, 2]])


def test_numpy_agrees_with_torch():
    torch = pytest.importorskip("torch")
    x, weights, gradient = case(9, 5, 3)
    tx, tw = (torch.tensor(array, requires_grad=True) for array in (x, weights))
    output = tx @ tw.repeat_interleave(3, dim=1)
    output.backward(torch.tensor(gradient))
    np.testing.assert_allclose(
        grouped.grouped_dense(x, weights, 3), output.detach().numpy(), **CLOSE
    )
    np.testing.assert_allclose(
        grouped.grouped_dense_weight_gradient(x, gradient, 3), tw.grad.numpy(), **CLOSE
    )
    np.testing.assert_allclose(
        grouped.grouped_dense_input_gradient(gradient, weights, 3), tx.grad.numpy(), **CLOSE
    )
