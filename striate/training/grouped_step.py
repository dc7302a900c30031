"""A training step over the groups of a batch.

Each group is one run of the engine, with weights that are those of the whole batch, so that losses
and gradients of the groups add up to those of the batch. Batch normalisation is over a group, as it
is over the part of a batch that one machine has elsewhere; but how large a group is, is a number of
the training and not of the machines. Each group begins with the running statistics of before the
step; the new ones are their means, weighted by images.

All sums are in the order of `striate.ranks.sum_tree`. With one group nothing is added, and a step
is the engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.ranks.sum_tree import SumTree
from striate.training.batches import Batch

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model


class GroupedStep:
    """The forward and backward passes of a batch: fills the engine's `gradient`, and changes the
    network's running statistics.

    Args:
        engine: made for the largest group.
        network: that of the engine.
    """

    def __init__(self, engine: Engine, network: Model) -> None:
        self._engine, self._network = engine, network
        self._tree: SumTree | None = None

    def __call__(self, batch: Batch) -> tuple[float, Array]:
        """The loss of the batch, and the outputs (n, outputs) of its images."""
        if len(batch.groups) == 1:
            (group,) = batch.groups
            return self._engine.step(group.images, group.targets, group.weights, group.keys)
        if self._tree is None:
            self._tree = SumTree(self._network.flat.size + self._network.state_flat.size)
        statistics, images = self._network.state_flat, sum(len(one.keys) for one in batch.groups)
        before = statistics.copy()
        losses, outputs = [], []
        for place, group in enumerate(batch.groups):
            statistics[...] = before
            loss, found = self._engine.step(group.images, group.targets, group.weights, group.keys)
            losses.append(loss)
            outputs.append(found.copy())
            # What they change by: statistics that are kept stay what they are, to the bit.
            change = (statistics - before) * np.float32(len(group.keys) / images)
            self._tree.add(place, self._engine.gradient, change)
        total = self._tree.take()
        weights = self._network.flat.size
        self._engine.gradient[...] = total[:weights]
        np.add(before, total[weights:], out=statistics)
        return sum(losses), np.concatenate(outputs)
