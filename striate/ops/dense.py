"""The fully connected layer: every output reads every input.

O[n,k] = Σ_c X[n,c] · W[c,k]    ∂L/∂W[c,k] = Σ_n X[n,c] · ∂L/∂O[n,k]
                                ∂L/∂X[n,c] = Σ_k ∂L/∂O[n,k] · W[c,k]
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.ops.row_products import times_each_row


def dense_loops(x: Array, weights: Array) -> Array:
    """X · W, one multiplication at a time, in float64."""
    output = np.zeros((x.shape[0], weights.shape[1]))
    for n in range(x.shape[0]):
        for k in range(weights.shape[1]):
            for c in range(x.shape[1]):
                output[n, k] += float(x[n, c]) * float(weights[c, k])
    return output


def dense_weight_gradient_loops(x: Array, gradient: Array) -> Array:
    """∂L/∂W, one multiplication at a time, in float64."""
    result = np.zeros((x.shape[1], gradient.shape[1]))
    for c in range(x.shape[1]):
        for k in range(gradient.shape[1]):
            for n in range(x.shape[0]):
                result[c, k] += float(x[n, c]) * float(gradient[n, k])
    return result


def dense_input_gradient_loops(gradient: Array, weights: Array) -> Array:
    """∂L/∂X, one multiplication at a time, in float64."""
    result = np.zeros((gradient.shape[0], weights.shape[0]))
    for n in range(gradient.shape[0]):
        for c in range(weights.shape[0]):
            for k in range(gradient.shape[1]):
                result[n, c] += float(gradient[n, k]) * float(weights[c, k])
    return result


def dense(x: Array, weights: Array) -> Array:
    """(n, inputs), (inputs, outputs) -> (n, outputs)."""
    return times_each_row(x, weights)


def dense_weight_gradient(x: Array, gradient: Array) -> Array:
    """∂L/∂W (inputs, outputs) from x (n, inputs) and ∂L/∂O (n, outputs)."""
    return x.T @ gradient


def dense_input_gradient(gradient: Array, weights: Array) -> Array:
    """∂L/∂X (n, inputs) from ∂L/∂O (n, outputs) and the weights (inputs, outputs)."""
    return gradient @ weights.T
