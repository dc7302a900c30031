"""Where an image must not be covered: occlusion maps (Zeiler and Fergus, arXiv:1311.2901)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array, Floats
from striate.ops.shapes import Pair

if TYPE_CHECKING:
    from striate.network import Network

ACROSS = 14
"""Places of the patch along the longer side of the image, about."""


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How the probability of a class changes when a patch of the image is covered.

    Attributes:
        change: float32 (n, height, width): for each pixel the mean change over all patches that
            cover it; negative where the class loses.
        patch: (height, width) of the patch in pixels.
        step: pixels between its places.
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
    """Cover a patch of each image at all places, one after the other, and ask again.

    Args:
        images: raw, (n, height, width, channels).
        outputs: (n,), the class of each image whose probability is followed.
        probabilities: (n, classes), of the images as they are.
        options: of `Network.predict_proba`.

    The patch is a quarter of the image along each side (rounded), in the mean colour of its image.
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
        asked = np.repeat(images[image][None], len(places), axis=0)
        for place, (y, x) in enumerate(places):
            asked[place, y : y + patch[0], x : x + patch[1]] = colour[image, 0, 0]
        answers = network.predict_proba(asked, **options)[:, outputs[image]]
        before = probabilities[image, outputs[image]]
        for (y, x), after in zip(places, answers, strict=True):
            total[image, y : y + patch[0], x : x + patch[1]] += after - before
    return Occlusion(total / covered, patch, step, len(places))


def _starts(pixels: int, patch: int, step: int) -> list[int]:
    """Where the patch begins along one axis: every `step` pixels, and flush with the far edge."""
    last = pixels - patch
    return sorted({*range(0, last + 1, step), last})
