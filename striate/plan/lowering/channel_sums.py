"""Gradients of parameters that have a number for each channel: sums over all pixels and images.

Every block of images sums up its own, and these sums are added in the order of the blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

from striate.nest.algebra import Accumulator, Expression, Nest, Store
from striate.plan.analysis.operations import Operation
from striate.plan.layout import Image, Location, vector
from striate.plan.lowering.builder import Builder
from striate.plan.stage import Locations


def sum_by_channel(
    builder: Builder,
    operation: Operation,
    image: Image,
    terms: Mapping[str, Expression],
    places: Locations,
) -> None:
    """The gradients of some parameters of an operation, unless it does not learn.

    Args:
        builder: where the steps go.
        operation: whose parameters they are; of one number each, or one for each channel.
        image: what the terms run over, along the axes of `striate.plan.layout.pixels`.
        terms: what is summed up, by the name of the parameter.
        places: where the terms lie.
    """
    if not builder.learns(operation) or not terms:
        return
    channels, count = image.channels, len(terms)
    sums = builder.buffer(f"block sums {operation.node}", count * channels)
    parts = {f"sums {name}": Location(sums, i * channels) for i, name in enumerate(terms)}
    builder.recorder.blockwise(
        Nest(
            (("c", channels), ("y", image.height), ("x", image.width), ("v", builder.lanes)),
            stores=tuple(Store(vector(role, c=1), Accumulator(i)) for i, role in enumerate(parts)),
            terms=tuple(terms.values()),
            reduce=("y", "x", "v"),
            reduction="sum",
        ),
        {**places, **parts},
    )

    def over_blocks() -> None:
        for role, name in zip(parts, terms, strict=True):
            slot = builder.slot(operation, name)
            each = {"c": 1} if slot.stop - slot.start == channels else {}
            builder.recorder.once(
                Nest(
                    (("e", 1), ("c", channels), ("n", builder.settings.blocks)),
                    stores=(Store(vector("out", **each), Accumulator()),),
                    terms=(vector(role, n=sums.span, c=1),),
                    reduce=("n",) if each else ("n", "c"),
                    reduction="sum",
                ),
                {role: parts[role], "out": builder.parameter_gradient(operation, name)},
                barrier=False,
            )

    builder.defer(over_blocks)
