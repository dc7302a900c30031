"""Gradient aliasing: the gradients of a sum's inputs in the memory of the sum's own gradient.

The gradient of a sum is the gradient of each of its inputs.  Where nothing stands against it they
are the same memory, which spares a copy of each, and the way of that copy to the memory and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.layers import BatchNorm
from striate.plan.analysis.operations import Operation

if TYPE_CHECKING:
    from striate.plan.lowering.builder import Builder


def alias_gradients(builder: Builder, operation: Operation) -> set[int]:
    """Let inputs of a sum share its gradient; return which.

    Any number of inputs may that nobody else reads, and whose own backward pass only reads it.
    One more may add to it what its other readers have: by then, all the others must be done.
    """
    gradient = builder.gradients[operation.node]
    inputs = [
        value
        for value in operation.inputs
        if builder.has_no_gradient_yet(value)
        and operation.inputs.count(value) == 1
        and builder.gradients[value].halo == gradient.halo
    ]
    makers = builder.graph.makers
    readers = {
        value: [o.node for o in builder.graph.readers_of[value] if o is not operation]
        for value in inputs
    }
    only_read = [
        value
        for value in inputs
        if not readers[value]
        and value not in builder.activations
        and value in makers
        and isinstance(makers[value].layer, BatchNorm)
    ]
    # The backward pass goes from the last operation to the first.
    added_to = [
        value
        for value in inputs
        if readers[value] and max(readers[value]) < min(only_read, default=operation.node)
    ]
    shared = {*only_read, *added_to[:1]}
    for value in shared:
        builder.alias_gradient(operation.node, value)
    return shared
