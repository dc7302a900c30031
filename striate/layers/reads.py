"""Which values of its inputs each output of a layer reads, whatever the values are.

Every value is an image (height, width, channels); a vector (features,) is one of a single pixel.
From these few kinds follows what each unit of a network sees: see `striate.inspect`.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.shapes import Pads, Pair


@dataclass(frozen=True)
class Same:
    """Output (row, column, channel) reads the input at the same place: activations."""


@dataclass(frozen=True)
class Everything:
    """Every output reads the whole input: Dense."""


@dataclass(frozen=True)
class Reshaped:
    """The same values in the same order in another shape: Flatten."""


@dataclass(frozen=True)
class Together:
    """Output (row, column, channel) reads that place of each of several inputs: Add."""


@dataclass(frozen=True)
class Beside:
    """The channels of several inputs one after the other: Concat."""


@dataclass(frozen=True)
class Window:
    """Output (y, x) reads the input at y·stride + r·dilation - pads, for all taps r, and likewise
    along the width; places outside the input are padding.

    Channels are split into `groups`, which do not mix: 1 mixes all, as many as there are none.
    """

    size: Pair
    stride: Pair
    dilation: Pair
    pads: Pads
    groups: int


Reads = Same | Everything | Reshaped | Together | Beside | Window
