"""How much a network computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.model.model import Model


def multiply_adds_of_nodes(network: Model) -> list[int]:
    """The multiply-adds of each node in a forward pass, for one image."""
    return [
        vertex.layer.multiply_adds(*network.input_shapes(index))
        for index, vertex in enumerate(network.nodes)
    ]
