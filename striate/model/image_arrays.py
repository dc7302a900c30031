"""Checks a user's images against the input shape of a network."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.ops.shapes import Shape


def check_images(images: Array, input_shape: Shape) -> Array:
    """Images as an array (n, *input_shape) of real numbers.

    Gray images may come without the channel axis.

    Raises:
        TypeError, ValueError: they are no real numbers, or of another shape; the message says
            what to do.
    """
    images = np.asarray(images)
    if images.dtype.kind not in "buif":
        raise StriateTypeError(f"images must be an array of real numbers, got dtype {images.dtype}")
    if input_shape[-1] == 1 and images.shape[1:] == input_shape[:-1]:
        images = images[..., None]
    if images.shape[1:] != input_shape:
        advice = ""
        if images.shape == input_shape or (*images.shape, 1) == input_shape:
            advice = "; for a single image add the batch axis: images[None]"
        raise StriateValueError(
            f"the network reads images of shape (n, {', '.join(map(str, input_shape))}), "
            f"got {images.shape}{advice}"
        )
    return images
