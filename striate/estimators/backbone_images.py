"""Samples of any size and scale as the images that a backbone reads: as `striate train --from`
would make them of image files with the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, looks_channels_first
from striate.common.errors import StriateValueError
from striate.common.rows_on_demand import Rows, RowsOnDemand
from striate.common.text import counted, number, sizes
from striate.data.image_sizes import cut_off
from striate.data.images import refit
from striate.model.image_arrays import warn_of_other_scale
from striate.model.preprocessing import Preprocessing, colour_of
from striate.network import Network
from striate.ops.shapes import Shape

WHITES = (1, 16, 255, 1023, 4095, 16383, 65535)
"""What white may be in samples: of fractions, of scikit-learn's digits, and of 8 to 16 bits."""
MODE = "crop"
"""How images get the size that the backbone reads; see `striate.data.Dataset`."""
# By this share of white values may lie outside the range: so far do images that were resized with
# negative weights.
_BEYOND = 0.1
# Where a network does not say what white is: one of these, the first that its mean and deviation
# allow, as those of numbers from 0 to w add up to 1.21 w at most.
_USUAL_WHITES = (1.0, 16.0, 255.0)
_MEAN_AND_DEVIATION = 1.21


@dataclass(frozen=True)
class BackboneInput:
    """What becomes of samples so that a backbone reads them.

    Pixels become 8-bit, as those of image files are; other sizes are resized by Pillow so that the
    image is covered, of which the centre is cut out; gray becomes three equal channels, and colour
    gray where the backbone reads gray. Samples of the backbone's size keep their pixels' places.

    Attributes:
        given: the shape of a sample, (height, width, channels).
        white: the value of white in the samples.
        wanted: the shape that the backbone reads, (height, width, channels).
        maximum: the value of white there.
    """

    given: Shape
    white: int
    wanted: Shape
    maximum: float

    @classmethod
    def find(cls, network: Network, samples: Array, who: str) -> BackboneInput:
        """Find out what is to become of samples.

        Args:
            network: the backbone's.
            samples: (n, height, width, channels), at least one.
            who: the estimator, for messages.

        Raises:
            StriateValueError: they are no images, have other numbers than brightnesses, or channels
                that cannot become those of the backbone.
        """
        given, wanted = samples.shape[1:], network.input_shape
        if len(given) != 3:
            raise StriateValueError(
                f"{who}: a backbone reads images, but X is flat: give image_shape=(height, width) "
                "or (height, width, channels) if its rows are images"
            )
        ours, theirs = given[2], wanted[2]
        if ours != theirs and not {ours, theirs} <= {1, 3}:
            advice = "give images with 1 or 3"
            if looks_channels_first(given):
                advice = "channels come last here: np.moveaxis(X, 1, -1)"
            raise StriateValueError(
                f"{who}: X holds images {sizes(given)} with {counted(ours, 'channel')}, which "
                f"cannot become the {theirs} that the backbone reads; {advice}"
            )
        low, high = _range(samples)
        white = next((value for value in WHITES if high <= value * (1 + _BEYOND)), None)
        if white is None or low < -_BEYOND * white:
            raise StriateValueError(
                f"{who}: a backbone reads brightnesses, from 0 (black) to 1, 255 or 65,535 "
                f"(white), but X holds numbers from {number(low)} to {number(high)}: give raw "
                "pixels, and leave out what standardises them"
            )
        found = cls(given, white, wanted, _white_of(network.preprocessing))
        warn_of_other_scale(network, found._made(samples[:: max(1, len(samples) // 8)][:8]))
        return found

    def images(self, samples: Array, who: str) -> Array:
        """The images (n, *wanted), each made when it is asked for, of samples (n, *given).

        Raises:
            StriateValueError: they are on another scale than those of the training.
        """
        if len(samples):
            low, high = _range(samples)
            if not -_BEYOND * self.white <= low <= high <= (1 + _BEYOND) * self.white:
                raise StriateValueError(
                    f"{who}: X holds numbers from {number(low)} to {number(high)}, but it was "
                    f"fitted to images from 0 (black) to {self.white:,} (white): give images on "
                    "that scale"
                )
        return cast("Array", BackboneImages(self, samples))

    @property
    def keeps_pixels(self) -> bool:
        """Whether the backbone reads samples as they are, but for fractions of 8-bit values."""
        return self.given == self.wanted and self.white == self.maximum

    def preprocessing(self, known: Preprocessing) -> Preprocessing:
        """The backbone's preprocessing, with how image files become such images."""
        height, width, channels = self.wanted
        resize: dict[str, Any] = {"height": height, "width": width, "mode": MODE}
        if self.maximum != 255:
            resize["maximum"] = self.maximum
        return replace(known, resize=resize, colour=colour_of(channels))

    @property
    def description(self) -> str:
        """In a sentence, for people."""
        told = (
            f"Images: {sizes(self.given)} from 0 (black) to {self.white:,} (white) become "
            f"{sizes(self.wanted)}"
        )
        if self.given[:2] == self.wanted[:2]:
            return told
        return f"{told}; {cut_off(np.array([self.given[:2]], np.int32), *self.wanted[:2])}"

    @unwatched
    def _made(self, samples: Array) -> Array:
        """The images of a few samples."""
        pixels = samples
        if pixels.dtype != np.uint8 or self.white != 255:
            scaled = pixels.astype(np.float32) * np.float32(255 / self.white)
            pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        height, width, channels = self.wanted
        colour = None if channels == self.given[2] else colour_of(channels)
        pixels = refit(pixels, (height, width), colour, MODE)
        return pixels if self.maximum == 255 else pixels * np.float32(self.maximum / 255)


class BackboneImages(RowsOnDemand):
    """Samples as a backbone reads them, each made when it is asked for: resized they may be many
    times as large.
    """

    def __init__(self, reading: BackboneInput, samples: Array) -> None:
        self._reading, self._samples = reading, samples
        self.shape = (len(samples), *reading.wanted)
        self.dtype = np.dtype(np.uint8 if reading.maximum == 255 else np.float32)

    def read(self, rows: Rows) -> NDArray[Any]:
        """Return these rows, as the backbone reads them."""
        return self._reading._made(self._samples[rows])

    def part(self, rows: Rows) -> BackboneImages:
        """Return these rows, still to be made."""
        return BackboneImages(self._reading, self._samples[rows])


def _range(samples: Array) -> tuple[float, float]:
    return float(samples.min()), float(samples.max())


def _white_of(known: Preprocessing) -> float:
    """The value of white in what a network reads."""
    if known.resize is not None:
        return float(known.resize.get("maximum", 255))
    if known.is_identity:
        return 255.0
    least = max(map(sum, zip(known.mean, known.std, strict=True))) / _MEAN_AND_DEVIATION
    return next((white for white in _USUAL_WHITES if least <= white), 255.0)
