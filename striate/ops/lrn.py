"""Local response normalisation (Krizhevsky, Sutskever, Hinton 2012), over neighbouring channels.

    output[c] = x[c] · d[c]^-beta        d[c] = bias + alpha/size · Σ x[j]²

The sum goes over the `size` channels from c - ⌊(size - 1)/2⌋ to c + ⌈(size - 1)/2⌉, as far as there
are any; alpha is divided by `size` even where there are fewer. So do ONNX and PyTorch.
"""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array


def neighbours(size: int) -> tuple[int, int]:
    """How many channels the window of `size` has before and after the one in question."""
    return (size - 1) // 2, size // 2


def lrn_loops(x: Array, size: int, alpha: float, beta: float, bias: float) -> Array:
    """One number at a time, in float64."""
    output, channels = np.zeros(x.shape), x.shape[-1]
    for index in np.ndindex(x.shape):
        *pixel, c = index
        total = 0.0
        for j in range(c - (size - 1) // 2, c + size // 2 + 1):
            if 0 <= j < channels:
                total += float(x[(*pixel, j)]) ** 2
        output[index] = float(x[index]) / (bias + alpha / size * total) ** beta
    return output


def denominators(x: Array, size: int, alpha: float, bias: float) -> Array:
    """d, like x."""
    number = x.dtype.type
    return np.asarray(number(bias) + number(alpha / size) * _sums(x * x, *neighbours(size)))


def lrn(x: Array, d: Array, beta: float) -> Array:
    """The output from the input and its denominators."""
    return np.asarray(x * d ** x.dtype.type(-beta))


def lrn_input_gradient(
    gradient: Array, x: Array, d: Array, size: int, alpha: float, beta: float
) -> Array:
    """∂L/∂x: what x does to its own output, and to the denominators of its neighbours."""
    number = x.dtype.type
    power = d ** number(-beta)
    before, after = neighbours(size)
    shares = _sums(gradient * x * power / d, after, before)  # those in whose windows x is
    return np.asarray(gradient * power - number(2 * alpha * beta / size) * x * shares)


def _sums(x: Array, before: int, after: int) -> Array:
    """The sum over each channel and so many before and after it."""
    channels = x.shape[-1]
    total = x.copy()
    for step in range(1, min(before, channels - 1) + 1):
        total[..., step:] += x[..., :-step]
    for step in range(1, min(after, channels - 1) + 1):
        total[..., :-step] += x[..., step:]
    return total
