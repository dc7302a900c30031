"""Operators of PyTorch that only together are a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import fx

from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign, GraphWriter
from striate.importing.torch_values import operator_name

_ONE_INPUT = ("view", "reshape", "squeeze", "unsqueeze")


def matched(writer: GraphWriter, values: Mapping[fx.Node, Any], node: fx.Node) -> Foreign | None:
    """The layer that ends in this operator, if it is one of several operators.

    Args:
        writer: of the layers.
        values: of the nodes that were read.
        node: the operator.

    Raises:
        ViewError: it is one, and no layer of striate has its numbers.
    """
    return _local_response_norm(writer, values, node)


def _local_response_norm(
    writer: GraphWriter, values: Mapping[fx.Node, Any], node: fx.Node
) -> Foreign | None:
    """x / (bias + alpha · mean of x² over neighbouring channels)^beta, as PyTorch writes it."""

    def steps(node: Any, *operators: str) -> list[fx.Node]:
        """The nodes of these operators, each the first input of the one before."""
        found = list[fx.Node]()
        for operator in operators:
            while isinstance(node, fx.Node) and operator_name(node) in _ONE_INPUT:
                node = node.args[0]
            if not isinstance(node, fx.Node) or operator_name(node) != operator:
                return []
            found.append(node)
            node = node.args[0]
        return found

    if operator_name(node) != "div" or not isinstance(node.args[0], fx.Node):
        return None
    found = steps(node.args[1], "pow", "add", "mul", "avg_pool3d", "pad", "mul")
    if not found:
        found = steps(node.args[1], "pow", "add", "mul", "avg_pool3d", "constant_pad_nd", "mul")
    value = values[node.args[0]]
    if not found or not isinstance(value, Foreign):
        return None
    power, sum_, product, mean, pad, square = found
    if square.args[:2] != (node.args[0], node.args[0]):
        return None
    window, pads = list(_numbers(mean.args[1])), list(_numbers(pad.args[1]))
    size = int(window[0])
    if window[1:] != [1, 1] or pads[:4] != [0, 0, 0, 0] or len(pads) != 6:
        return None
    if pads[4:] != [(size - 1) // 2, size // 2]:
        odd_channels(size)
        return None
    given = [node.args[1] for node in (product, sum_, power)]
    alpha, bias, beta = (float(n) if isinstance(n, (int, float)) else math.nan for n in given)
    if math.isnan(alpha + bias + beta):
        return None
    return writer.lrn(value, size=size, alpha=alpha, beta=beta, bias=bias)


def odd_channels(size: int) -> int:
    """The number of channels of a local response normalisation.

    Raises:
        ViewError: it is even, and PyTorch has the odd channel on the other side.
    """
    if size % 2 == 0:
        raise ViewError(f"local response normalisation over {size} channels, an even number")
    return size


def _numbers(given: Any) -> list[int]:
    return [int(number) for number in given] if isinstance(given, (list, tuple)) else [int(given)]
