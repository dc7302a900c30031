"""Layer normalisation: the channels of each pixel to mean 0 and variance 1.

    normal = (x - mean) * inverse        y = scale * normal + shift

with one mean and one inverse = 1 / sqrt(variance + eps) for each pixel.  The gradients are

    dscale = sum(dy * normal)        dshift = sum(dy)        dn = dy * scale
    dx     = inverse * (dn - mean(dn) - normal * mean(dn * normal))

with means over the channels of each pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from striate.layers import LayerNorm
from striate.nest.algebra import Accumulator, Constant, Expression, Nest, Store, Tensor
from striate.nest.elementary import sqrt
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Image, Location, pixels, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.channel_sums import sum_by_channel
from striate.plan.stage import Locations

# One number for each pixel.
_PIXEL = Access({"y": 1}, {"x": 1})
_Terms = Callable[[int], tuple[Expression, ...]]


def forward(builder: Builder, operation: Operation) -> None:
    """Two sums over the channels of each pixel, then y."""
    layer, x = cast(LayerNorm, operation.layer), builder.values[operation.inputs[0]]
    mean, inverse = (_pixel(builder, operation, name) for name in ("mean", "inverse"))
    at = mean.tensor("mean", _PIXEL)
    places = {"x": Location(x.buffer)}
    share = 1.0 / x.channels
    _sum_over_channels(
        builder, x, lambda c: (_from(x, "x", c),), {"mean": mean}, places, lambda sums: sums * share
    )
    places["mean"] = Location(mean.buffer)

    def square(c: int) -> tuple[Expression]:
        deviation = _from(x, "x", c) - at
        return (deviation * deviation,)

    _sum_over_channels(
        builder,
        x,
        square,
        {"inverse": inverse},
        places,
        lambda sums: Constant(1.0) / sqrt(sums * share + layer.eps),
    )
    result = _normal(operation, x, mean, inverse) * vector("scale", c=1) + vector("shift", c=1)
    builder.recorder.blockwise(
        Nest(pixels(x, builder.lanes), stores=(builder.store(operation, result, EVERY_PIXEL),)),
        {
            **places,
            "inverse": Location(inverse.buffer),
            "scale": builder.parameter(operation, "scale"),
            "shift": builder.parameter(operation, "shift"),
            "out": builder.out(operation),
        },
    )
    builder.remember(operation, "mean", mean)
    builder.remember(operation, "inverse", inverse)


def backward(builder: Builder, operation: Operation) -> None:
    """The gradients of scale and shift, two sums over the channels of each pixel, then dx."""
    source = operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    mean, inverse = (builder.recall(operation, name, Image) for name in ("mean", "inverse"))
    dy, normal = gradient.tensor("gradient", EVERY_PIXEL), _normal(operation, x, mean, inverse)
    places = {
        "x": Location(x.buffer),
        "gradient": Location(gradient.buffer),
        "mean": Location(mean.buffer),
        "inverse": Location(inverse.buffer),
    }
    sum_by_channel(builder, operation, x, {"scale": dy * normal, "shift": dy}, places)
    if not builder.needs_gradient(source):
        return
    places["scale"] = builder.parameter(operation, "scale")
    level, along = (_pixel(builder, operation, name) for name in ("level", "along"))
    share = 1.0 / x.channels

    def terms(c: int) -> tuple[Expression, Expression]:
        to_normal = _from(gradient, "gradient", c) * Tensor("scale", (("c", 1),), c)
        return to_normal, to_normal * _normal(operation, x, mean, inverse, c)

    _sum_over_channels(
        builder, x, terms, {"level": level, "along": along}, places, lambda sums: sums * share
    )
    rest = dy * vector("scale", c=1) - level.tensor("level", _PIXEL)
    rest = rest - normal * along.tensor("along", _PIXEL)
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            rest * inverse.tensor("inverse", _PIXEL),
            {**places, "level": Location(level.buffer), "along": Location(along.buffer)},
        )


def _pixel(builder: Builder, operation: Operation, name: str) -> Image:
    """A number for each pixel."""
    shape = operation.shape
    height, width = shape[:2] if len(shape) == 3 else (1, 1)
    return builder.image(f"{name} {operation.node}", (height, width, 1))


def _normal(operation: Operation, x: Image, mean: Image, inverse: Image, c: int = 0) -> Expression:
    """The normalised numbers, from channel c on."""
    deviation = _from(x, "x", c) - mean.tensor("mean", _PIXEL)
    return deviation * inverse.tensor("inverse", _PIXEL)


def _from(image: Image, role: str, c: int) -> Tensor:
    """An image from channel c on."""
    return image.tensor(role, replace(EVERY_PIXEL, start=(0, 0, c)))


def _sum_over_channels(
    builder: Builder,
    x: Image,
    terms: _Terms,
    targets: dict[str, Image],
    places: Locations,
    finish: Callable[[Expression], Expression],
) -> None:
    """Sums over the channels of each pixel.

    Where channels fill the lanes, whole vectors of them are summed up first, then those that are
    left, pixel beside pixel.

    Args:
        builder: where the steps go.
        x: the image.
        terms: what is summed up, from a channel on.
        targets: where the sums go, by role, one for each term.
        places: where the terms lie.
        finish: what is stored, from a sum.
    """
    whole = x.channels
    if builder.channel_lanes:
        whole -= x.channels % builder.settings.vector
    stored = {role: image.tensor(role, _PIXEL) for role, image in targets.items()}
    for first, count in ((0, whole), (whole, x.channels - whole)):
        if not count:
            continue
        sums: list[Expression] = [Accumulator(i) for i in range(len(stored))]
        if first + count == x.channels:
            sums = [finish(value) for value in sums]
        axes = (("y", x.height), ("x", x.width), ("v", builder.lanes), ("c", count))
        builder.recorder.blockwise(
            Nest(
                axes,
                stores=tuple(
                    Store(target, value)
                    for target, value in zip(stored.values(), sums, strict=True)
                ),
                terms=terms(first),
                reduce=("c",),
                reduction="sum",
                initial=tuple(stored.values()) if first else (),
            ),
            {**places, **{role: Location(image.buffer) for role, image in targets.items()}},
        )
