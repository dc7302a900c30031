"""Batch normalisation: every channel to mean 0 and variance 1 over the batch.

    y = scale * (x - mean) / sqrt(variance + eps) + shift

Mean and variance come from two passes over each block of images while it is in the cache, and
are then combined over the blocks (Chan, Golub, LeVeque 1983): no large numbers are subtracted,
so nothing is lost where the mean is far from zero.  With d = x - mean, N numbers a channel and
i = 1 / sqrt(variance + eps), the gradients are

    dscale = i * sum(dy * d)        dshift = sum(dy)
    dx     = scale * i * (dy - dshift / N - d * i * dscale / N)

Where the statistics are the running ones they are constants: dx = scale * i * dy.
"""

from __future__ import annotations

from typing import cast

from striate.layers import Add, BatchNorm
from striate.nest.algebra import Accumulator, Constant, Expression, Nest, Store
from striate.nest.elementary import maximum, sqrt
from striate.plan.analysis.operations import Graph, Operation
from striate.plan.layout import EVERY_PIXEL, Axes, Buffer, Image, Location, pixels, vector
from striate.plan.lowering.builder import Builder
from striate.plan.stage import Locations

_CHANNEL = {"c": 1}


def prepare(builder: Builder, operation: Operation) -> None:
    """Memory for the coefficients; in use they come from the running statistics alone."""
    channels = operation.shape[-1]
    for name in ("mean", "inverse", "factor"):
        buffer = builder.buffer(f"{name} {operation.node}", channels, "global")
        builder.remember(operation, name, buffer)
    if not builder.uses_batch_statistics(operation):
        _running_statistics(builder, operation, channels)


def forward(builder: Builder, operation: Operation) -> None:
    """Statistics of the batch in training, then y."""
    x = builder.values[operation.inputs[0]]
    if builder.uses_batch_statistics(operation):
        _batch_statistics(builder, operation, x)
    if is_left_to_sum(builder.graph, operation):
        return
    _normalise(builder, operation)
    if builder.recomputation.is_kept(operation.inputs[0]):
        # Cheaper than keeping it: the gradients read x in any case.
        builder.recomputation.everywhere(
            operation.node, lambda: _normalise_again(builder, operation)
        )


def _normalise_again(builder: Builder, operation: Operation) -> None:
    builder.recomputation.refresh(operation.inputs)
    _normalise(builder, operation)


def is_left_to_sum(graph: Graph, operation: Operation) -> bool:
    """Whether y is never stored: a sum alone reads it, and normalises x as it adds.

    So it is at the end of each residual branch.  Storing y and reading it again would take as long
    as the sum.
    """
    readers = graph.readers_of.get(operation.node, ())
    return (
        isinstance(operation.layer, BatchNorm)
        and operation.activation is None
        and operation.node not in graph.outputs
        and len(readers) == 1
        and isinstance(readers[0].layer, Add)
    )


def normalised(builder: Builder, operation: Operation, role: str) -> tuple[Expression, Locations]:
    """y of a pixel, and what it reads, in roles that begin with `role`."""
    x = builder.values[operation.inputs[0]]
    mean, factor, shift = (f"{role} {name}" for name in ("mean", "factor", "shift"))
    # Subtracting first loses nothing where the mean is large.
    normal = (x.tensor(role, EVERY_PIXEL) - vector(mean, c=1)) * vector(factor, c=1)
    coefficients = _places(builder, operation, "mean", "factor")
    return normal + vector(shift, c=1), {
        role: Location(x.buffer),
        mean: coefficients["mean"],
        factor: coefficients["factor"],
        shift: builder.parameter(operation, "shift"),
    }


def _normalise(builder: Builder, operation: Operation) -> None:
    x = builder.values[operation.inputs[0]]
    result, places = normalised(builder, operation, "x")
    nest = Nest(pixels(x, builder.lanes), stores=(builder.store(operation, result, EVERY_PIXEL),))
    builder.recorder.blockwise(nest, {**places, "out": builder.out(operation)})


def _places(builder: Builder, operation: Operation, *names: str) -> dict[str, Location]:
    return {name: Location(builder.recall(operation, name, Buffer)) for name in names}


