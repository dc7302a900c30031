"""Several views of an image, whose outputs are averaged: test-time augmentation.

What a network says of an image and of its mirror image differs a little; the average is right more
often than either (K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, which has the
six views, too).  It is for pictures in which left and right, or a pixel to either side, make no
difference: a mirrored digit is another digit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from striate.common.arrays import Array

VIEWS = {
    "plain": "each image as it is",
    "mirrored": "it and its mirror image",
    "moved": "those two, and both moved by a pixel up and left, and down and right",
}
"""What can be averaged, and what that is."""


def check_views(views: str, input_shape: tuple[int, ...]) -> None:
    """Refuse views that are unknown, or that inputs of this shape do not have.

    Raises:
        ValueError: then.
    """
    if views not in VIEWS:
        raise ValueError(f"Network: views must be one of {', '.join(VIEWS)}, got {views!r}")
    if views != "plain" and len(input_shape) != 3:
        raise ValueError(
            f"Network: views={views!r} needs images (height, width, channels), but the network "
            f"reads {input_shape}; use views='plain'"
        )


def views_of(images: Array, views: str) -> Iterator[tuple[float, Array]]:
    """Weights, which sum to 1, and views (n, height, width, channels) of `images`.

    Of the six the two in place weigh as much as the four that are moved.  What is moved in at an
    edge repeats the edge.
    """
    if views == "plain":
        yield 1.0, images
        return
    if views == "moved":
        height, width = images.shape[1:3]
        wider = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        moved = [wider[:, at : at + height, at : at + width] for at in (0, 2)]
        places = [(0.25, images), *((0.125, image) for image in moved)]
    else:
        places = [(0.5, images)]
    for weight, image in places:
        yield weight, np.ascontiguousarray(image)
        yield weight, np.ascontiguousarray(image[:, :, ::-1])
