"""The dense product and its gradients against textbook loops, for all vector remainders."""

import numpy as np
import pytest

from striate.ops import dense


@pytest.mark.parametrize("inputs", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33])
@pytest.mark.parametrize("outputs", [1, 5, 17])
def test_numpy_agrees_with_loops(inputs, outputs):
    random = np.random.default_rng([inputs, outputs])
    x = random.standard_normal((3, inputs))
    weights = random.standard_normal((inputs, outputs))
    gradient = random.standard_normal((3, outputs))
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(dense.dense(x, weights), dense.dense_loops(x, weights), **close)
    np.testing.assert_allclose(
        dense.dense_weight_gradient(x, gradient),
        dense.dense_weight_gradient_loops(x, gradient),
        **close,
    )
    np.testing.assert_allclose(
        dense.dense_input_gradient(gradient, weights),
        dense.dense_input_gradient_loops(gradient, weights),
        **close,
    )
