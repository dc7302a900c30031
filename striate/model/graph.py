"""Graphs of layers: their order, the names of layers, and graphs built from a description."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from striate.common.arguments import whole_number
from striate.common.budget import check_all_activations, check_graph
from striate.common.errors import StriateTypeError, StriateValueError
from striate.layers import LAYERS, Input, Layer, Node
from striate.ops.shapes import Shape


@dataclass(frozen=True)
class Vertex:
    """A layer in the graph of a network.

    Attributes:
        layer: the layer.
        inputs: the indices of the vertices that it reads, all earlier ones; -1 is the network's
            input.
        shape: of its output, without the batch axis.
        name: of the layer, unique in the network.
    """

    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    name: str


def chain(layers: Sequence[Layer], input_shape: Shape) -> Node:
    """The output node of a chain of layers, each of which reads the one before."""
    if isinstance(layers, Layer) or not isinstance(layers, Sequence):
        raise StriateTypeError(f"Network: layers must be a list of layers, got {layers!r}")
    if not layers:
        raise StriateValueError("Network: the list of layers is empty")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise StriateTypeError(
                f"Network: {layer!r} is not a layer"
                + "; write it with parentheses" * isinstance(layer, type)
            )
    check_graph(len(layers), len(layers))
    node = Input(input_shape)
    for layer in _named(layers):
        node = layer(node)
    return node


def _named(layers: Sequence[Layer]) -> list[Layer]:
    """Copies of the layers with unique names: conv2d_1, conv2d_2, …"""
    seen: dict[int, Layer] = {}
    taken: set[str] = set()
    for layer in layers:
        if id(layer) in seen:
            raise StriateValueError(
                f"Network: the same {layer.who} object is used twice; shared weights are not "
                "supported: make a new layer for each place"
            )
        seen[id(layer)] = layer
        if layer.name is not None:
            if layer.name in taken:
                raise StriateValueError(
                    f'Network: two layers are named "{layer.name}"; give each its own name'
                )
            taken.add(layer.name)
    counts: dict[str, int] = {}
    copies: list[Layer] = []
    for layer in layers:
        named = copy.copy(layer)
        while named.name is None:
            counts[layer.kind] = counts.get(layer.kind, 0) + 1
            name = f"{layer.kind}_{counts[layer.kind]}"
            if name not in taken:
                named.name = name
        copies.append(named)
    return copies


def vertices(output: Node, inputs: Node | None) -> tuple[Shape, tuple[Vertex, ...]]:
    """The input's shape, and the vertices that lead to `output`, inputs before their readers."""
    for node in (output, inputs):
        if node is not None and not isinstance(node, Node):
            raise StriateTypeError(f"Network: inputs and output must be nodes, got {node!r}")
    found = _ancestors(output)
    ordered = [found[serial] for serial in sorted(found)]
    sources = [node for node in ordered if node.layer is None]
    if len(sources) > 1:
        raise StriateValueError(
            f"Network: the graph has {len(sources)} inputs, "
            f"{', '.join(str(node.shape) for node in sources)}; a network reads exactly one"
        )
    if inputs is not None and inputs is not sources[0]:
        raise StriateValueError(
            "Network: no path leads from `inputs` to `output`"
            if inputs.layer is None
            else "Network: `inputs` must be the node that Input(shape) returned"
        )
    placed = [node for node in ordered if node.layer is not None]
    check_graph(len(placed), sum(len(node.inputs) for node in placed))
    check_all_activations(
        sum(math.prod(node.shape) for node in ordered), "Network: the output of all layers"
    )
    if not placed:
        raise StriateValueError("Network: the output is the input itself; add at least one layer")
    layers = _named([node.layer for node in placed if node.layer is not None])
    index = {node.serial: place for place, node in enumerate(placed)} | {sources[0].serial: -1}
    vertices = tuple(
        Vertex(
            layer,
            tuple(index[source.serial] for source in node.inputs),
            node.shape,
            layer.name or "",
        )
        for node, layer in zip(placed, layers, strict=True)
    )
    return sources[0].shape, vertices


def _ancestors(output: Node) -> dict[int, Node]:
    """`output` and all nodes from which a path leads to it, by serial number."""
    found: dict[int, Node] = {}
    waiting = [output]
    while waiting:
        node = waiting.pop()
        if node.serial not in found:
            found[node.serial] = node
            waiting.extend(node.inputs)
    return found


def rebuild(config: Mapping[str, Any]) -> tuple[Node, Node]:
    """Build the graph of a description from `Network.get_config`, which may be any data.

    Returns:
        The input node and the output node.

    Raises:
        ValueError, TypeError: it is no such description; the message names the node.
    """
    _check_keys(config, {"input_shape", "nodes", "output"}, "the network")
    if not isinstance(config["nodes"], list):
        raise StriateTypeError(f"from_config: nodes must be a list, got {config['nodes']!r}")
    check_graph(len(config["nodes"]), 0, "from_config")
    image = Input(config["input_shape"])
    nodes: list[Node] = []
    edges = 0
    for index, entry in enumerate(config["nodes"]):
        _check_keys(entry, {"type", "name", "inputs", "config"}, f"node {index}")
        layer = _layer(entry["type"], entry["name"], entry["config"], index)
        if not isinstance(entry["inputs"], list):
            raise StriateTypeError(
                f"from_config: {layer.who}: inputs must be a list of node indices"
            )
        edges += len(entry["inputs"])
        check_graph(len(nodes), edges, "from_config")
        sources: list[Node] = []
        for source in entry["inputs"]:
            number = whole_number(source, "an input", f"from_config: {layer.who}", minimum=-1)
            if number >= index:
                raise StriateValueError(
                    f"from_config: {layer.who} (node {index}) reads node {number}; a node can "
                    "only read earlier nodes, as a network has no cycles"
                )
            sources.append(image if number < 0 else nodes[number])
        nodes.append(layer(*sources))
    output = whole_number(config["output"], "output", "from_config", minimum=0)
    if output >= len(nodes):
        raise StriateValueError(
            f"from_config: output is node {output}, but there are {len(nodes)} nodes"
        )
    reached = _ancestors(nodes[output])
    for node in (image, *nodes):
        if node.serial not in reached:
            what = "the input" if node.layer is None else node.layer.who
            raise StriateValueError(f"from_config: no path leads from {what} to the output")
    return image, nodes[output]


def _layer(kind: object, name: object, config: object, index: int) -> Layer:
    if not isinstance(kind, str) or kind not in LAYERS:
        raise StriateValueError(
            f"from_config: node {index} has the unknown layer type {kind!r}; known are "
            f"{', '.join(LAYERS)}"
        )
    if not isinstance(name, str):
        raise StriateTypeError(f"from_config: node {index} ({kind}) must have a name, got {name!r}")
    if not isinstance(config, Mapping):
        raise StriateTypeError(
            f'from_config: {kind} "{name}": config must be a mapping, got {config!r}'
        )
    try:
        return LAYERS[kind](**config, name=name)
    except TypeError as error:
        raise StriateTypeError(f'from_config: {kind} "{name}": {error}') from None


def _check_keys(mapping: object, wanted: set[str], what: str) -> None:
    if not isinstance(mapping, Mapping):
        raise StriateTypeError(f"from_config: {what} must be a mapping, got {mapping!r}")
    if set(mapping) != wanted:
        raise StriateValueError(
            f"from_config: {what} must have the entries {sorted(wanted)}, "
            f"got {sorted(map(str, mapping))}"
        )
