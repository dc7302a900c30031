"""Concatenation without copies: its inputs are written where the joined image has their channels.

An input then is a view: an image whose pixels lie as far apart as those of the joined one.  Where
that is itself joined to others, as in every layer of a DenseNet, all of them are one buffer.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.layers import Concat
from striate.plan.analysis.operations import Graph
from striate.plan.settings import Settings


@dataclass(frozen=True)
class ChannelsOf:
    """The channels of another value, from the `first` on."""

    value: int
    first: int


def concat_views(graph: Graph, settings: Settings) -> dict[int, ChannelsOf]:
    """The values that are views of others.

    None where a block is several images, for there copying is cheap, nor in bfloat16, which packs
    whole images.  An input that several concatenations read, or one twice, is a view of the last;
    what the network reads is none.
    """
    views: dict[int, ChannelsOf] = {}
    if settings.lanes > 1 or settings.bfloat16:
        return views
    for operation in reversed(graph.operations):
        joins = isinstance(operation.layer, Concat) and len(operation.shape) == 3
        if not joins or operation.activation or operation.addend is not None:
            continue
        first = 0
        for value, shape in zip(operation.inputs, operation.shapes, strict=True):
            if value in graph.makers and value not in views:
                views[value] = ChannelsOf(operation.node, first)
            first += shape[-1]
    return views
