"""Shapes of images, filters and outputs: the order of axes, and the size rule of windows.

The order of axes is the same everywhere. Images are NHWC: number of the image, height, width,
channels, so that the channels of a pixel lie next to each other in memory. Filters of a
convolution are HWIO: height, width, input channels, output channels. A `Shape` never includes the
batch axis: that of an image is ``(height, width, channels)``, that of a vector ``(features,)``.

Formulas and loop nests name the axes by letters:

    n       image of the batch
    y, x    row and column of the output
    h, w    row and column of the input, also its height and width
    c       input channel
    k       output channel, which is the number of the filter
    r, s    row and column of the filter
    g       group of channels, in which c and k then count from 0
    v       lane of a vector register

The size rule: along one axis a window reads ``R = dilation * (size - 1) + 1`` pixels and moves by
``S``. Over ``I`` pixels with ``P_before`` and ``P_after`` pixels of padding it has

    (I - R + P_before + P_after) / S + 1

positions. This must be a whole number; "a good library should throw an exception" if it is not
(*From Convolution to Neural Network*, section Hyperparameters), so striate does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from striate.common.arguments import whole_number
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import choices, decimal, plural

Shape = tuple[int, ...]
Pair = tuple[int, int]
IntOrPair = int | Pair
"""A size as a user writes it: one number for both axes, or (height, width)."""
Pads = tuple[int, int, int, int]
"""Padding as (top, bottom, left, right)."""
Padding = int | str | Pair | Pads
"""Padding as a user writes it: "valid", "same", one number, (vertical, horizontal) or Pads."""

AXES = ("height", "width")
LINES = ("row", "column")


# Checks of single arguments. `who` names the layer in the message.


def pair(value: object, what: str, who: str) -> Pair:
    """A positive whole number, or two of them, as (height, width).

    Raises:
        TypeError: something else than whole numbers.
        ValueError: a number is out of range, or there are not two.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise StriateValueError(
                f"{who}: {what} must be one number or (height, width), got {len(value)} numbers: "
                f"{tuple(value)}"
            )
        down, across = value
        return (
            whole_number(down, f"{what} (height)", who),
            whole_number(across, f"{what} (width)", who),
        )
    number = whole_number(value, what, who)
    return (number, number)


def nearest_divisors(number: int, wanted: int, most: int = 4) -> str:
    """The divisors of `number` nearest to `wanted`, as text for an error: "2, 4 or 8"."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    every = {*small, *(number // d for d in small)}
    return choices(sorted(sorted(every, key=lambda d: (abs(d - wanted), d))[:most]))


def check_groups(groups: int, channels: int, filters: int, who: str) -> None:
    """Check that `groups` divides the channels of the input.

    Raises:
        ValueError: it does not; the message has the numbers that fit.
    """
    if channels % groups:
        common = math.gcd(channels, filters)
        fitting = [count for count in range(1, min(common, 64) + 1) if common % count == 0]
        raise StriateValueError(
            f"{who}: groups={groups} does not divide the {channels} channels of its "
            f"input; with {filters} filters, groups may be {', '.join(map(str, fitting))}"
        )


def check_padding(value: object, who: str, what: str = "padding") -> Padding:
    """`value` if it is a way to write padding; lists become tuples.

    Raises:
        TypeError: a number is not whole.
        ValueError: it is none of these ways, or a number is negative.
    """
    ways = '"valid", "same", a number, (vertical, horizontal) or (top, bottom, left, right)'
    if isinstance(value, str):
        if value not in ("valid", "same"):
            raise StriateValueError(f"{who}: {what} must be {ways}, got {value!r}")
        return value
    if isinstance(value, (tuple, list)):
        if len(value) not in (2, 4):
            raise StriateValueError(f"{who}: {what} must be {ways}, got {tuple(value)}")
        sides = tuple(whole_number(side, what, who, minimum=0) for side in value)
        return (sides[0], sides[1]) if len(sides) == 2 else (sides[0], sides[1], sides[2], sides[3])
    return whole_number(value, what, who, minimum=0)


def four_sides(border: Padding) -> Pads:
    """(top, bottom, left, right) of a border that is written in numbers."""
    if isinstance(border, tuple):
        return border if len(border) == 4 else (border[0], border[0], border[1], border[1])
    assert isinstance(border, int)  # words depend on the image: see `resolve_pads`
    return (border,) * 4


def as_image_shape(shape: Shape) -> Shape:
    """A shape as it is, but that of a signal (length, channels) as (1, length, channels)."""
    return (1, *shape) if isinstance(shape, (tuple, list)) and len(shape) == 2 else shape


def check_shape(value: object, what: str, who: str) -> Shape:
    """A shape without the batch axis: (features,) or (height, width, channels), all positive.

    Raises:
        TypeError: it is not made of whole numbers.
        ValueError: it has other axes, or a number is out of range.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise StriateTypeError(f"{who}: {what} must be a tuple of whole numbers, got {value!r}")
    shape = tuple(whole_number(extent, what, who) for extent in value)
    if len(shape) not in (1, 3):
        raise StriateValueError(
            f"{who}: {what} must be (height, width, channels) or (features,), without the batch "
            f"axis; got {shape}" + (f": write {(*shape, 1)} for gray images" * (len(shape) == 2))
        )
    return shape


