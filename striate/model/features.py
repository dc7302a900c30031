"""The features of a network: what its last layer with weights reads, and makes the outputs of."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers import Concat, GlobalAvgPool2D
from striate.model.graph import Vertex

MOST_FEATURES = 8192
"""A network has no features to speak of where these would be more."""


def _source(nodes: Sequence[Vertex], owners: frozenset[int]) -> int | None:
    """The vertex whose output the last layer with weights reads."""
    for index in range(len(nodes) - 1, -1, -1):
        vertex = nodes[index]
        if (index if vertex.shares is None else vertex.shares) in owners:
            source = vertex.inputs[0]
            return source if len(vertex.inputs) == 1 and source >= 0 else None
    return None


def feature_source(nodes: Sequence[Vertex], owners: frozenset[int]) -> tuple[int, int] | None:
    """Where the features of a network are, and how many: the index of a vertex, whose output is
    averaged over rows and columns if it is an image, and the length of the vector.

    Args:
        nodes: the vertices that lead to the output, which is the last.
        owners: the indices of those that have weights.

    Returns:
        None where the last layer with weights reads the image itself or several values, where no
        layer has weights, where outputs are no vector or features more than `MOST_FEATURES`.
    """
    source = _source(nodes, owners)
    if source is None or len(nodes[-1].shape) != 1 or source == len(nodes) - 1:
        return None
    shape = nodes[source].shape
    count = shape[-1]
    return (source, count) if len(shape) in (1, 3) and count <= MOST_FEATURES else None


def with_features(nodes: Sequence[Vertex], owners: frozenset[int]) -> tuple[Vertex, ...]:
    """The vertices of a network whose output is that of `nodes`, followed by their features; just
    `nodes` where there are none.
    """
    found = feature_source(nodes, owners)
    if found is None:
        return tuple(nodes)
    source, count = found
    vertices = list(nodes)
    names = {vertex.name for vertex in nodes}

    def append(layer: Concat | GlobalAvgPool2D, inputs: tuple[int, ...], size: int) -> None:
        layer.name = next(
            name
            for name in (layer.kind + "_" * more for more in range(1, len(names) + 2))
            if name not in names
        )
        names.add(layer.name)
        vertices.append(Vertex(layer, inputs, (size,), layer.name))

    output = len(nodes) - 1
    if len(nodes[source].shape) == 3:
        append(GlobalAvgPool2D(), (source,), count)
        source = len(vertices) - 1
    append(Concat(), (output, source), nodes[output].shape[0] + count)
    return tuple(vertices)
