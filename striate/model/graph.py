"""Graphs of layers: their order, the names of layers, and graphs built from a description."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from striate.common.arguments import real_number, whole_number
from striate.common.budget import MOST_HEADS, at_most, check_all_activations, check_graph
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut
from striate.layers import LAYERS, Input, Layer, Node
from striate.layers.layer import MOST_IN_NAME, check_name
from striate.ops.shapes import Shape


@dataclass(frozen=True)
class Vertex:
    """A layer in the graph of a network.

    Attributes:
        layer: the layer.
        inputs: the indices of the vertices that it reads, all earlier ones; -1 is the network's
            input.
        shape: of its output, without the batch axis.
        name: of the layer, or of this place of it; unique in the network.
        shares: the index of the first place of the same layer, whose parameters and running
            statistics it uses; None for that place itself, and for layers that have none.
    """

    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape
    name: str
    shares: int | None = None


@dataclass(frozen=True)
class Head:
    """An auxiliary output, which is trained on the same targets by the same loss.

    Attributes:
        node: the index of the vertex that computes it.
        weight: what its loss is multiplied by before it is added to the main output's; > 0.
    """

    node: int
    weight: float


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
    named = _named([(layer, None) for layer in layers])
    # Messages about sizes name the layers; what is the same layer must stay the same.
    copies = {id(layer): copy for layer, copy in reversed([*zip(layers, named, strict=True)])}
    for layer in layers:
        node = copies[id(layer)](node)
    return node


def _named(places: Sequence[tuple[Layer, str | None]]) -> list[Layer]:
    """Copies of the layers with unique names: conv2d_1, conv2d_2, …, and conv2d_1@2 for the second
    place of conv2d_1; unless a place has been given a name.
    """
    first = first_places([layer for layer, _ in places])
    given = [name or (layer.name if first[i] == i else None)
             for i, (layer, name) in enumerate(places)]  # fmt: skip
    taken: set[str] = set()
    for name in given:
        if name is not None and name in taken:
            raise StriateValueError(
                f'Network: two layers are named "{name}"; give each its own name'
            )
        taken |= {name} if name is not None else set()
    counts: dict[str, int] = {}
    copies: list[Layer] = []
    for i, (layer, _) in enumerate(places):
        named, again = copy.copy(layer), first[i] != i
        named.name = given[i]
        stem = f"{copies[first[i]].name}@" if again else f"{layer.kind}_"
        while named.name is None:
            counts[stem] = counts.get(stem, int(again)) + 1
            number = str(counts[stem])
            name = f"{stem[: MOST_IN_NAME - len(number)]}{number}"
            if name not in taken:
                named.name = name
                taken.add(name)
        copies.append(named)
    return copies


def first_places(layers: Sequence[Layer]) -> list[int]:
    """For each layer the index of the first place of the very same object."""
    first: dict[int, int] = {}
    return [first.setdefault(id(layer), index) for index, layer in enumerate(layers)]


def vertices(
    output: Node, inputs: Node | None, heads: Mapping[str, tuple[Node, float]] | None = None
) -> tuple[Shape, tuple[Vertex, ...], dict[str, Head]]:
    """The input's shape, the vertices that lead to `output` and to the heads, inputs before their
    readers and `output` last, and the heads.
    """
    for node in (output, inputs):
        if node is not None and not isinstance(node, Node):
            raise StriateTypeError(f"Network: inputs and output must be nodes, got {node!r}")
    found = _ancestors(output)
    checked = _check_heads(output, heads)
    for node, _ in checked.values():
        found |= _ancestors(node)
    ordered = [found[serial] for serial in sorted(found)]
    ordered.remove(output)
    ordered.append(output)  # heads may have been made after it
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
    layers = _named([(node.layer, node.name) for node in placed if node.layer is not None])
    owners = _owners(placed, layers)
    index = {node.serial: place for place, node in enumerate(placed)} | {sources[0].serial: -1}
    vertices = tuple(
        Vertex(
            layer,
            tuple(index[source.serial] for source in node.inputs),
            node.shape,
            layer.name or "",
            owner,
        )
        for node, layer, owner in zip(placed, layers, owners, strict=True)
    )
    outputs = {name: Head(index[node.serial], weight) for name, (node, weight) in checked.items()}
    return sources[0].shape, vertices, outputs


def _owners(nodes: Sequence[Node], named: Sequence[Layer]) -> list[int | None]:
    """For each place the first one of the same layer, if that has parameters to be shared.

    Raises:
        ValueError: the parameters have other shapes in another place.
    """
    first = first_places([node.layer for node in nodes if node.layer is not None])
    owners: list[int | None] = []
    for place, (owner, layer) in enumerate(zip(first, named, strict=True)):
        if owner == place:
            owners.append(None)
            continue
        here, there = _arrays(layer, nodes[place]), _arrays(layer, nodes[owner])
        owners.append(owner if there else None)
        if here != there:
            (name, other), (_, one) = next(
                pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]
            )
            raise StriateValueError(
                f"{named[owner].who}: has several places, and its {name} would have the shape "
                f"{one} in the first and {other} in {cut(repr(layer.name), 60)}: it shares its "
                "weights, so give it inputs that need the same, or make a layer for each place"
            )
    return owners


def _arrays(layer: Layer, node: Node) -> list[tuple[str, Shape]]:
    """Names and shapes of the parameters and running statistics that a layer has in a place."""
    shapes = [source.shape for source in node.inputs]
    return [(p.name, p.shape) for p in (*layer.parameters(*shapes), *layer.state(*shapes))]


def _check_heads(
    output: Node, heads: Mapping[str, tuple[Node, float]] | None
) -> dict[str, tuple[Node, float]]:
    """Auxiliary heads as they were given, checked."""
    if heads is None:
        return {}
    if not isinstance(heads, Mapping):
        raise StriateTypeError(
            f'Network: heads must be a mapping such as {{"aux": (node, 0.3)}}, got {heads!r}'
        )
    at_most(len(heads), MOST_HEADS, "heads", "Network", "use fewer")
    checked: dict[str, tuple[Node, float]] = {}
    for name, head in heads.items():
        who = f'Network: the head "{check_name(name, "Network: a head")}"'
        if not isinstance(head, tuple | list) or len(head) != 2 or not isinstance(head[0], Node):
            raise StriateTypeError(
                f"{who} must be a pair of a node and the weight of its loss, got {head!r}"
            )
        node, weight = head[0], real_number(head[1], "the weight", who)
        if not 0 < weight < math.inf:
            raise StriateValueError(
                f"{who}: the weight of its loss must be above 0 and finite, got {weight}; leave a "
                "head out that is not to be trained"
            )
        if output.serial in _ancestors(node):
            raise StriateValueError(
                f"{who}: must not be the output or read it; take a node that the output reads"
            )
        if node.shape != output.shape:
            raise StriateValueError(
                f"{who}: is trained on the targets of the output {output.shape}, but its own "
                f"shape is {node.shape}; give it the same"
            )
        checked[name] = (node, weight)
    return checked


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


def rebuild(config: Mapping[str, Any]) -> tuple[Node, Node, dict[str, tuple[Node, float]]]:
    """Build the graph of a description from `Network.get_config`, which may be any data.

    Returns:
        The input node, the output node, and the heads.

    Raises:
        ValueError, TypeError: it is no such description; the message names the node.
    """
    _check_keys(config, {"input_shape", "nodes", "output"}, "the network", {"heads"})
    if not isinstance(config["nodes"], list):
        raise StriateTypeError(f"from_config: nodes must be a list, got {config['nodes']!r}")
    check_graph(len(config["nodes"]), 0, "from_config")
    image = Input(config["input_shape"])
    nodes: list[Node] = []
    edges = 0
    for index, entry in enumerate(config["nodes"]):
        _check_keys(entry, {"type", "name", "inputs", "config"}, f"node {index}", {"shares"})
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
        if "shares" in entry:
            first = _shared(config["nodes"], index, layer)
            nodes.append(Node(nodes[first].layer, tuple(sources), name=layer.name))
        else:
            nodes.append(layer(*sources))
    output = whole_number(config["output"], "output", "from_config", minimum=0)
    if output >= len(nodes):
        raise StriateValueError(
            f"from_config: output is node {output}, but there are {len(nodes)} nodes"
        )
    heads = _rebuilt_heads(config.get("heads", {}), nodes)
    reached = _ancestors(nodes[output])
    for head, _ in heads.values():
        reached |= _ancestors(head)
    for node in (image, *nodes):
        if node.serial not in reached:
            what = "the input" if node.layer is None else node.layer.who
            raise StriateValueError(f"from_config: no path leads from {what} to the output")
    return image, nodes[output], heads


def _shared(entries: Sequence[Mapping[str, Any]], index: int, layer: Layer) -> int:
    """The first place of the layer at `index`, which shares the parameters of that one."""
    who = f"from_config: {layer.who}"
    first = whole_number(entries[index]["shares"], "shares", who, minimum=0)
    if first >= index or "shares" in entries[first]:
        raise StriateValueError(
            f"{who} (node {index}) shares the weights of node {first}; it must be an earlier node "
            "with weights of its own"
        )
    if any(entries[first][key] != entries[index][key] for key in ("type", "config")):
        raise StriateValueError(
            f"{who} (node {index}) shares the weights of node {first}, which is another layer; "
            "both must have the same type and config"
        )
    return first


def _rebuilt_heads(heads: object, nodes: Sequence[Node]) -> dict[str, tuple[Node, float]]:
    """The heads of a description: {"aux": {"node": 7, "weight": 0.3}}."""
    if not isinstance(heads, Mapping):
        raise StriateTypeError(f"from_config: heads must be a mapping, got {heads!r}")
    found: dict[str, tuple[Node, float]] = {}
    for name, head in heads.items():
        who = f"the head {cut(repr(name), 80)}"
        _check_keys(head, {"node", "weight"}, who)
        number = whole_number(head["node"], "node", f"from_config: {who}", minimum=0)
        if number >= len(nodes):
            raise StriateValueError(
                f"from_config: {who} is node {number}, but there are {len(nodes)} nodes"
            )
        found[name] = (nodes[number], head["weight"])
    return found


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


def _check_keys(
    mapping: object, wanted: set[str], what: str, possible: Collection[str] = ()
) -> None:
    if not isinstance(mapping, Mapping):
        raise StriateTypeError(f"from_config: {what} must be a mapping, got {mapping!r}")
    if set(mapping) - set(possible) != wanted:
        raise StriateValueError(
            f"from_config: {what} must have the entries {sorted(wanted)}, "
            f"got {sorted(map(str, mapping))}"
        )
