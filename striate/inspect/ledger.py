"""The ledger: rows and columns that nobody reads, and changes with which somebody would.

Other libraries drop what does not fill a last stride without a word. Here it is an error unless a
layer says uncovered="drop"; then this tells what that costs, in the image and layer by layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.text import counted, plural, sizes
from striate.inspect.masks import Mask, as_image, followed_back, read_by
from striate.inspect.reach import image_of
from striate.layers.layer import WindowLayer
from striate.ops.shapes import Pads, Shape

if TYPE_CHECKING:
    from striate.model.model import Model

MOST_CURES = 4
"""For each layer, of each kind."""
MOST_RUNS = 6
"""Of rows or columns in a text; of more the first three and the last."""


@dataclass(frozen=True)
class Unread:
    """Rows and columns of which no output reads a single pixel."""

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
    """Another value of a layer's argument, "padding" or "stride", and its output's shape then."""

    layer: str
    argument: str
    value: str | tuple[int, ...]
    output_shape: Shape

    def __str__(self) -> str:
        value = f'"{self.value}"' if isinstance(self.value, str) else str(self.value)
        return f"{self.layer} with {self.argument}={value} → {sizes(self.output_shape)}"


@dataclass(frozen=True)
class Cure:
    """Changes with which the network was built and followed again.

    Attributes:
        changes: of one layer, or of several where no single one is enough.
        unread: what nobody reads of the image then: nothing, unless other layers leave out more.
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


@dataclass(frozen=True)
class Ledger:
    """What a network leaves unread. ``str()`` tells it in lines.

    Attributes:
        input_shape: of the image.
        unread: rows, columns and pixels of the image that no output of the network reads.
        layers: the layers that leave rows or columns of their own input unread.
        cures: changes with which less of the image is unread, all of them tried.
        tried: how many changes were tried.
    """

    input_shape: Shape
    unread: Unread
    layers: tuple[LayerLedger, ...]
    cures: tuple[Cure, ...]
    tried: int

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return asdict(self)

    @property
    def sentences(self) -> list[str]:
        """What is unread of the image, and of which layers' inputs."""
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
    """Which rows and columns no output reads, and which padding or stride would cure it.

    For each layer that leaves something out, paddings and strides near its own are put in its
    place, one at a time; the network is built anew with each and followed from its outputs back to
    the image. Those with which fewer pixels stay unread are listed, the best first. Where no single
    change is enough, several layers are changed together.

    Raises ValueError for a network that does not read images.
    """
    image_of(network, "ledger")
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
    """What one layer leaves of its own inputs, if all its outputs are wanted."""
    vertex, shapes = network.nodes[index], network.input_shapes(index)
    outputs = np.ones(as_image(vertex.shape), bool)
    parts = read_by(vertex.layer.reads(*shapes), outputs, shapes)
    return _unread(np.all([part.any(-1) for part in parts], axis=0))


def unread_image(network: Model) -> Unread:
    """What no output of the network reads of its image."""
    last = len(network.nodes) - 1
    masks = followed_back(network, last, np.ones(network.nodes[last].shape, bool))
    return _unread(np.asarray(masks[-1].any(-1)))


def _unread(read: Mask) -> Unread:
    """Of a mask (rows, columns) of what is read."""
    rows, columns = (~read.any(axis) for axis in (1, 0))
    return Unread(
        tuple(np.nonzero(rows)[0].tolist()),
        tuple(np.nonzero(columns)[0].tolist()),
        int(np.count_nonzero(~read)),
    )


def _changes(layer: object, shape: Shape) -> Iterator[tuple[str, str | tuple[int, ...]]]:
    """Paddings and strides near a layer's own with which its window may reach all of its input."""
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
        # The nearest strides with which windows lie side by side or overlap, and fit.
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
    """Both lists made as long as the longer one, by its last element."""
    most = max(map(len, strides))
    return [list_ + [list_[-1]] * (most - len(list_)) if list_ else [] for list_ in strides]


def _changed(
    network: Model, index: int, argument: str, value: str | tuple[int, ...]
) -> Model | None:
    """The network with one argument of one layer changed; None if the sizes do not fit then."""
    from striate.model.model import Model

    config = network.get_config()
    node = config["nodes"][index]
    changed = list(value) if isinstance(value, tuple) else value
    node["config"] = node["config"] | {argument: changed}
    try:
        return Model.from_config(config, seed=None)
    except ValueError:
        return None


def _cure(network: Model, other: Model, changed: dict[int, tuple[str, Any]]) -> Cure:
    """What a changed network leaves unread."""
    changes = tuple(
        Change(network.nodes[index].name, argument, value, other.nodes[index].shape)
        for index, (argument, value) in changed.items()
    )
    return Cure(changes, unread_image(other), _count(other) - _count(network))


def _padded_throughout(network: Model) -> Cure | None:
    """From the first layer to the last, padding wherever something is left out."""
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
    """3, 5…7; of many runs the first ones and the last."""
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
