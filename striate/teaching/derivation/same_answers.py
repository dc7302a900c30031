"""Neurons that read the same numbers: with shared weights their answers are the same.

*From Convolution to Neural Network* (section Shared weights) draws a layer with a nonlinear
function σ: "the output is the same, regardless of where the feature x appears along the input
space".
"""

from __future__ import annotations

import math

from striate.common.arrays import Array
from striate.teaching.derivation.derivation_data import DerivationData
from striate.teaching.derivation.figure_connections import corner_of


def sigmoid(value: float) -> float:
    """σ(value) = 1/(1 + e^-value), without overflow."""
    if value < 0:
        return math.exp(value) / (1 + math.exp(value))
    return 1 / (1 + math.exp(-value))


def answers(derivation: DerivationData) -> Array | None:
    """The sum of each neuron of the local stage, (neurons,); None if it was not computed."""
    return derivation.outputs.neurons.get("local") if derivation.outputs else None


def patch_of(derivation: DerivationData, neuron: int) -> tuple[float, ...]:
    """What a neuron reads, window row after row; zeros in the padding."""
    if derivation.windows is None or derivation.picture is None:
        return ()
    height, width, channels = derivation.image
    top, left = corner_of(derivation, neuron)
    rows, columns = derivation.windows.size
    found: list[float] = []
    for y in range(top, top + rows):
        for x in range(left, left + columns):
            inside = 0 <= y < height and 0 <= x < width
            pixel = derivation.picture.pixels[y, x] if inside else [0.0] * channels
            found += map(float, pixel)
    return tuple(found)


def seeing_the_same(derivation: DerivationData, neuron: int | None) -> list[int]:
    """The neurons of a group that read the same numbers as one of them.

    Args:
        derivation: with windows.
        neuron: this one; None for the one of the first group that answers most.
    """
    sums, group = answers(derivation), derivation.group
    if sums is None or group is None:
        return []
    chosen = int(sums[:group].argmax()) if neuron is None else neuron
    first = chosen // group * group
    patch = patch_of(derivation, chosen)
    return [one for one in range(first, first + group) if patch_of(derivation, one) == patch]
