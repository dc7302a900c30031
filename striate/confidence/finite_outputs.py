"""The outputs of a network, among which a class is chosen: all of them are finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.common.text import counted


class GivesOutputs(Protocol):
    """What is needed of a `Network`."""

    flat: Floats

    @property
    def predict_logits(self) -> Callable[..., Floats]:
        """From raw images to outputs."""


def finite_outputs(network: GivesOutputs, images: Any, **options: Any) -> Floats:
    """The outputs of a network for images; the options are those of `predict_logits`.

    Raises:
        ValueError: an output is not finite.
    """
    outputs = network.predict_logits(images, **options)
    finite = np.isfinite(outputs)
    if not finite.all():
        wrong = ~finite.reshape(len(finite), -1).all(axis=1)
        largest = np.abs(network.flat).max(initial=0)
        raise StriateValueError(
            f"Network: the outputs for {counted(int(wrong.sum()), 'image')}, the first is "
            f"number {int(wrong.argmax())} counted from 0, are not finite; the largest weight "
            f"is {largest:.2g}: if that is too large, the training has diverged or the "
            "weights are damaged, else the image's own numbers are too large"
        )
    return outputs
