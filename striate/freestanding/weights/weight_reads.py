"""Which weights a plan's steps multiply by, and which of them they add up together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.freestanding.weights.weight_origins import Origins
from striate.nest.algebra import Binary, Strides, Tensor, strides_of, tensors_in
from striate.plan.layout import Buffer
from striate.plan.stage import BoundNest

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WeightRead:
    """How a step reads weights.

    Attributes:
        tensor: what it multiplies by.
        rows: the parameters in each of the sums that have weights of their own, as places in
            `Model.flat`; (sums, terms).
        strides: which axes tell these sums apart, and how they number them.
    """

    tensor: Tensor
    rows: Origins
    strides: Strides

    @classmethod
    def of(cls, step: BoundNest, tensor: Tensor, origins: Origins) -> WeightRead:
        """How a step reads a buffer whose numbers have these origins."""
        nest = step.nest
        axes = sorted(dict(tensor.strides), key=lambda axis: -abs(tensor.stride(axis)))
        apart = [axis for axis in axes if axis not in nest.reduce]
        summed = [axis for axis in axes if axis in nest.reduce]

        def elements(names: list[str]) -> npt.NDArray[np.int64]:
            found = np.zeros(1, np.int64)
            for name in names:
                moved = tensor.stride(name) * np.arange(nest.extent(name))
                found = (found[:, None] + moved).ravel()
            return found

        start = step.places[tensor.buffer].offset + tensor.offset
        rows = origins[start + elements(apart)[:, None] + elements(summed)]
        sizes = [nest.extent(axis) for axis in apart]
        steps = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(apart)}
        return cls(tensor, rows, strides_of(steps))


def weight_of(step: BoundNest, constants: Collection[Buffer]) -> Tensor | None:
    """The constants that each term of a step's sums is multiplied by, if it does nothing else with
    them and all that it does can be done with scaled ones.
    """
    nest = step.nest
    if nest.reduction != "sum" or len(nest.terms) != 1 or nest.goes_on or nest.counted:
        return None
    (term,) = nest.terms
    if not isinstance(term, Binary) or term.operation != "mul":
        return None
    factors = [
        side
        for side in (term.left, term.right)
        if isinstance(side, Tensor) and step.places[side.buffer].buffer in constants
    ]
    if len(factors) != 1:
        return None
    (factor,) = factors
    looked_up = factor.rows is not None or bool(factor.shift)
    if looked_up or factor.element != "real" or factor.buffer in step.advance:
        return None
    every = (*nest.terms, *nest.initial, *(store.value for store in nest.stores))
    reads = [t.buffer for expression in every for t in tensors_in(expression)]
    return factor if reads.count(factor.buffer) == 1 else None


def labels_of(reads: Iterable[WeightRead], size: int) -> Labels:
    """Numbers for sets of parameters, the same for all that any sum adds up; -1 for those that none
    does.

    Args:
        reads: the sums.
        size: how many parameters there are.
    """
    labels, uses = np.full(size, -1), np.zeros(size, np.int64)
    rows: list[tuple[Origins, bool]] = []
    for read in reads:
        labels[read.rows] = read.rows
        times = np.bincount(read.rows.ravel(), minlength=size)
        uses += times
        rows.append((read.rows, bool(times.max() > 1)))
    shared = bool(uses.max(initial=0) > 1)
    changed = True
    while changed:  # each set comes to have its least number
        changed = False
        for each, repeats in rows:
            held = labels[each]
            least = held.min(axis=1, keepdims=True)
            if np.array_equal(held, np.broadcast_to(least, held.shape)):
                continue
            if repeats:
                np.minimum.at(labels, each, least)
            else:
                labels[each] = least
            changed = shared
    count = np.cumsum(labels == np.arange(size)) - 1
    return np.where(labels < 0, -1, count[labels])
