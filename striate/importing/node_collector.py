"""Collects the nodes of a graph and their weights, and makes the network of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateValueError
from striate.importing.axis_view import AxisView, ViewError
from striate.layers import LAYERS, Flatten, GlobalAvgPool2D, GlobalMaxPool2D, Input, Layer, Node
from striate.layers.layer import MOST_IN_NAME
from striate.network import Network

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Foreign:
    """A tensor of another library that depends on the images.

    Attributes:
        node: the value in striate's graph.
        view: how the tensor's axes lie in it.
    """

    node: Node
    view: AxisView

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return self.view.shape


def layer_of(kind: str, **arguments: Any) -> Layer:
    """The layer of a class in `striate.layers.LAYERS`."""
    if kind not in LAYERS:
        raise ViewError(f"striate has no layer {kind}")
    return LAYERS[kind](**arguments)


def as_float32(array: Array, who: str) -> Floats:
    """Weights of any real type as float32.

    Raises:
        StriateValueError: numbers that are not finite, or too large for float32.
    """
    with np.errstate(all="ignore"):
        weights = np.asarray(array).astype(np.float32)
    if not np.isfinite(weights).all():
        raise StriateValueError(
            f"{who}: holds numbers that are not finite as float32; a network with them computes "
            "nothing"
        )
    return weights


class NodeCollector:
    """Collects the nodes of a graph and their weights.

    Attributes:
        image: the input, once `image_input` or `vector_input` has made it.
    """

    def __init__(self) -> None:
        self.image: Foreign | None = None
        self._weights: dict[int, tuple[Arrays, Arrays]] = {}
        self._names: set[str] = set()

    # The input, and the network.

    def image_input(self, batch: int, shape: Sequence[int], letters: str) -> Foreign:
        """The input (height, width, channels) of the network, as a tensor with these axes."""
        view = AxisView.image(batch, shape, letters)
        self.image = Foreign(Input(tuple(shape)), view)
        return self.image

    def vector_input(self, batch: int, features: int) -> Foreign:
        """The input (features,) of the network."""
        self.image = Foreign(Input((features,)), AxisView.vector(batch, features))
        return self.image

    def network(
        self, output: Foreign, heads: Mapping[str, tuple[Foreign, float]] | None = None
    ) -> Network:
        """The network that ends in `output`, with its weights.

        Args:
            output: a value.
            heads: of auxiliary outputs by name, each with the weight of its loss.

        Raises:
            StriateValueError: the output does not depend on the images; too many parameters; a head
                does not fit.
        """
        branches = {name: (value.node, weight) for name, (value, weight) in (heads or {}).items()}
        network = Network(output=output.node, heads=branches, seed=None)
        placed = _placed(output.node, *(node for node, _ in branches.values()))
        names: dict[int, str] = {}
        for node, vertex in zip(placed, network.nodes, strict=True):
            parameters, state = self._weights.get(node.serial, ({}, {}))
            name = names.setdefault(id(node.layer), vertex.name)  # shared by several places
            for arrays, into in ((parameters, network.parameters), (state, network.state)):
                for short, array in arrays.items():
                    into[f"{name}/{short}"][...] = array
        return network

    def add(
        self,
        layer: Layer,
        *nodes: Node,
        parameters: Arrays | None = None,
        state: Arrays | None = None,
    ) -> Node:
        """A node of the graph, with its weights as striate's layers have them."""
        node = layer(*nodes)
        shapes = [source.shape for source in nodes]
        wanted = {p.name: p.shape for p in (*layer.parameters(*shapes), *layer.state(*shapes))}
        given = {**(parameters or {}), **(state or {})}
        for short, array in given.items():
            if short not in wanted or array.shape != wanted[short]:
                raise StriateValueError(
                    f"{layer.who}: its {short} must be {wanted.get(short)}, and are {array.shape}"
                )
        if parameters or state:
            self._weights[node.serial] = (
                {k: as_float32(v, f"{layer.who}: {k}") for k, v in (parameters or {}).items()},
                {k: as_float32(v, f"{layer.who}: {k}") for k, v in (state or {}).items()},
            )
        return node

    def same_weights(self, one: Node, other: Node) -> bool:
        """Whether two nodes have been given the same weights."""
        given, wanted = (self._weights.get(node.serial, ({}, {})) for node in (one, other))
        return all(
            mine.keys() == theirs.keys()
            and all(np.array_equal(mine[short], theirs[short]) for short in mine)
            for mine, theirs in zip(given, wanted, strict=True)
        )

    def name(self, wanted: str | None) -> str | None:
        """A name for a layer that no other has, as near to the wanted one as can be."""
        if wanted is None:
            return None
        clean = "".join(c if c.isprintable() else "?" for c in wanted).replace("/", ".").strip(". ")
        clean = clean[: MOST_IN_NAME - 8]
        if not clean:
            return None
        name, count = clean, 1
        while name in self._names:
            count += 1
            name = f"{clean}_{count}"
        self._names.add(name)
        return name

    # Values as layers need them.

    def elementwise(self, value: Foreign, layer: Layer) -> Foreign:
        """A layer that computes each number from the one in its place, or drops some."""
        return Foreign(self.add(layer, value.node), value.view)

    def in_order(self, value: Foreign) -> Foreign:
        """With the channels stored in the tensor's order: perhaps a channel shuffle."""
        shuffle = value.view.shuffle()
        if shuffle is None:
            return value
        groups, view = shuffle
        return Foreign(self.add(layer_of("ChannelShuffle", groups=groups), value.node), view)

    def as_image(self, value: Foreign, channels: int = 1) -> tuple[Foreign, str]:
        """The value with its channels in order, and what its axes are, for layers with windows."""
        value = self.in_order(self._as_pixel(value, channels))
        return value, value.view.image_letters(value.view.position(channels))

    def as_vector(self, value: Foreign) -> Foreign:
        """An image as the vector that Flatten makes of it."""
        if not value.view.is_image:
            return value
        return Foreign(self.add(layer_of("Flatten"), value.node), value.view.as_vector())

    def features_in(self, value: Foreign, axis: int) -> Foreign:
        """The vector of an image whose numbers all lie in one axis; other values as they are."""
        view = value.view
        whole = set(view.axes[axis]) - {0} == set(range(1, len(view.extents)))
        if view.is_image and whole and not view.holds(axis, view.last):
            return self.as_vector(value)
        return value

    def _as_pixel(self, value: Foreign, channels: int) -> Foreign:
        """A vector that is read as the channels of one pixel, as that image, if it was one.

        Global pooling makes a vector at once, for what follows it is mostly dense.
        """
        view = value.view
        channels = view.position(channels)
        if view.is_image or len(view.shape) not in (3, 4) or not view.is_part(channels, 0):
            return value
        node = self._pixel(value.node)
        if node is None or view.axes[0] != (0,):
            return value
        letters = list("NHW" if len(view.shape) == 4 else "NW")
        letters.insert(channels, "C")
        return Foreign(node, AxisView.image(view.batch, node.shape, "".join(letters)))

    def _pixel(self, node: Node) -> Node | None:
        """The image (1, 1, features) of a vector that pooling made; None of any other."""
        layer, before = node.layer, node.inputs
        if layer is None or len(before) != 1 or len(node.shape) != 1:
            return None
        if len(before[0].shape) == 3:
            if isinstance(layer, Flatten) and before[0].shape[:2] == (1, 1):
                return before[0]
            if isinstance(layer, GlobalAvgPool2D | GlobalMaxPool2D):
                return self.add(type(layer)(keepdims=True), before[0])
            return None
        if layer.parameters(before[0].shape) or layer.state(before[0].shape):
            return None
        image = self._pixel(before[0])
        if image is None or node.shape != before[0].shape:
            return None
        return self.add(type(layer)(**layer.config()), image)


def _placed(output: Node, *heads: Node) -> list[Node]:
    """The nodes with a layer that lead to `output` or a head, in the order of a network's vertices:
    as they were made, but for the output, which is last.
    """
    found: dict[int, Node] = {}
    waiting: list[Node] = [output, *heads]
    while waiting:
        node = waiting.pop()
        if node.serial not in found:
            found[node.serial] = node
            waiting.extend(node.inputs)
    del found[output.serial]
    ordered = [*(found[serial] for serial in sorted(found)), output]
    return [node for node in ordered if node.layer is not None]