def _sweep(builder: Builder, x: Image) -> Axes:
    """A nest over each channel's numbers in one block."""
    return (("c", x.channels), ("y", x.height), ("x", x.width), ("v", builder.lanes))


def _batch_statistics(builder: Builder, operation: Operation, x: Image) -> None:
    moments = {
        name: builder.buffer(f"block {name} {operation.node}", x.channels)
        for name in ("means", "variances")
    }
    value, mask = x.tensor("x", EVERY_PIXEL), vector("mask", v=1)
    images = 1.0 / (x.height * x.width)
    share = vector("shares") * images  # 1 / numbers of the block
    deviation = value - vector("means", c=1)
    terms: dict[str, Expression] = {
        "means": mask * value,
        "variances": (mask * deviation) * deviation,
    }
    for name, term in terms.items():
        places = {"means": Location(moments["means"]), name: Location(moments[name])}
        builder.recorder.blockwise(
            Nest(
                _sweep(builder, x),
                stores=(Store(vector(name, c=1), Accumulator() * share),),
                terms=(term,),
                reduce=("y", "x", "v"),
                reduction="sum",
            ),
            {
                "x": Location(x.buffer),
                "mask": Location(builder.mask),
                "shares": Location(builder.shares),
                **places,
            },
        )
    _combine(builder, operation, x, moments)


def _combine(builder: Builder, operation: Operation, x: Image, moments: dict[str, Buffer]) -> None:
    """The batch's statistics from the blocks', and the running ones."""
    layer = cast(BatchNorm, operation.layer)
    axes = (("c", x.channels), ("n", builder.settings.blocks))
    part = vector("parts", n=builder.shares.span)
    means = vector("means", n=moments["means"].span, c=1)
    variances = vector("variances", n=moments["variances"].span, c=1)
    mean = vector("mean", c=1)
    builder.recorder.once(
        Nest(
            axes,
            stores=(Store(mean, Accumulator()),),
            terms=(part * means,),
            reduce=("n",),
            reduction="sum",
        ),
        {
            "parts": Location(builder.shares, 1),
            "means": Location(moments["means"]),
            **_places(builder, operation, "mean"),
        },
    )
    variance: Expression = Accumulator()
    count = vector("images") * float(x.height * x.width)
    unbiased = variance * count / maximum(count - 1.0, 1.0)
    keep = layer.momentum
    running = {"running_mean": mean, "running_variance": unbiased}
    updates = tuple(
        Store(vector(name, c=1), vector(name, c=1) * keep + batch * (1.0 - keep))
        for name, batch in running.items()
    )
    difference = means - mean
    builder.recorder.once(
        Nest(
            axes,
            stores=(*_coefficients(layer, mean, variance), *updates),
            terms=(part * (variances + difference * difference),),
            reduce=("n",),
            reduction="sum",
        ),
        {
            "parts": Location(builder.shares, 1),
            "means": Location(moments["means"]),
            "variances": Location(moments["variances"]),
            "images": Location(builder.images),
            "running_mean": builder.statistic(operation, "mean"),
            "running_variance": builder.statistic(operation, "variance"),
            **_parameters(builder, operation),
        },
    )


def _running_statistics(builder: Builder, operation: Operation, channels: int) -> None:
    layer = cast(BatchNorm, operation.layer)
    mean = vector("running_mean", c=1)
    variance = vector("running_variance", c=1)
    builder.recorder.once(
        Nest(
            (("c", channels),),
            stores=(Store(vector("mean", c=1), mean), *_coefficients(layer, mean, variance)),
        ),
        {
            "running_mean": builder.statistic(operation, "mean"),
            "running_variance": builder.statistic(operation, "variance"),
            **_parameters(builder, operation),
        },
        when="first",
    )


def _coefficients(layer: BatchNorm, mean: Expression, variance: Expression) -> tuple[Store, ...]:
    """i, and the factor of y = factor * (x - mean) + shift."""
    inverse = Constant(1.0) / sqrt(variance + layer.eps)
    factor = vector("scale", c=1) * inverse
    return (
        Store(vector("inverse", c=1), inverse),
        Store(vector("factor", c=1), factor),
    )