# The size rule.


def extent(size: int, dilation: int) -> int:
    """R: the pixels that a window of `size` taps spans when they lie `dilation` apart."""
    return dilation * (size - 1) + 1


def resolve_pads(
    padding: Padding, image: Pair, size: Pair, stride: Pair, dilation: Pair = (1, 1)
) -> Pads:
    """(top, bottom, left, right) for a padding as a user writes it.

    "same" gives ceil(I / S) outputs; of an odd total the extra pixel goes to the bottom or right.
    """
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        sides: list[int] = []
        for pixels, taps, step, gap in zip(image, size, stride, dilation, strict=True):
            outputs = -(-pixels // step)
            total = max((outputs - 1) * step + extent(taps, gap) - pixels, 0)
            sides += [total // 2, total - total // 2]
        return (sides[0], sides[1], sides[2], sides[3])
    return four_sides(padding)


def window_outputs(
    image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads, who: str, exact: bool = True
) -> Pair:
    """Output (height, width) of a window sliding over an image.

    Args:
        image: (height, width) of the input.
        size, stride, dilation: of the window, along both axes.
        pads: the padding.
        who: what slides, for messages.
        exact: whether every pixel must be read: the size rule must give a whole number.

    Raises:
        ValueError: the window is larger than the padded image, or, with `exact`, the size rule
            gives no whole number; the message lists values that would fit.
    """
    outputs: list[int] = []
    misfits: list[_Misfit] = []
    fitting = list(pads)
    for axis in (0, 1):
        before, after = pads[2 * axis : 2 * axis + 2]
        reach = extent(size[axis], dilation[axis])
        room = image[axis] - reach + before + after
        if room < 0:
            raise StriateValueError(
                _too_large(who, axis, image[axis], size[axis], dilation[axis], before, after)
            )
        steps, rest = divmod(room, stride[axis])
        outputs.append(steps + 1)
        if rest and exact:
            misfits.append(_Misfit(axis, image[axis], reach, before, after, stride[axis]))
            fitting[2 * axis + 1] += stride[axis] - rest
    if misfits:
        raise StriateValueError(
            f"{who}: (I - R + P_before + P_after)/S + 1 = {_told(misfits)}. Or choose "
            f'padding={tuple(fitting)} (top, bottom, left, right), padding="same", or '
            'uncovered="drop" to leave them unread, as other libraries do silently.'
        )
    return (outputs[0], outputs[1])


def overhanging_outputs(
    image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads, who: str
) -> Pair:
    """Output (height, width) where a last window is kept although it hangs over the end.

    It must start inside the image or the padding before it. This is PyTorch's and ONNX's
    ``ceil_mode``.

    Raises:
        ValueError: the window is larger than the padded image by a stride or more.
    """
    outputs: list[int] = []
    for axis in (0, 1):
        before, after = pads[2 * axis : 2 * axis + 2]
        reach, step = extent(size[axis], dilation[axis]), stride[axis]
        room = image[axis] - reach + before + after
        count = -(-room // step) + 1
        if count < 1:
            raise StriateValueError(
                _too_large(who, axis, image[axis], size[axis], dilation[axis], before, after)
            )
        last = (count - 1) * step
        outputs.append(count - (count > 1 and last >= image[axis] + before))
    return (outputs[0], outputs[1])


def with_overhang(
    image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads, outputs: Pair
) -> Pads:
    """The padding, with what the last of so many windows read beyond it."""
    after = (
        max(
            pads[2 * axis + 1],
            (outputs[axis] - 1) * stride[axis]
            + extent(size[axis], dilation[axis])
            - image[axis]
            - pads[2 * axis],
        )
        for axis in (0, 1)
    )
    bottom, right = after
    return (pads[0], bottom, pads[2], right)


def uncovered(image: Pair, size: Pair, stride: Pair, dilation: Pair, pads: Pads) -> Pair:
    """Rows and columns at the bottom and right that no output reads with uncovered="drop"."""
    rows, columns = (
        max(
            (image[axis] - extent(size[axis], dilation[axis]) + sum(pads[2 * axis : 2 * axis + 2]))
            % stride[axis]
            - pads[2 * axis + 1],
            0,
        )
        for axis in (0, 1)
    )
    return (rows, columns)


def _too_large(
    who: str, axis: int, pixels: int, size: int, dilation: int, before: int, after: int
) -> str:
    reach = extent(size, dilation)
    window = f"size {size}" + (
        f" with dilation {dilation} reaches over {reach} pixels and" * (dilation > 1)
    )
    padded = f"{pixels} + {before} + {after} = {pixels + before + after}" * (before + after > 0)
    missing = reach - pixels - before - after
    largest = (pixels + before + after - 1) // dilation + 1
    return (
        f"{who}: {window} is larger than the {AXES[axis]} of its input, {padded or pixels} pixels. "
        f"Choose a size of at most {largest} along the {AXES[axis]}, at least {missing} more "
        f"pixels of padding, an input {AXES[axis]} of at least {pixels + missing}, "
        "or fewer pooling and strided layers before this one"
    )


@dataclass(frozen=True)
class _Misfit:
    """The size rule along an axis where it gives no whole number."""

    axis: int
    pixels: int
    reach: int
    before: int
    after: int
    stride: int

    @property
    def room(self) -> int:
        """The pixels that the window can move."""
        return self.pixels - self.reach + self.before + self.after

    @property
    def rule(self) -> str:
        """The rule with the numbers put in."""
        value = decimal(Fraction(self.room, self.stride) + 1)
        return (
            f"({self.pixels} - {self.reach} + {self.before} + {self.after})/{self.stride} + 1 = "
            f"{value}"
        )

    @property
    def unread(self) -> str:
        """What no output reads."""
        rest = self.room % self.stride
        return f"the last {rest} {plural(rest, LINES[self.axis])}"

    @property
    def strides(self) -> str:
        """The strides nearest to this one that would fit."""
        found = sorted(
            (step for step in range(1, min(self.room, 64) + 1) if self.room % step == 0),
            key=lambda step: (abs(step - self.stride), step),
        )[:3]
        return choices(sorted(found))

    @property
    def inputs(self) -> str:
        """The input sizes nearest to this one that would fit."""
        below = self.pixels - self.room % self.stride
        return choices([size for size in (below, below + self.stride) if size > 0])


def _told(misfits: Sequence[_Misfit]) -> str:
    """Along which axes the rule gives no whole number, and what would fit.

    Two axes with the same numbers are told together.
    """
    first, *rest = misfits
    along, unread = AXES[first.axis], first.unread
    if rest and replace(rest[0], axis=first.axis) == first:
        along, unread = " and ".join(AXES), f"{unread} and {rest[0].unread}"
        rest = []
    told = (
        f"{first.rule} is not whole along the {along}: {unread} of the padded input would never "
        f"be read. What would fit: stride {first.strides}; an input {along} of {first.inputs}"
    )
    for other in rest:
        name = AXES[other.axis]
        told += (
            f"; along the {name}, where it is {other.rule}: stride {other.strides}; "
            f"an input {name} of {other.inputs}"
        )
    return told


# Receptive fields.


@dataclass(frozen=True)
class Field:
    """The receptive fields of a node's outputs in the network's input, along both axes.

    The field of output (i, j) has the rows ``first[0] + i*jump[0] … last[0] + i*jump[0]`` and the
    columns likewise; rows outside the image are padding.

    Attributes:
        first, last: the first and last (row, column) of the field of output (0, 0).
        jump: the distance in pixels between the fields of neighbouring outputs.
    """

    first: Pair = (0, 0)
    last: Pair = (0, 0)
    jump: Pair = (1, 1)

    @property
    def size(self) -> Pair:
        """(height, width) of the receptive field of one output, padding included."""
        return (self.last[0] - self.first[0] + 1, self.last[1] - self.first[1] + 1)

    def through(self, reach: Pair, stride: Pair = (1, 1), pads: Pads = (0, 0, 0, 0)) -> Field:
        """The field after a window of `reach` pixels (see `extent`) moving by `stride`."""
        first, last, jump = zip(
            *(
                (
                    self.first[axis] - pads[2 * axis] * self.jump[axis],
                    self.last[axis] + (reach[axis] - 1 - pads[2 * axis]) * self.jump[axis],
                    self.jump[axis] * stride[axis],
                )
                for axis in (0, 1)
            ),
            strict=True,
        )
        return Field(first, last, jump)

    def through_transposed(self, reach: Pair, stride: Pair, pads: Pads, whole: Field) -> Field:
        """The field after a transposed convolution, whose neighbouring outputs are closer.

        It covers what they read, with up to a stride more at both ends; it is `whole` where the
        stride does not divide `jump`.
        """
        if any(jump % step for jump, step in zip(self.jump, stride, strict=True)):
            return whole
        first, last, jump = zip(
            *(
                (
                    self.first[axis] + (pads[2 * axis] - reach[axis] + 1) * closer,
                    self.last[axis] + pads[2 * axis] * closer,
                    closer,
                )
                for axis, closer in enumerate(
                    jump // step for jump, step in zip(self.jump, stride, strict=True)
                )
            ),
            strict=True,
        )
        return Field(first, last, jump)

    def union(self, other: Field) -> Field:
        """The field of a node that reads two nodes (Add, Concat)."""
        return Field(
            (min(self.first[0], other.first[0]), min(self.first[1], other.first[1])),
            (max(self.last[0], other.last[0]), max(self.last[1], other.last[1])),
            (max(self.jump[0], other.jump[0]), max(self.jump[1], other.jump[1])),
        )
