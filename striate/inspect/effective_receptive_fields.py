"""The effective receptive field: the part of its receptive field that a unit responds to.

After W. Luo, Y. Li, R. Urtasun, R. Zemel, *Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks* (2016): the absolute gradient of a central unit with respect to each
pixel, averaged over images. It falls off from the centre like a Gaussian, so that the pixels that
matter are fewer than the receptive field has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import ruled
from striate.common.text import sizes
from striate.inspect.receptive_fields import Box, NetworkReach, layer_index, reach
from striate.inspect.values import Tape
from striate.layers.reads import Pointwise, Reshaped

if TYPE_CHECKING:
    from striate.common.arrays import Array
    from striate.model.model import Model

THRESHOLD = 1 - 0.9545
"""The share of the largest gradient from which a pixel counts, as in Luo et al."""
CHANNELS = 4
"""How many channels of a layer are averaged over by default, at even distances."""


@short_repr
@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The effective receptive field of a unit.

    Attributes:
        layer: the name of the unit's layer.
        unit: its (row, column); () in a vector.
        channels: the channels of the layer that were averaged over.
        images: the number of images that were averaged over.
        field: the receptive field, padding included.
        heat: the mean of |∂ unit / ∂ pixel| over images and channels, summed over the image's
            channels, float64 (height, width).
    """

    layer: str
    unit: tuple[int, ...]
    channels: tuple[int, ...]
    images: int
    field: Box
    heat: npt.NDArray[np.float64]

    @property
    def is_dead(self) -> bool:
        """Whether the gradient is 0 for all images, as behind a ReLU that is never active."""
        return not self.heat.any()

    @property
    def size(self) -> float:
        """The side of a square of as many pixels as have 4.55 % of the largest gradient or more."""
        if self.is_dead:
            return 0.0
        return math.sqrt(np.count_nonzero(self.heat >= THRESHOLD * self.heat.max()))

    @property
    def deviation(self) -> tuple[float, float]:
        """The standard deviation of the gradient's position, in pixels, along height and width."""
        if self.is_dead:
            return (0.0, 0.0)
        found: list[float] = []
        for axis in (0, 1):
            mass = self.heat.sum(1 - axis) / self.heat.sum()
            places = np.arange(len(mass))
            mean = (mass * places).sum()
            found.append(math.sqrt((mass * (places - mean) ** 2).sum()))
        return (found[0], found[1])

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return {
            "layer": self.layer,
            "unit": list(self.unit),
            "channels": list(self.channels),
            "images": self.images,
            "field": {"rows": list(self.field.rows), "columns": list(self.field.columns)},
            "size": self.size,
            "deviation": list(self.deviation),
            "heat": self.heat.tolist(),
        }

    def __str__(self) -> str:
        height, width = self.field.size
        of = f"{self.layer}, unit {self.unit}" if self.unit else self.layer
        if self.is_dead:
            return f"{of}: no image of {self.images} moves it"
        down, across = self.deviation
        return (
            f"{of}: field {height}×{width}, effective {self.size:.1f}×{self.size:.1f}, "
            f"deviation {down:.2f} and {across:.2f} pixels ({self.images} images)"
        )


@short_repr
@dataclass(frozen=True, eq=False)
class Effective:
    """The effective receptive fields of several layers. ``str()`` is a table.

    Attributes:
        images: the number of images that were averaged over.
        fields: one for each layer.
    """

    images: int
    fields: tuple[EffectiveField, ...]

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return {"images": self.images, "fields": [field.to_dict() for field in self.fields]}

    def __str__(self) -> str:
        lines: list[Sequence[str]] = [("layer", "unit", "field", "effective", "deviation")]
        for field in self.fields:
            dead = field.is_dead
            lines.append(
                (
                    field.layer,
                    ", ".join(map(str, field.unit)),
                    sizes(field.field.size),
                    "·" if dead else f"{field.size:.1f}×{field.size:.1f}",
                    "·" if dead else f"{field.deviation[0]:.2f}, {field.deviation[1]:.2f}",
                )
            )
        return (
            f"{ruled(lines)}\n"
            "Effective: pixels of at least 4.55 % of the largest |∂ unit / ∂ pixel|, the mean of\n"
            f"{self.images} images, as a square; deviation: of that derivative's place, in pixels."
        )