def _parameters(builder: Builder, operation: Operation) -> dict[str, Location]:
    places = _places(builder, operation, "mean", "inverse", "factor")
    return {**places, "scale": builder.parameter(operation, "scale")}


def backward(builder: Builder, operation: Operation) -> None:
    """Two sums over the batch, and dx as a linear form of dy and x."""
    source = operation.inputs[0]
    by_batch = builder.uses_batch_statistics(operation)
    if builder.learns(operation):
        _parameter_gradients(builder, operation, _sums(builder, operation), by_batch)
    if not builder.needs_gradient(source):
        return
    x, gradient = builder.values[source], builder.gradients[operation.node]
    term: Expression = gradient.tensor("gradient", EVERY_PIXEL) * vector("factor", c=1)
    places = {"gradient": Location(gradient.buffer), **_places(builder, operation, "factor")}
    if by_batch:
        deviation = x.tensor("x", EVERY_PIXEL) - vector("mean", c=1)
        line = term + deviation * vector("of_d", c=1) + vector("constant", c=1)
        term = vector("mask", v=1) * line
        places |= {
            "x": Location(x.buffer),
            "mask": Location(builder.mask),
            **_places(builder, operation, "mean", "of_d", "constant"),
        }
    with builder.writing_gradient(source) as writer:
        writer.nest(pixels(x, builder.lanes), term, places)


def _sums(builder: Builder, operation: Operation) -> Buffer:
    """sum(dy) and sum(dy * d) of each block of images."""
    x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
    dy, value = gradient.tensor("gradient", EVERY_PIXEL), x.tensor("x", EVERY_PIXEL)
    sums = builder.buffer(f"block sums {operation.node}", 2 * x.channels)
    builder.recorder.blockwise(
        Nest(
            _sweep(builder, x),
            stores=(
                Store(vector("sums", c=1), Accumulator(0)),
                Store(vector("products", c=1), Accumulator(1)),
            ),
            terms=(dy, dy * (value - vector("mean", c=1))),
            reduce=("y", "x", "v"),
            reduction="sum",
        ),
        {
            "gradient": Location(gradient.buffer),
            "x": Location(x.buffer),
            "sums": Location(sums),
            "products": Location(sums, x.channels),
            **_places(builder, operation, "mean"),
        },
    )
    return sums


def _parameter_gradients(
    builder: Builder, operation: Operation, sums: Buffer, by_batch: bool
) -> None:
    """The sums over all blocks, and what dx has of them: now, or at the end if it has nothing."""
    x = builder.values[operation.inputs[0]]
    inverse = vector("inverse", c=1)
    scale_gradient = Accumulator(1) * inverse
    stores = [
        Store(vector("scale_gradient", c=1), scale_gradient),
        Store(vector("shift_gradient", c=1), Accumulator(0)),
    ]
    places = {
        "sums": Location(sums),
        "products": Location(sums, x.channels),
        "scale_gradient": builder.parameter_gradient(operation, "scale"),
        "shift_gradient": builder.parameter_gradient(operation, "shift"),
        **_places(builder, operation, "inverse"),
    }
    if by_batch:
        for name in ("of_d", "constant"):
            buffer = builder.buffer(f"{name} {operation.node}", x.channels, "global")
            builder.remember(operation, name, buffer)
        factor, count = vector("factor", c=1), vector("images") * float(x.height * x.width)
        stores += [
            Store(vector("of_d", c=1), (factor * inverse * scale_gradient / count) * -1.0),
            Store(vector("constant", c=1), (factor * Accumulator(0) / count) * -1.0),
        ]
        places["images"] = Location(builder.images)
        places |= _places(builder, operation, "factor", "of_d", "constant")
    nest = Nest(
        (("c", x.channels), ("n", builder.settings.blocks)),
        stores=tuple(stores),
        terms=(vector("sums", n=sums.span, c=1), vector("products", n=sums.span, c=1)),
        reduce=("n",),
        reduction="sum",
    )
    if by_batch:
        builder.recorder.once(nest, places)
    else:
        builder.defer(lambda: builder.recorder.once(nest, places))
