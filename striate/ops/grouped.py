"""The grouped dense layer: successive outputs share the weights of their group.

With G outputs to a group, output k belongs to group k // G:

    O[n,k]     = Σ_c X[n,c] · W[c, k // G]
    ∂L/∂W[c,j] = Σ_n X[n,c] · Σ_{k in group j} ∂L/∂O[n,k]
    ∂L/∂X[n,c] = Σ_k ∂L/∂O[n,k] · W[c, k // G]

So a group is one dot product, which each of its outputs receives; backwards, the gradients of a
group are added before anything is multiplied.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.ops.row_products import times_each_row


def grouped_dense_loops(x: Array, weights: Array, group: int) -> Array:
    """O of the formula above, one multiplication at a time, in float64."""
    output = np.zeros((x.shape[0], weights.shape[1] * group))
    for n in range(output.shape[0]):
        for k in range(output.shape[1]):
            for c in range(x.shape[1]):
                output[n, k] += float(x[n, c]) * float(weights[c, k // group])
    return output


def grouped_dense_weight_gradient_loops(x: Array, gradient: Array, group: int) -> Array:
    """∂L/∂W, one multiplication at a time, in float64."""
    result = np.zeros((x.shape[1], gradient.shape[1] // group))
    for c in range(x.shape[1]):
        for k in range(gradient.shape[1]):
            for n in range(x.shape[0]):
                result[c, k // group] += float(x[n, c]) * float(gradient[n, k])
    return result


def grouped_dense_input_gradient_loops(gradient: Array, weights: Array, group: int) -> Array:
    """∂L/∂X, one multiplication at a time, in float64."""
    result = np.zeros((gradient.shape[0], weights.shape[0]))
    for n in range(result.shape[0]):
        for c in range(result.shape[1]):
            for k in range(gradient.shape[1]):
                result[n, c] += float(gradient[n, k]) * float(weights[c, k // group])
    return result


def repeat_in_groups(groups: Array, group: int) -> Array:
    """(…, groups) -> (…, groups * group): each number for all outputs of its group."""
    return np.repeat(groups, group, axis=-1)


def sum_groups(gradient: Array, group: int) -> Array:
    """(…, groups * group) -> (…, groups): the sum over each group, as gradients go back."""
    apart = gradient.reshape(*gradient.shape[:-1], gradient.shape[-1] // group, group)
    return np.asarray(apart.sum(-1))


def grouped_dense(x: Array, weights: Array, group: int) -> Array:
    """(n, inputs), (inputs, groups) -> (n, groups * group)."""
    return repeat_in_groups(times_each_row(x, weights), group)


def grouped_dense_weight_gradient(x: Array, gradient: Array, group: int) -> Array:
    """∂L/∂W (inputs, groups) from x (n, inputs) and ∂L/∂O (n, groups * group)."""
    return x.T @ sum_groups(gradient, group)


def grouped_dense_input_gradient(gradient: Array, weights: Array, group: int) -> Array:
    """∂L/∂X (n, inputs) from ∂L/∂O (n, groups * group) and the weights (inputs, groups)."""
    return sum_groups(gradient, group) @ weights.T
