"""Borders of zeros that are no values of their own, but padding of the layers that read them.

A convolution that reads a bordered image reads the image, with that much more padding; so does a
sum of windows, and an average whose padding counts.  A maximum does not: its padding never wins,
but a border of zeros may.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from striate.layers import AvgPool2D, Conv2D, Layer, SumPool2D, ZeroPad2D
from striate.ops.shapes import Pads, Shape

if TYPE_CHECKING:
    from striate.model.model import Model

NO_BORDER: Pads = (0, 0, 0, 0)


def padding_nodes(
    network: Model,
    readers: Mapping[int, Sequence[int]],
    ends: Collection[int],
    idle: Callable[[int], bool],
) -> set[int]:
    """The nodes of ZeroPad2D all of whose readers can take them as padding.

    Args:
        network: the network.
        readers: the nodes that read each node.
        ends: the nodes whose values leave the network.
        idle: whether a node passes on its input as it is.
    """
    passed_on: set[int] = set()
    for i in reversed(range(len(network.nodes))):
        bordered = isinstance(network.nodes[i].layer, ZeroPad2D)
        if (bordered or idle(i)) and i not in ends and readers[i]:
            ways = (r in passed_on or takes_zeros(network.nodes[r].layer) for r in readers[i])
            if all(ways):
                passed_on.add(i)
    return {i for i in passed_on if not idle(i)}


def takes_zeros(layer: Layer) -> bool:
    """Whether zeros around a layer's input are the same to it as padding of its own."""
    if isinstance(layer, AvgPool2D):
        return layer.count_padding and layer.uncovered != "overhang"
    return isinstance(layer, Conv2D | SumPool2D)


def within(shape: Shape, border: Pads) -> Shape:
    """The shape of the image inside a border."""
    if border == NO_BORDER:
        return shape
    top, bottom, left, right = border
    return (shape[0] - top - bottom, shape[1] - left - right, shape[2])


def around(first: Pads, second: Pads) -> Pads:
    """One border around another."""
    top, bottom, left, right = (sum(pair) for pair in zip(first, second, strict=True))
    return (top, bottom, left, right)
