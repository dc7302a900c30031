"""The update of a network by its optimiser's own NumPy code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.arrays import Floats
from striate.optim.layerwise import LayerwiseOptimizer

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.optimizers import Optimizer


def update_in_numpy(
    network: Model, optimizer: Optimizer, gradient: Floats, learning_rate: float
) -> None:
    """Update ``network.flat`` in place, but for frozen layers, each at its own learning rate."""
    flat, mask = network.flat, network.decay_mask
    rates = network.learning_rates(learning_rate)
    if isinstance(optimizer, LayerwiseOptimizer):
        tensors = [(start, stop) for start, stop, _ in network.learned_tensors()]
        optimizer.apply(flat, gradient, mask, rates, tensors)
        return
    with network.frozen_kept():
        optimizer.apply(flat, gradient, mask, rates)
