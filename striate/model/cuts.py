"""Places where a network can be cut in two, and the two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from striate.layers import Flatten, GlobalAvgPool2D, Layer
from striate.model.graph import Vertex
from striate.model.model import Model
from striate.ops.shapes import Shape

Config = dict[str, Any]
Network = TypeVar("Network", bound=Model)

WHOLE = -1
"""In place of a node: no cut, as if it were behind the images; so graphs number their input."""


def cuts(nodes: Sequence[Vertex]) -> list[int]:
    """The nodes behind which nothing is read of what comes before but they themselves, and no
    weights of what comes before are shared: all but the last, in order.
    """
    last_read = [-1] * len(nodes)
    of_input = -1
    for index, vertex in enumerate(nodes):
        for source in vertex.inputs:
            if source < 0:
                of_input = index
            else:
                last_read[source] = index
        if vertex.shares is not None:  # the first place must stay on this side
            last_read[vertex.shares] = index
    found, reach = [], of_input
    for index in range(len(nodes) - 1):
        # All earlier nodes are read up to here at most; a shared one would be read beyond.
        if reach <= index and not any(v.shares == index for v in nodes[index + 1 :]):
            found.append(index)
        reach = max(reach, last_read[index])
    return found


def extended(network: Network, node: int, layers: Sequence[Layer] = ()) -> Network:
    """What leads to a node that `cuts` found, and a chain of layers behind it, as a network of its
    own: with the weights and the preprocessing; the weights of the new layers are zero.
    """
    config = network.get_config()
    entries = list(config["nodes"][: node + 1])
    taken = {entry["name"] for entry in entries}
    for layer in layers:
        entries.append(
            {
                "type": type(layer).__name__,
                "name": _free(layer.name or layer.kind, taken),
                "inputs": [len(entries) - 1],
                "config": layer.config(),
            }
        )
    made = _build({**config, "heads": {}, "nodes": entries, "output": len(entries) - 1}, network)
    made.preprocessing = network.preprocessing
    return made


def shape_behind(network: Model, node: int) -> Shape:
    """The shape of what is read behind a node; of the images behind `WHOLE`."""
    return network.input_shape if node == WHOLE else network.nodes[node].shape


def to_vector(shape: Shape) -> list[Layer]:
    """What makes a vector of an output of this shape: images are averaged over their pixels."""
    if len(shape) == 1:
        return []
    return [Flatten() if shape[:2] == (1, 1) else GlobalAvgPool2D()]


def rest(network: Network, node: int) -> Network:
    """What follows a node that `cuts` found, as a network of its own, with the class names; of
    `WHOLE` all of it, with the preprocessing.
    """
    entries = [_moved(entry, node + 1) for entry in network.get_config()["nodes"][node + 1 :]]
    config = {
        "input_shape": list(shape_behind(network, node)),
        "nodes": entries,
        "output": len(entries) - 1,
    }
    made = _build(config, network)
    made.classes = None if network.classes is None else list(network.classes)
    made.answers = network.answers
    if node == WHOLE:
        made.preprocessing = network.preprocessing
    return made


def copy_weights(source: Model, target: Model) -> None:
    """Copy the parameters and running statistics of all layers that both have by one name."""
    for given, own in (
        (source.parameters, target.parameters),
        (source.state, target.state),
    ):
        for name, array in given.items():
            if name in own:
                own[name][...] = array


def _build(config: Config, network: Network) -> Network:
    made = type(network).from_config(config, seed=None)
    copy_weights(network, made)
    return made


def _moved(entry: Mapping[str, Any], by: int) -> Config:
    moved = {**entry, "inputs": [source - by for source in entry["inputs"]]}
    return moved | ({"shares": entry["shares"] - by} if "shares" in entry else {})


def _free(name: str, taken: set[str]) -> str:
    """A name that no layer has yet."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
