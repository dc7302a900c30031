"""Probabilities from the outputs of a network, as its `Answers` say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.model.answers import Answers
from striate.optim.losses import softmax


@unwatched
def probabilities(answers: Answers, outputs: Array) -> NDArray[np.float64]:
    """The probability of each class or label, (n, outputs), in float64.

    Of classes each row sums to 1, as exactly as `numpy.random` asks; of labels each is of its own.

    Args:
        answers: of the network; outputs are divided by its temperature.
        outputs: the network's, (n, outputs).

    Raises:
        ValueError: the outputs are numbers, which have no probabilities, or images.
    """
    if outputs.ndim != 2:
        raise StriateValueError(
            f"Network: the output {outputs.shape[1:]} is an image, not one number per class; "
            "end the network with Dense, or use predict_logits"
        )
    if answers.kind == "numbers":
        raise StriateValueError(
            "the network's outputs are numbers, which have no probabilities: use predict"
        )
    scaled = calibrated(answers, np.asarray(outputs, np.float64))
    if answers.kind == "classes":
        return np.asarray(softmax(scaled))
    from scipy.special import expit

    return np.asarray(expit(scaled))


def calibrated(answers: Answers, outputs: Array) -> Array:
    """Outputs divided by the temperature: their softmax are the network's probabilities."""
    return outputs if answers.temperature == 1 else outputs / answers.temperature
