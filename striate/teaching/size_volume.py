"""The third side of a layer's sizes: channels that come in, filters, and the depth that goes out.

"The output depth O_d is flexible" (*From Convolution to Neural Network*, section Hyperparameters):
it is the number of filters, the article's depth D. No other size enters, and it enters none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from striate.common.arguments import whole_number
from striate.common.text import counted, sizes
from striate.teaching.given_arrays import agreed

WHO = "size"


@dataclass(frozen=True)
class Depths:
    """What was given of the depths.

    Attributes:
        channels: of the input; None if it was not said.
        filters: of the layer, which is the depth of the output; None if it was not said.
    """

    channels: int | None
    filters: int | None


@dataclass(frozen=True)
class VolumeSizes:
    """A layer as a volume.

    Attributes:
        channels: the depth of the input.
        filters: the depth of the output; None if it was not said.
        window: the height and width of a filter, None if only one axis is known.
        output: the height and width of the output, one number if only one axis is known.
    """

    channels: int
    filters: int | None
    window: tuple[int, int] | None
    output: tuple[int, ...]

    @property
    def weights(self) -> int | None:
        """The weights of one filter, without its bias."""
        if self.window is None:
            return None
        return self.window[0] * self.window[1] * self.channels

    @property
    def parameters(self) -> int | None:
        """The weights and biases of the layer."""
        if self.weights is None or self.filters is None:
            return None
        return self.filters * (self.weights + 1)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "input_depth": self.channels,
            "filters": self.filters,
            "output": [*self.output, self.filters],
            "weights_of_a_filter": self.weights,
            "parameters": self.parameters,
        }

    def __str__(self) -> str:
        depth = "O_d" if self.filters is None else str(self.filters)
        is_number = "" if self.filters is None else f" = {depth}"
        whole = f"output {sizes(self.output)}×{depth}: its" if self.window else "output: its"
        lines = [f"{whole} depth O_d{is_number} is the number of filters, D in article 001"]
        if self.weights is not None and self.window is not None:
            shape = sizes((*self.window, self.channels))
            reads = f"reads all {self.channels} channels" if self.channels > 1 else "reads the one"
            reads += " channel" * (self.channels == 1)
            end = f"{shape} = {counted(self.weights, 'weight')} and a bias"
            lines.append(f"a filter {reads}: {end}")
            if self.filters is not None:
                lines[-1] += (
                    f"; {counted(self.filters, 'filter')}: {self.filters}·({self.weights} + 1) = "
                    f"{counted(self.parameters or 0, 'parameter')}"
                )
        return "\n".join(lines)


def split_depths(input: Any, output: Any, filters: int | None) -> tuple[Any, Any, Depths | None]:
    """Input and output without their depths, and these; None if nothing was said of any.

    Raises:
        ValueError, TypeError: a depth is not a whole number of at least 1, or the output's is not
            the number of filters.
    """
    bare, depths = [], []
    for value, name in ((input, "input"), (output, "output")):
        deep = isinstance(value, (tuple, list)) and len(value) == 3
        bare.append(tuple(value[:2]) if deep else value)
        depths.append(whole_number(value[2], f"{name} (depth)", WHO) if deep else None)
    count = None if filters is None else whole_number(filters, "filters", WHO)
    agreed_filters = agreed(WHO, "number of filters", None, filters=count, output=depths[1])
    if depths[0] is None and agreed_filters is None:
        return bare[0], bare[1], None
    return bare[0], bare[1], Depths(depths[0], agreed_filters)


def volume_of(depths: Depths, filters: Sequence[int], outputs: Sequence[int]) -> VolumeSizes:
    """The layer as a volume, from its sizes along one axis or two."""
    window = (filters[0], filters[1]) if len(filters) == 2 else None
    return VolumeSizes(depths.channels or 1, depths.filters, window, tuple(outputs))
