"""The input stage of a plan: images are read, augmented, normalised and laid out in one pass.

Of one image, with `x` as it was given, the step computes

    for every row y, column x and channel c:
        value = image[row of y, column of x, c]        moved or mirrored: tables say what is where
        value = rint(value * factor), at most 255      brighter or darker (floats: the product)
        value = padding[c], where y, x was outside the image
        value = colour[c], where y, x is inside the square
        out[y, x, c] = (value - mean[c]) * scale[c]

in one pass over a block of images, as the first step of the task that goes on with this block.
Images are read where the user's array has them, by a table of addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.nest.algebra import Expression, Index, Nest, Store, Tensor, strides_of
from striate.nest.elementary import minimum, rint, where
from striate.plan.inputs import InputFormat
from striate.plan.layout import EVERY_PIXEL, Access, Buffer, Image, Location

if TYPE_CHECKING:
    from striate.model.preprocessing import Preprocessing
    from striate.plan.layout import Axes
    from striate.plan.lowering.builder import Builder

SIDES = ("top", "bottom", "left", "right")
"""Those of a rectangle."""


class InputStage:
    """The input step of a plan, and the memory through which it is told what to read.

    With images in the lanes a vector holds one pixel of many images; else it runs along a row of
    one image, `e` being column and channel in one.

    Attributes:
        raw, addresses: where images are copied to, or else where each begins.
        places, amounts: of each image, where its rows and columns begin in the tables of these; and
            one number for each of `names`, such as its factor.
        colours: that of padding, and of what is cut out, per number of a `period`.
    """

    def __init__(self, builder: Builder, image: Image, loading: InputFormat) -> None:
        self.builder, self.image, self.loading = builder, image, loading
        self.lanes = lanes = builder.lanes
        self.flat = lanes == 1
        pixels = lanes * image.features
        self.raw = Buffer("raw", pixels, loading.element, "block")
        self.addresses = Buffer("image addresses", lanes, "u64", "block", near=pixels)
        self.places = Buffer("image places", 2 * lanes, "i32", "block", near=0)
        self.names = [
            *(["factor"] if loading.brightness else []),
            *(f"padding {side}" for side in SIDES if loading.padded),
            *(f"cut {side}" for side in SIDES if loading.cut),
        ]
        size = max(len(self.names), 1) * lanes
        self.amounts = Buffer("image amounts", size, "real", "block", near=0)
        margin = loading.margin or 0
        self._wide = (image.width + 2 * margin) * (image.channels if self.flat else 1)
        self._rows = Buffer("source rows", image.height + 2 * margin, "i32", "global")
        self._columns = Buffer("source columns", 2 * self._wide, "i32", "global")
        # Numbers per channel: with rows in the lanes they are repeated for every column.
        self.period = image.width * image.channels if self.flat else image.channels
        self._scale = builder.buffer("pixel factor", self.period, "global")
        self._mean = builder.buffer("pixel mean", self.period, "global")
        self.colours = builder.buffer("colours", 2 * self.period, "global")

    # --- the step --------------------------------------------------------------------------

    def record(self) -> None:
        """The nest over one block of images."""
        image, lanes, loading = self.image, self.lanes, self.loading
        value: Expression = self._source()
        if loading.brightness:
            value = value * self._amount("factor")
            value = minimum(rint(value), 255.0) if loading.element == "u8" else value
        if loading.padded:
            value = where(self._depth("padding"), ">", -0.5, value, self._colour(0))
        if loading.cut:
            value = where(self._depth("cut"), ">", -0.5, self._colour(1), value)
        value = (value - self._per_channel("mean")) * self._per_channel("scale")
        if self.flat:
            axes: Axes = (("y", image.height), ("e", self.period))
            out = image.tensor("out", Access({"y": 1}, {}, {"e": 1}))
        else:
            axes = (("y", image.height), ("x", image.width), ("c", image.channels), ("v", lanes))
            out = image.tensor("out", EVERY_PIXEL)
        nest = Nest(axes, stores=(Store(out, value),))
        memory = {
            "raw": self.raw, "addresses": self.addresses, "places": self.places,
            "amounts": self.amounts, "rows": self._rows, "columns": self._columns,
            "scale": self._scale, "mean": self._mean, "colours": self.colours,
            "out": image.buffer,
        }  # fmt: skip
        places = {role: Location(memory[role]) for role in nest.buffers}
        self.builder.recorder.blockwise(nest, places)

    def _source(self) -> Tensor:
        """The pixels as they come."""
        image, element = self.image, self.loading.element
        row = image.width * image.channels
        pixel = {"e": 1} if self.flat else {"x": image.channels, "c": 1}
        if not self.loading.direct:
            form = {**self._lane(image.features), "y": row, **pixel}
            return Tensor("raw", strides_of(form), element=element)
        address = strides_of(self._lane())
        if self.loading.margin is None:
            form = {"y": row, **pixel}
            return Tensor("addresses", strides_of(form), 0, element, address)
        first, second = (
            Tensor("places", strides_of(self._lane()), i * self.lanes, "i32") for i in range(2)
        )
        along = "e" if self.flat else "x"
        rows = Tensor("rows", strides_of({"y": 1}), 0, "i32", shift=(first,))
        columns = Tensor("columns", strides_of({along: 1}), 0, "i32", shift=(second,))
        channel = {} if self.flat else {"c": 1}
        return Tensor("addresses", strides_of(channel), 0, element, address, (rows, columns))

    def _depth(self, what: str) -> Expression:
        """How far a pixel is inside a rectangle of each image; below 0 outside."""
        y, x = Index((("y", 1),)), Index((("e" if self.flat else "x", 1),))
        top, bottom, left, right = (self._amount(f"{what} {side}") for side in SIDES)
        return minimum(minimum(y - top, bottom - y), minimum(x - left, right - x))

    def _amount(self, name: str) -> Tensor:
        return Tensor("amounts", strides_of(self._lane()), self.names.index(name) * self.lanes)

    def _colour(self, number: int) -> Tensor:
        return self._per_channel("colours", number * self.period)

    def _per_channel(self, role: str, offset: int = 0) -> Tensor:
        return Tensor(role, strides_of({"e" if self.flat else "c": 1}), offset)

    def _lane(self, stride: int = 1) -> dict[str, int]:
        return {} if self.flat else {"v": stride}

    # --- the memory ------------------------------------------------------------------------

    def bind(self, arrays: Mapping[Buffer, Array]) -> None:
        """Find the memory of what the step uses, and write what stays the same."""
        self._arrays = arrays
        loading, image = self.loading, self.image
        if not loading.direct or loading.margin is None:
            return
        lines = _sources(image.height, loading.margin, loading.reflect)
        pixels = _sources(image.width, loading.margin, loading.reflect)[:, None]
        pixels = pixels * image.channels
        if self.flat:
            pixels = pixels + np.arange(image.channels)
        both = np.concatenate([pixels.ravel(), pixels[::-1].ravel()])
        arrays[self._rows][: lines.size] = lines * (image.width * image.channels)
        arrays[self._columns][: both.size] = both

    @unwatched
    def set_preprocessing(self, preprocessing: Preprocessing) -> None:
        """What becomes of a value of each channel: (value - mean) * scale, the scale 1 / std."""
        mean: npt.ArrayLike = 0.0
        scale: npt.ArrayLike = 1.0
        if not preprocessing.is_identity:
            mean, scale = preprocessing.mean, 1 / np.asarray(preprocessing.std, np.float64)
        for buffer, values in ((self._mean, mean), (self._scale, scale)):
            self._arrays[buffer][: self.period] = np.resize(values, self.period)

    @property
    def of_batch(self) -> list[Buffer]:
        """What a batch fills, of the memory that the step uses: see
        `striate.plan.input_tables.InputTables`.
        """
        loading = self.loading
        if not loading.direct:
            return [self.raw]
        return [
            self.addresses,
            *([self.places] if loading.margin is not None else []),
            *([self.amounts] if self.names else []),
            *([self.colours] if loading.padded or loading.cut else []),
        ]


def _sources(length: int, margin: int, reflect: bool) -> npt.NDArray[np.intp]:
    """Which of `length` lines each line of an image with a margin shows."""
    lines = np.arange(-margin, length + margin)
    if reflect:
        return np.asarray(length - 1 - np.abs(length - 1 - np.abs(lines)))
    return np.clip(lines, 0, length - 1)
