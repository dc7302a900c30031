"""Chooses windows and groups that fit: a group has as many neurons as a window has positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from striate.common.errors import StriateValueError
from striate.ops import shapes
from striate.ops.shapes import AXES, Padding, Pads, Pair, nearest_divisors

WHO = "derive"
# The largest window side and the largest stride that are tried where none is given.
_LARGEST, _STEPS = 16, 8


@dataclass(frozen=True)
class Windows:
    """Windows that slide over an image.

    Attributes:
        size, stride: (height, width).
        pads: zeros around the image (top, bottom, left, right).
        positions: number of windows (down, across), by the size rule.
    """

    size: Pair
    stride: Pair
    pads: Pads
    positions: Pair

    @property
    def count(self) -> int:
        """The number of windows."""
        return self.positions[0] * self.positions[1]

    @property
    def taps(self) -> int:
        """The number of pixels of a window."""
        return self.size[0] * self.size[1]

    def pixels_read(self, image: Pair) -> int:
        """How many pixels all windows read, each counted once per window; without padding."""
        return self._inside(image, 0) * self._inside(image, 1)

    def rows_and_columns(self, image: Pair, position: int) -> tuple[range, range]:
        """The rows and columns of the image that window number `position` reads."""
        found = []
        for axis, at in zip((0, 1), divmod(position, self.positions[1]), strict=True):
            first = at * self.stride[axis] - self.pads[2 * axis]
            found.append(range(max(first, 0), min(first + self.size[axis], image[axis])))
        return found[0], found[1]

    def _inside(self, image: Pair, axis: int) -> int:
        """How many pixels all windows read along one axis.

        Windows inside the image read `size` pixels each; only those over the border are counted
        one by one.
        """
        windows, step, size = self.positions[axis], self.stride[axis], self.size[axis]
        before, pixels = self.pads[2 * axis], image[axis]
        first = min(-(-before // step), windows)  # the first that begins inside
        stop = max(min((pixels + before - size) // step + 1, windows), first)
        total = (stop - first) * size
        for position in (*range(first), *range(stop, windows)):
            start = position * step - before
            total += max(min(start + size, pixels) - max(start, 0), 0)
        return total

    def __str__(self) -> str:
        text = f"{self.size[0]}×{self.size[1]}"
        if self.stride != (1, 1):
            text += f", stride {self.stride[0]}×{self.stride[1]}"
        if any(self.pads):
            text += f", padding {','.join(map(str, self.pads))}"
        return text


def choose(
    image: Pair,
    neurons: int,
    group: int | None,
    size: Pair | None,
    stride: Pair | None,
    padding: Padding | None,
) -> tuple[int | None, Windows | None]:
    """The group and the windows: those given, and a choice that fits for those not given.

    Raises:
        ValueError: they do not fit the image, the neurons or each other.
    """
    if group is not None and neurons % group:
        raise StriateValueError(
            f"{WHO}: {neurons:,} neurons do not fall into groups of {group:,}; choose groups of "
            f"{nearest_divisors(neurons, group)}, or a multiple of {group:,} neurons"
        )
    if size is not None:
        windows = _windows(image, size, stride or (1, 1), padding if padding is not None else 0)
        return _group_of(image, neurons, group, windows), windows
    fitting = list(_fitting(image, neurons, group, stride, padding))
    if fitting:
        best = min(fitting, key=_preference)
        return best.count, best
    if stride is not None or padding is not None:
        raise StriateValueError(
            f"{WHO}: no window up to {_LARGEST}×{_LARGEST} with this stride and padding has a "
            f"number of positions that {_wanted(neurons, group)}; leave them out, or name a window"
        )
    return group, None


def _wanted(neurons: int, group: int | None) -> str:
    return f"divides {neurons:,} neurons" if group is None else f"is a group of {group:,}"


def _preference(windows: Windows) -> tuple[float, ...]:
    """A key for sorting, the best first: windows near to 3×3 that overlap, without padding."""
    height, width = windows.size
    away = abs(max(height, width) - 3) + 2 * (max(windows.stride) - 1)
    return (away + 0.25 * any(windows.pads), height * width)


def _fitting(
    image: Pair, neurons: int, group: int | None, stride: Pair | None, padding: Padding | None
) -> Iterator[Windows]:
    """Square windows, cut to the image, that have a position for each neuron of a group."""
    for side in range(1, min(max(image), _LARGEST) + 1):
        size = (min(side, image[0]), min(side, image[1]))
        steps = [(n, n) for n in range(1, min(side, _STEPS) + 1)] if stride is None else [stride]
        for step in steps:
            around: list[Padding] = [0] if padding is None else [padding]
            if padding is None and step == (1, 1) and side % 2:
                around.append("same")
            for pad in around:
                windows = _positions(image, size, step, pad)
                if isinstance(windows, Windows):
                    # A single window would be the whole image: nothing would be local.
                    fits = neurons % windows.count == 0 and (windows.count > 1 or group == 1)
                    if fits and group in (None, windows.count):
                        yield windows


def _windows(image: Pair, size: Pair, stride: Pair, padding: Padding) -> Windows:
    found = _positions(image, size, stride, padding)
    if isinstance(found, str):
        raise StriateValueError(f"{WHO}: {found}")
    return found


def _positions(image: Pair, size: Pair, stride: Pair, padding: Padding) -> Windows | str:
    """The windows, or a sentence that says why there are none."""
    pads = shapes.resolve_pads(padding, image, size, stride)
    outputs: list[int] = []
    for axis in (0, 1):
        around = pads[2 * axis] + pads[2 * axis + 1]
        room = image[axis] + around - size[axis]
        if room < 0:
            return (
                f"a window of {size[0]}×{size[1]} is larger than the {AXES[axis]} of the image, "
                f"{image[axis]} pixels" + f" and {around} of padding" * (around > 0) + "; choose "
                f"one of at most {min(size[0], image[0])}×{min(size[1], image[1])}, or an image "
                f"{AXES[axis]} of at least {size[axis] - around}"
            )
        outputs.append(room // stride[axis] + 1)
        if room % stride[axis] and padding != "same":
            value = Fraction(room, stride[axis]) + 1
            return (
                f"(I - R + P)/S + 1 = ({image[axis]} - {size[axis]} + {around})/{stride[axis]} + 1 "
                f"= {float(value):.4g} windows are no whole number along the {AXES[axis]}; choose "
                f"a stride of {nearest_divisors(room, stride[axis])}, or an image {AXES[axis]} of "
                f"{image[axis] - room % stride[axis]} or "
                f"{image[axis] - room % stride[axis] + stride[axis]}"
            )
    return Windows(size, stride, pads, (outputs[0], outputs[1]))


def _group_of(image: Pair, neurons: int, group: int | None, windows: Windows) -> int:
    """The number of positions, which is the group's size, or an error with what would fit."""
    count = windows.count
    rule = (
        f"a window of {windows} has {windows.positions[0]} × {windows.positions[1]} = {count:,} "
        f"positions on an image of {image[0]}×{image[1]}, one for each neuron of a group"
    )
    if group is not None and group != count:
        others = [*_fitting(image, neurons, group, None, None)]
        choice = f", or a window of {min(others, key=_preference)}" if others else ""
        here = (
            f"choose groups of {count:,}"
            if neurons % count == 0
            else (f"choose groups of {count:,} and {_multiples(neurons, count)} neurons")
        )
        raise StriateValueError(f"{WHO}: {rule}, but the groups have {group:,}; {here}{choice}")
    if neurons % count:
        others = [*_fitting(image, neurons, None, None, None)]
        choice = f", or a window of {min(others, key=_preference)}" if others else ""
        raise StriateValueError(
            f"{WHO}: {rule}, but {neurons:,} neurons do not fall into groups of {count:,}; choose "
            f"{_multiples(neurons, count)} neurons{choice}"
        )
    return count


def _multiples(neurons: int, count: int) -> str:
    below, above = neurons // count * count, -(-neurons // count) * count
    return f"{above:,}" if below in (0, above) else f"{below:,} or {above:,}"
