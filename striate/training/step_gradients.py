"""The loss of one batch and its gradients by parameter, for training loops of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from striate.common.arrays import Floats, as_array
from striate.common.errors import StriateValueError
from striate.optim.losses import Loss, LossFunction
from striate.training.random_streams import Stream, check_seed, image_keys
from striate.training.sample_weights import check_sample_weight, normalised
from striate.training.targets import as_images, choose_loss, make_targets

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model


def gradients(
    network: Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    loss: Loss | LossFunction | str | None,
    sample_weight: ArrayLike | None,
    seed: int,
    engine_for: Callable[[Loss, int], Engine],
) -> tuple[float, dict[str, Floats]]:
    """The loss of a batch in training mode, and its gradients: see `Network.gradients`.

    Args:
        network: the network.
        images, labels, loss, sample_weight, seed: as there.
        engine_for: makes an engine for a loss and batches of so many images, or finds it.
    """
    checked = as_images(network, images)
    answers = as_array(labels, "targets")
    if answers.ndim == 0 or len(answers) != len(checked):
        raise StriateValueError(f"there are {len(checked)} images but {answers.size} targets")
    if not len(checked):
        raise StriateValueError("there are no images to compute gradients for")
    criterion = choose_loss(loss, answers, network.answers.kind)
    rows = np.arange(len(checked))
    targets = make_targets(network, answers, criterion)[rows]
    weights = normalised(check_sample_weight(sample_weight, len(checked)))
    keys = image_keys(check_seed(seed), Stream.DROPOUT, 0, rows)
    engine = engine_for(criterion, len(checked))
    value, _ = engine.step(checked, targets, weights, keys)
    flat = engine.gradient.astype(np.float32)  # a copy, or one of the engine's own
    return value, {
        f"{network.nodes[slot.node].name}/{slot.parameter.name}": flat[slot.start : slot.stop]
        .reshape(slot.parameter.shape)
        .copy()
        for slot in network.slots
        if slot.node not in network.frozen_nodes
    }