def effective_fields(
    network: Model,
    images: Array,
    layer: str | None = None,
    unit: tuple[int, ...] | None = None,
    *,
    channels: int = CHANNELS,
) -> Effective:
    """Measure the effective receptive fields of one layer, or of the central units of all layers.

    Layers that do not change the field (activations, normalisation, Flatten) are left out, unless
    `layer` names one. The arguments and errors are those of `effective_field`.
    """
    names = [layer]
    if layer is None:
        names = [
            vertex.name
            for index, vertex in enumerate(network.nodes)
            if not isinstance(
                vertex.layer.reads(*network.input_shapes(index)), Pointwise | Reshaped
            )
        ] or [network.nodes[-1].name]
    seen = reach(network)
    most = _checked(channels, images)
    last = max(_index(seen, name) for name in names)
    tape = Tape(network, images, len(network.nodes) - 1 if len(names) > 1 else last)
    fields = [_measured(seen, tape, _index(seen, name), unit, most) for name in names]
    return Effective(len(images), tuple(fields))


def effective_field(
    network: Model,
    images: Array,
    layer: str | None = None,
    unit: tuple[int, ...] | None = None,
    *,
    channels: int = CHANNELS,
) -> EffectiveField:
    """Measure the effective receptive field of a unit.

    Args:
        network: the network; its weights matter, so measure before and after training.
        images: raw, (n, height, width, channels). A few dozen are enough.
        layer: the name of the unit's layer; by default the last one whose output is an image.
        unit: (row, column), (row, column, channel) or, of a vector, (feature,); by default the
            central one.
        channels: over how many of the layer's channels (or features) to average, where `unit`
            does not say which.

    Raises:
        ValueError: there is no such layer or unit, or the images are not the network's.
    """
    seen = reach(network)
    most = _checked(channels, images)
    index = _index(seen, layer)
    return _measured(seen, Tape(network, images, index), index, unit, most)


def _checked(channels: int, images: Array) -> int:
    if len(images) == 0:
        raise StriateValueError("effective_field: there are no images")
    return whole_number(channels, "channels", "effective_field")


def _index(seen: NetworkReach, layer: str | None) -> int:
    """The index of a layer; for None that of the last one whose output is an image."""
    if layer is not None:
        return layer_index(seen.network, layer)
    spatial = [index for index, found in enumerate(seen.layers) if len(found.shape) == 3]
    return (spatial or [len(seen.layers) - 1])[-1]


def _measured(
    seen: NetworkReach, tape: Tape, index: int, unit: tuple[int, ...] | None, most: int
) -> EffectiveField:
    """The effective field of one unit, from a recorded forward pass of the images."""
    layer = seen.layers[index]
    shape = layer.shape
    if unit is not None:
        layer.unit(*unit)  # raises if there is none
    place: tuple[int, ...] = ()
    if len(shape) == 3:
        place = (shape[0] // 2, shape[1] // 2) if unit is None else tuple(unit[:2])
    if unit is not None and len(unit) == len(shape):
        chosen = [int(unit[-1])]
    else:
        chosen = sorted({int(c) for c in np.linspace(0, shape[-1] - 1, min(most, shape[-1]))})
    heat = np.zeros(seen.network.input_shape[:2])
    for channel in chosen:
        gradient = np.abs(tape.gradient(index, (*place, channel)), dtype=np.float64)
        heat += gradient.sum(-1).mean(0) / len(chosen)
    fields = [layer.field(*place, channel) for channel in chosen]
    field = Box(
        (min(f.rows[0] for f in fields), max(f.rows[1] for f in fields)),
        (min(f.columns[0] for f in fields), max(f.columns[1] for f in fields)),
    )
    return EffectiveField(layer.name, place, tuple(chosen), tape.images, field, heat)
