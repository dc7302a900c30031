"""Batch normalisation against textbook loops and finite differences."""

import numpy as np
import pytest

from striate.ops import batchnorm

EPS = 1e-3


def forward(x, scale, shift):
    normal, _ = batchnorm.normalise(x, *batchnorm.batch_statistics(x), EPS)
    return scale * normal + shift


@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4, 9), (1, 2, 1, 3)])
def test_numpy_agrees_with_loops(shape):
    random = np.random.default_rng(3)
    x = random.standard_normal(shape) * 3 + 2
    scale, shift = random.standard_normal((2, shape[-1]))
    np.testing.assert_allclose(
        forward(x, scale, shift), batchnorm.batch_norm_loops(x, scale, shift, EPS), rtol=1e-9
    )


@pytest.mark.parametrize("training", [True, False])
def test_gradients_agree_with_finite_differences(training):
    random = np.random.default_rng(4)
    x = random.standard_normal((2, 3, 2, 3)) * 2 + 1
    scale, shift = random.standard_normal((2, 3))
    gradient = random.standard_normal(x.shape)
    statistics = batchnorm.batch_statistics(x)

    def loss(x, scale, shift):
        used = batchnorm.batch_statistics(x) if training else statistics
        return (gradient * (scale * batchnorm.normalise(x, *used, EPS)[0] + shift)).sum()

    normal, inverse = batchnorm.normalise(x, *statistics, EPS)
    got = batchnorm.batch_norm_gradients(gradient, normal, inverse, scale, training)
    arguments = [x, scale, shift]
    for place, argument in enumerate(arguments):
        for index in np.ndindex(argument.shape):
            step = np.zeros_like(argument)
            step[index] = 1e-5
            there = [*arguments[:place], argument + step, *arguments[place + 1 :]]
            back = [*arguments[:place], argument - step, *arguments[place + 1 :]]
            slope = (loss(*there) - loss(*back)) / 2e-5
            assert got[place][index] == pytest.approx(slope, rel=1e-5, abs=1e-7)
