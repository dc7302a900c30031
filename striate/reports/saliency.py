"""Saliency maps: the gradient of a class's score with respect to each pixel.

After Simonyan, Vedaldi and Zisserman, arXiv:1312.6034.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats
from striate.inspect.values import Tape


def saliency(tape: Tape, outputs: npt.NDArray[np.intp]) -> Floats:
    """Compute |∂ output / ∂ input| of one output of each image; of several channels the largest.

    Args:
        tape: a recorded pass of a network of images, up to its vector of scores.
        outputs: the output for each image of the tape, (n,).

    Returns:
        float32 (n, height, width): how much the score of class `outputs[i]` would change if a
        pixel of image i changed a little.
    """
    last = len(tape.network.nodes) - 1
    return np.asarray(np.abs(tape.gradient(last, (outputs,))).max(axis=3), np.float32)
