"""Occlusion maps: how a class's probability changes when a part of the image is covered.

After Zeiler and Fergus, arXiv:1311.2901.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.common.short_repr import short_repr
from striate.confidence.probabilities import calibrated
from striate.ops.shapes import Pair
from striate.optim.losses import softmax

if TYPE_CHECKING:
    from striate.network import Network

ACROSS = 14
"""How many places the patch has along each side of the image, roughly."""


@short_repr
@dataclass(frozen=True, eq=False)
class Occlusion:
    """The occlusion maps of some images.

    Attributes:
        change: for each pixel the mean change of the class's probability over all places of the
            patch that cover it, negative where it falls, float32 (n, height, width).
        patch: (height, width) of the patch in pixels.
        step: pixels between its places, down and across.
        places: how many places there are.
    """

    change: Floats
    patch: Pair
    step: Pair
    places: int


def occlusion(
    network: Network,
    images: Array,
    outputs: npt.NDArray[np.intp],
    probabilities: Array,
    **options: Any,
) -> Occlusion:
    """Cover a patch of each image at one place after the other, and predict each time.

    The patch has a quarter of the image's height and width, and the image's mean colour.

    Args:
        network: the classifier.
        images: raw, (n, height, width, channels).
        outputs: the class of each image whose probability is measured, (n,).
        probabilities: of the uncovered images, (n, classes).
        options: of `Network.predict_logits`.
    """
    count, height, width, _ = images.shape
    patch = (max(1, round(height / 4)), max(1, round(width / 4)))
    step = (max(1, round(height / ACROSS)), max(1, round(width / ACROSS)))
    places = [(y, x) for y in _starts(height, patch[0], step[0])
              for x in _starts(width, patch[1], step[1])]  # fmt: skip
    total = np.zeros((count, height, width), np.float32)
    covered = np.zeros((height, width), np.float32)
    colour = images.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    colour = np.rint(colour) if images.dtype.kind in "bui" else colour
    for y, x in places:
        covered[y : y + patch[0], x : x + patch[1]] += 1
    rows = np.arange(count)
    for image in rows:
        variants = np.repeat(images[image][None], len(places), axis=0)
        for place, (y, x) in enumerate(places):
            variants[place, y : y + patch[0], x : x + patch[1]] = colour[image, 0, 0]
        # In float32, as those of the uncovered images.
        logits = calibrated(network.answers, network.predict_logits(variants, **options))
        predicted = softmax(logits)[:, outputs[image]]
        before = probabilities[image, outputs[image]]
        for (y, x), after in zip(places, predicted, strict=True):
            total[image, y : y + patch[0], x : x + patch[1]] += after - before
    return Occlusion(total / covered, patch, step, len(places))


def _starts(pixels: int, patch: int, step: int) -> list[int]:
    """The first pixels of the patch along one axis: every `step` pixels, and at the far edge."""
    last = pixels - patch
    return sorted({*range(0, last + 1, step), last})
