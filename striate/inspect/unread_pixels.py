"""The ledger of a network: rows and columns that no output reads, and changes that cure it.

Where a window and its stride do not fit the image, other libraries silently leave the last pixels
unread. Here it is an error unless a layer has uncovered="drop"; then the ledger says what that
costs, in the image and in the inputs of single layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.short_repr import short_repr
from striate.common.text import counted, plural, sizes
from striate.inspect.read_areas import (
    Area,
    area_of_image,
    lines_read,
    pixels_in,
    through,
    whole,
)
from striate.inspect.receptive_fields import image_size
from striate.layers.layer import WindowLayer
from striate.layers.reads import Window
from striate.ops.shapes import Pads, Shape

if TYPE_CHECKING:
    from striate.model.model import Model

MOST_CURES = 4
"""How many strides are tried for each layer at most."""
MOST_RUNS = 6
"""How many runs of rows or columns a text lists; of more, the first three and the last."""


@short_repr
@dataclass(frozen=True)
class Unread:
    """The unread part of an image or of a layer's input. True if there is any.

    Attributes:
        rows, columns: those of which no output reads a single pixel.
        pixels: how many pixels no output reads, also in other rows and columns.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    pixels: int

    def __bool__(self) -> bool:
        return self.pixels > 0

    def __str__(self) -> str:
        parts = [
            f"{plural(len(lines), what)} {_runs(lines)}"
            for lines, what in ((self.rows, "row"), (self.columns, "column"))
            if lines
        ]
        return " and ".join(parts) or counted(self.pixels, "pixel")


@dataclass(frozen=True)
class Change:
    """A change of a layer's argument.

    Attributes:
        layer: its name.
        argument: "padding" or "stride".
        value: the new value.
        output_shape: the shape of the layer's output with it.
    """

    layer: str
    argument: str
    value: str | tuple[int, ...]
    output_shape: Shape

    def __str__(self) -> str:
        value = f'"{self.value}"' if isinstance(self.value, str) else str(self.value)
        return f"{self.layer} with {self.argument}={value} → {sizes(self.output_shape)}"


@dataclass(frozen=True)
class Cure:
    """Changes with which less of the image is unread, as tried out.

    Attributes:
        changes: of one layer, or of several where no single change is enough.
        unread: the pixels that are still unread.
        parameters: by how many the network's parameters would change.
    """

    changes: tuple[Change, ...]
    unread: Unread
    parameters: int

    def __str__(self) -> str:
        grown = f", {self.parameters:+,} parameters" * bool(self.parameters)
        left = f", leaves {self.unread} unread" if self.unread else ""
        return f"{' and '.join(map(str, self.changes))}{grown}{left}"


@dataclass(frozen=True)
class LayerLedger:
    """A layer that leaves some of its own input unread."""

    name: str
    unread: Unread


@short_repr
@dataclass(frozen=True)
class Ledger:
    """The pixels that a network leaves unread, and cures. ``str()`` writes it out.

    Attributes:
        input_shape: of the image.
        unread: rows, columns and pixels of the image that no output of the network reads.
        layers: the layers that leave rows or columns of their own input unread.
        cures: changes with which less of the image is unread, the best first.
        tried: how many changes were tried.
    """

    input_shape: Shape
    unread: Unread
    layers: tuple[LayerLedger, ...]
    cures: tuple[Cure, ...]
    tried: int

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return asdict(self)

    @property
    def sentences(self) -> list[str]:
        """Sentences on the unread pixels of the image, and of the inputs of layers."""
        height, width = self.input_shape[:2]
        image = f"the image ({height}×{width})"
        share = 100 * self.unread.pixels / (height * width)
        return [
            f"No output reads {self.unread} of {image}: {share:.1f} % of its pixels."
            if self.unread
            else f"Every row and column of {image} is read.",
            *(f"{layer.name} leaves {layer.unread} of its input unread." for layer in self.layers),
        ]

    def __str__(self) -> str:
        lines = self.sentences
        if self.unread and not self.cures:
            lines.append(f"No change of padding or stride near its own helps ({self.tried} tried).")
        if self.cures:
            lines.append("What would cure it, tried:")
            lines += [f"- {cure}" for cure in self.cures]
        return "\n".join(lines)


def ledger(network: Model) -> Ledger:
    """Find rows and columns that no output reads, and paddings or strides that cure it.

    For each layer that leaves pixels unread, paddings and strides near its own are tried one at a
    time: the network is built with each, and traced from its outputs back to the image. Those that
    leave fewer pixels unread are listed, the best first. Where no single change is enough, several
    layers are changed together.

    Raises:
        ValueError: the network does not read images.
    """
    image_size(network, "ledger")
    unread = unread_image(network)
    found: list[LayerLedger] = []
    cures: list[Cure] = []
    tried = 0
    for index, vertex in enumerate(network.nodes):
        missing = left_out(network, index)
        if not missing:
            continue
        found.append(LayerLedger(vertex.name, missing))
        if not unread:
            continue
        for argument, value in _changes(vertex.layer, network.input_shapes(index)[0]):
            tried += 1
            other = _changed(network, index, argument, value)
            if other is not None:
                cures.append(_cure(network, other, {index: (argument, value)}))
    cures = [cure for cure in cures if cure.unread.pixels < unread.pixels]
    if unread and all(cure.unread for cure in cures) and len(found) > 1:
        tried += 1
        several = _padded_throughout(network)
        if several is not None and several.unread.pixels < unread.pixels:
            cures.append(several)
    cures.sort(key=lambda cure: cure.unread.pixels)  # stable: the nearest changes stay first
    return Ledger(network.input_shape, unread, tuple(found), tuple(cures), tried)


