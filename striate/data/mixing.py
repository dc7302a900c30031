"""Mixup and cutmix: training images made of two, with the targets of both.

mixup (Zhang, Cisse, Dauphin and Lopez-Paz, arXiv:1710.09412): λ x_i + (1 - λ) x_j, with λ of the
beta distribution B(α, α). cutmix (Yun and others, arXiv:1905.04899): a rectangle of x_j, of the
share 1 - λ of the area with its centre anywhere, is pasted into x_i; λ then is the share of x_i
that is left. Targets are mixed by the same λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Floats, Images
from striate.common.short_repr import short_repr


@short_repr
@dataclass(frozen=True)
class Mixing:
    """Which images of a batch are mixed, and how.

    Attributes:
        partners: of each image the index of the one that is mixed into it, (n,).
        shares: how much of each image is left, λ, of 0...1, (n,).
        boxes: (top, left, bottom, right) of the rectangle that is pasted, (n, 4), empty for images
            that are blended as a whole; None if all are.
        pasted: which images get a rectangle, (n,); None if none does.
    """

    partners: npt.NDArray[np.intp]
    shares: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.intp] | None = None
    pasted: npt.NDArray[np.bool_] | None = None

    def images(self, images: Images) -> Images:
        """Return the images, (n, height, width, channels), mixed; uint8 is rounded."""
        mixed = np.empty_like(images)
        kind = np.float32 if images.dtype == np.uint8 else images.dtype
        pairs = zip(self.partners.tolist(), self.shares.astype(kind), strict=True)
        for index, (partner, share) in enumerate(pairs):
            own, other, result = images[index], images[partner], mixed[index]
            if self.boxes is not None and self.pasted is not None and self.pasted[index]:
                top, left, bottom, right = self.boxes[index].tolist()
                result[...] = own
                result[top:bottom, left:right] = other[top:bottom, left:right]
                continue
            blend = own * share
            blend += other * (1 - share)
            result[...] = np.rint(blend, out=blend) if images.dtype == np.uint8 else blend
        return mixed

    def targets(
        self, targets: Floats, weights: npt.NDArray[np.float64]
    ) -> tuple[Floats, npt.NDArray[np.float64]]:
        """Return the targets (n, outputs) and weights (n,) of the mixed images.

        The loss of a mixed image is that of both, each with its own weight and share: the weight
        is λ w_i + (1 - λ) w_j, and the target the mean by these.
        """
        own, other = self.shares * weights, (1 - self.shares) * weights[self.partners]
        total = own + other
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total > 0, own / total, self.shares)[:, None]
        mixed = share * targets + (1 - share) * targets[self.partners]
        return mixed.astype(np.float32), total


def draw_mixing(
    mixup: float, cutmix: float, count: int, height: int, width: int, rng: np.random.Generator
) -> Mixing:
    """Draw for `count` images of a size.

    Args:
        mixup, cutmix: α of the beta distributions; 0 for none. With both every second image, on
            average, is mixed by one of them.
        count, height, width: of the images.
        rng: the source of randomness.
    """
    partners = rng.permutation(count)
    blended = rng.beta(mixup, mixup, count) if mixup else None
    if not cutmix:
        return Mixing(partners, np.ones(count) if blended is None else blended)
    shares = rng.beta(cutmix, cutmix, count)
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    half = 0.5 * np.sqrt(1 - shares)
    down, across = (half * height).astype(np.intp), (half * width).astype(np.intp)
    boxes = np.stack(
        [
            np.maximum(rows - down, 0),
            np.maximum(columns - across, 0),
            np.minimum(rows + down, height),
            np.minimum(columns + across, width),
        ],
        axis=1,
    )
    left = 1 - (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (height * width)
    if blended is None:
        return Mixing(partners, left, boxes, np.ones(count, np.bool_))
    pasted = rng.random(count) < 0.5
    return Mixing(partners, np.where(pasted, left, blended), boxes, pasted)
