"""The grouped dense layer: one dot product for each group, handed to all of its outputs.

s[n,j]  = b[j] + sum_i x[n,i] * W[i,j]         y[n, j*G + k]  = s[n,j]
ds[n,j] = sum_k dy[n, j*G + k]                 dW, dx, db from ds, as of a dense layer
"""

from __future__ import annotations

from typing import cast

from striate.layers import GroupedDense
from striate.nest.algebra import Accumulator, Nest, Store
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Image, Location
from striate.plan.lowering import dense
from striate.plan.lowering.builder import Builder


def forward(builder: Builder, operation: Operation) -> None:
    """y, with the bias as first addend and the activation applied as the copies are stored."""
    group = cast(GroupedDense, operation.layer).group
    sums = _one_each(builder, operation, "groups")
    dense.multiply(builder, operation, sums, None)
    store = builder.store(operation, sums.tensor("sums", _OF_GROUP), Access(c={"j": group, "k": 1}))
    builder.recorder.blockwise(
        Nest((("j", sums.features), ("k", group), ("v", builder.lanes)), (store,)),
        {"sums": Location(sums.buffer), "out": builder.out(operation)},
    )


def backward(builder: Builder, operation: Operation) -> None:
    """The gradients of a group's outputs are added first: ds; the rest is a dense layer's."""
    group = cast(GroupedDense, operation.layer).group
    gradient = builder.gradients[operation.node]
    sums = _one_each(builder, operation, "gradient of groups")
    builder.recorder.blockwise(
        Nest(
            axes=(("j", sums.features), ("v", builder.lanes), ("k", group)),
            stores=(Store(sums.tensor("sums", _OF_GROUP), Accumulator()),),
            terms=(gradient.tensor("gradient", Access(c={"j": group, "k": 1})),),
            reduce=("k",),
            reduction="sum",
        ),
        {"gradient": Location(gradient.buffer), "sums": Location(sums.buffer)},
    )
    dense.propagate(builder, operation, sums)


_OF_GROUP = Access(c={"j": 1})


def _one_each(builder: Builder, operation: Operation, name: str) -> Image:
    """A number for each group."""
    groups = cast(GroupedDense, operation.layer).groups
    return builder.image(f"{name} {operation.node}", (groups,))
