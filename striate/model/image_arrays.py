"""Checks a user's images against a network: its input shape, and the scale of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_real_array, looks_channels_first
from striate.common.errors import StriateValueError
from striate.common.rows_on_demand import on_demand
from striate.common.text import number
from striate.common.warn import warn_user
from striate.ops.shapes import Shape

if TYPE_CHECKING:
    from striate.model.model import Model

# Images and numbers of each channel that are looked at: enough to tell 0…1 from 0…255.
_IMAGES, _PIXELS = 16, 4096
# Of standardised numbers: means of their absolute values are about 1, and so is their spread.  One
# dull image may be far below, but hardly so far; several are not.
_LARGEST_MEAN, _SMALLEST_SPREAD = 10.0, 0.03
_LARGEST_MEAN_OF_SEVERAL, _SMALLEST_SPREAD_OF_SEVERAL = 6.0, 0.1
_SEVERAL = 8
# A network whose brightest pixels are above this was not trained on 0…1.
_MORE_THAN_ONE = 8.0


def check_images(given: Any, input_shape: Shape) -> Array:
    """Images as an array (n, *input_shape) of real numbers.

    Gray images may come without the channel axis, and signals, which are images of height 1,
    without that height: (n, length, channels).

    Raises:
        TypeError, ValueError: they are no real numbers, or of another shape; the message says
            what to do.
    """
    images = cast("Array", given) if on_demand(given) else as_real_array(given, "images")
    if input_shape[-1] == 1 and images.shape[1:] == input_shape[:-1]:
        images = images[..., None]
    if len(input_shape) == 3 and input_shape[0] == 1 and images.shape[1:] == input_shape[1:]:
        images = images[:, None]
    if images.shape[1:] != input_shape:
        advice = ""
        if images.shape == input_shape or (*images.shape, 1) == input_shape:
            advice = "; for a single image add the batch axis: images[None]"
        elif images.ndim == 4 and (*images.shape[2:], images.shape[1]) == input_shape:
            advice = "; channels come last here: np.moveaxis(images, 1, -1)"
        elif images.ndim == 3 and (*images.shape[1:], images.shape[0]) == input_shape:
            advice = "; channels come last here: np.moveaxis(images, 0, -1)[None]"
        raise StriateValueError(
            f"the network reads images of shape (n, {', '.join(map(str, input_shape))}), "
            f"got {images.shape}{advice}"
        )
    return images


def raw_images(network: Model, images: Any) -> Array:
    """`check_images` for a network, with a warning if the images are on another scale than those
    whose mean and deviation it knows: 0…1 for a network that was trained on 0…255, or the reverse.
    """
    checked = check_images(images, network.input_shape)
    warn_of_other_scale(network, checked)
    return checked


@unwatched
def warn_of_other_scale(network: Model, images: Array) -> None:
    """Warn if raw images (n, *shape) cannot be like those that the network's statistics are of."""
    known = network.preprocessing
    if known.is_identity or not images.size:
        return
    some = images[:: max(1, len(images) // _IMAGES)][:_IMAGES]
    pixels = some.reshape(-1, images.shape[-1])
    pixels = pixels[:: max(1, len(pixels) // _PIXELS)].astype(np.float64)
    mean, std = np.array(known.mean), np.array(known.std)
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite(low) or not np.isfinite(high) or low == high:
        return
    with np.errstate(all="ignore"):
        brightest = _of_half(mean + 2 * std)
        distance = _of_half((np.abs(pixels - mean) / std).mean(axis=0))
        spread = _of_half(pixels.std(axis=0) / std)
    if (std == 1).all() and (mean > 1).all():
        # Only the mean of pixels is taken, as networks of old do: no deviation tells the scale.
        distance, spread = 0.0, 1.0
    several = len(some) >= _SEVERAL
    most = _LARGEST_MEAN_OF_SEVERAL if several else _LARGEST_MEAN
    least = _SMALLEST_SPREAD_OF_SEVERAL if several else _SMALLEST_SPREAD
    # The rows of flat features may well be alike: one of them is varied, and the others are not.
    dull = images.ndim == 4 and 0 < spread < least
    fractions = low >= 0 and high <= 1 and bool((pixels % 1 != 0).any())
    if distance > most or dull or (fractions and brightest > _MORE_THAN_ONE):
        warn_user(
            f"the images hold numbers from {number(low)} to {number(high)}, but the network was "
            f"trained on images with a mean of {number(float(mean.mean()))} and a deviation of "
            f"{number(float(std.mean()))} (its preprocessing): give images on that scale, or the "
            "answers mean nothing"
        )


def _of_half(values: Array) -> float:
    """What half of the channels are above, or more: one of them alone says nothing of a scale."""
    return float(np.sort(values)[(len(values) - 1) // 2])


def warn_of_channels_first(shape: Shape, what: str) -> None:
    """Warn if images of `shape` look like (channels, height, width)."""
    if looks_channels_first(shape):
        warn_user(
            f"{what} of shape {tuple(shape)} are {shape[0]} pixels high and have {shape[2]} "
            "channels; if they are channels-first, give np.moveaxis(images, 1, -1)"
        )
