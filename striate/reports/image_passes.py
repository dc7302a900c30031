"""Images through the network and back, one by one: each has its own gradients of the weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.common.short_repr import short_repr
from striate.inspect.values import Tape
from striate.optim.losses import SoftmaxCrossEntropy
from striate.reports.loss_gradients import LossGradients, joined_gradients, loss_gradients
from striate.reports.saliency import saliency

if TYPE_CHECKING:
    from striate.network import Network


@short_repr
@dataclass(frozen=True, eq=False)
class ImagePasses:
    """What n images make of the network.

    Attributes:
        values: the output of each node, float32 (n, *shape); -1 is the preprocessed input.
        saliency: of the predicted class, float32 (n, height, width).
        gradients: of the loss, for the true class.
    """

    values: Mapping[int, Floats]
    saliency: Floats
    gradients: LossGradients


def image_passes(
    network: Network,
    images: Array,
    truth: npt.NDArray[np.intp],
    guesses: npt.NDArray[np.intp],
    loss: SoftmaxCrossEntropy,
    weights_of: Collection[int],
) -> ImagePasses:
    """The passes of some images.

    Args:
        network: a classifier.
        images: raw, (n, height, width, channels).
        truth, guesses: the classes that they are and that the network takes them for, (n,).
        loss: with the label smoothing of the training.
        weights_of: the nodes of whose parameters gradients are wanted.
    """
    values: dict[int, list[Array]] = {}
    salient: list[Array] = []
    gradients: list[LossGradients] = []
    for i in range(len(images)):
        tape = Tape(network, images[i : i + 1])
        for index, output in tape.values.items():
            values.setdefault(index, []).append(output)
        salient.append(saliency(tape, guesses[i : i + 1]))
        gradients.append(loss_gradients(tape, truth[i : i + 1], loss, weights_of))
    return ImagePasses(
        {index: np.concatenate(outputs) for index, outputs in values.items()},
        np.concatenate(salient),
        joined_gradients(gradients),
    )
