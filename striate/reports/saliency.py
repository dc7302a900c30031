"""What of an image counts: the gradient of Simonyan, Vedaldi and Zisserman (arXiv:1312.6034)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats
from striate.inspect.values import Tape


def saliency(tape: Tape, outputs: npt.NDArray[np.intp]) -> Floats:
    """|∂ output / ∂ input| of one output of each image: (n, height, width), the largest channel's.

    How much the score of class `outputs[i]` would change if a pixel of image i changed a little.

    Args:
        tape: of a network of images with a vector of scores, run to its end.
        outputs: (n,), an output for each image of the tape.
    """
    last = len(tape.network.nodes) - 1
    return np.asarray(np.abs(tape.gradient(last, (outputs,))).max(axis=3), np.float32)