def left_out(network: Model, index: int) -> Unread:
    """The pixels of a layer's own inputs that none of its outputs reads."""
    vertex, shapes = network.nodes[index], network.input_shapes(index)
    reads = vertex.layer.reads(*shapes)
    if not isinstance(reads, Window):  # other layers read all that they are given
        return Unread((), (), 0)
    return _outside(through(reads, whole(vertex.shape), shapes[0]))


def unread_image(network: Model) -> Unread:
    """The pixels of the image that no output of the network reads."""
    return _outside(area_of_image(network))


def _outside(area: Area) -> Unread:
    """The pixels that are not in an area."""
    rows, columns = lines_read(area)
    return Unread(
        tuple(np.nonzero(~rows)[0].tolist()),
        tuple(np.nonzero(~columns)[0].tolist()),
        len(rows) * len(columns) - pixels_in(area),
    )


def _changes(layer: object, shape: Shape) -> Iterator[tuple[str, str | tuple[int, ...]]]:
    """Paddings and strides near a layer's own with which its window may read all of its input."""
    if not isinstance(layer, WindowLayer):
        return
    own: Pads = layer.pads(shape)
    rooms: list[list[int]] = []
    strides: list[list[int]] = []
    for axis in (0, 1):
        reach = layer.dilation[axis] * (layer.size[axis] - 1) + 1
        room = shape[axis] - reach + sum(own[2 * axis : 2 * axis + 2])
        step = layer.stride[axis]
        rooms.append([0] if room % step == 0 else [step - room % step])
        # The nearest strides that fit and leave no gap between windows.
        fitting = [s for s in range(1, max(room, 1) + 1) if room % s == 0 and s <= reach]
        if room % step == 0 and step <= reach:
            fitting = [step]
        strides.append(sorted(fitting, key=lambda s: (abs(s - step), s))[:MOST_CURES])
    down, across = rooms[0][0], rooms[1][0]
    top, bottom, left, right = own
    if down or across:
        yield "padding", (top, bottom + down, left, right + across)
        if top + down != top or left + across != left:
            yield "padding", (top + down, bottom, left + across, right)
    if layer.padding != "same":
        yield "padding", "same"
    for pair in zip(*_cycled(strides), strict=True):
        if pair != layer.stride:
            yield "stride", (pair[0], pair[1])


def _cycled(strides: list[list[int]]) -> list[list[int]]:
    """The lists extended to the same length by repeating their last element."""
    most = max(map(len, strides))
    return [list_ + [list_[-1]] * (most - len(list_)) if list_ else [] for list_ in strides]


def _changed(
    network: Model, index: int, argument: str, value: str | tuple[int, ...]
) -> Model | None:
    """The network with one argument of one layer changed, in all its places; None if the sizes do
    not fit then.
    """
    from striate.model.model import Model

    config = network.get_config()
    changed = list(value) if isinstance(value, tuple) else value
    for place, node in enumerate(config["nodes"]):
        if network.owner(place) == network.owner(index):
            node["config"] = node["config"] | {argument: changed}
    try:
        return Model.from_config(config, seed=None)
    except ValueError:
        return None


def _cure(network: Model, other: Model, changed: dict[int, tuple[str, Any]]) -> Cure:
    """The changes of a network as a `Cure`, with the pixels that they leave unread."""
    changes = tuple(
        Change(network.nodes[index].name, argument, value, other.nodes[index].shape)
        for index, (argument, value) in changed.items()
    )
    return Cure(changes, unread_image(other), _count(other) - _count(network))


def _padded_throughout(network: Model) -> Cure | None:
    """The cure that changes every layer with unread inputs, from the first to the last.

    None if some layer cannot be cured.
    """
    now = network
    changed: dict[int, tuple[str, Any]] = {}
    for index in range(len(network.nodes)):
        if not left_out(now, index):
            continue
        for argument, value in _changes(now.nodes[index].layer, now.input_shapes(index)[0]):
            other = _changed(now, index, argument, value)
            if other is not None and not left_out(other, index):
                now, changed[index] = other, (argument, value)
                break
        else:
            return None
    return _cure(network, now, changed)


def _count(network: Model) -> int:
    return sum(math.prod(slot.parameter.shape) for slot in network.slots)


def _runs(lines: tuple[int, ...]) -> str:
    """Numbers as runs, such as "3, 5…7"; of many runs the first ones and the last."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    shown = [str(a) if a == b else f"{a}…{b}" for a, b in runs]
    if len(shown) > MOST_RUNS:
        shown = [*shown[:3], "…", shown[-1]]
    return ", ".join(shown)
