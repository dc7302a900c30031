"""Local response normalisation, over neighbouring channels.

    d[c] = bias + alpha/size * sum_j x[c+j]**2         y = x * d**-beta
    dx   = dy * d**-beta - 2*alpha*beta/size * x * sum_j (dy * x * d**-(beta+1))[c-j]

What is summed lies in memory of its own with zeros before the first and after the last channel.
"""

from __future__ import annotations

from typing import cast

from striate.layers import LRN
from striate.nest.algebra import Accumulator, Constant, Expression, Nest, Store
from striate.nest.elementary import exp, log, sqrt
from striate.ops.lrn import neighbours
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Image, Location, pixels
from striate.plan.lowering.builder import Builder


def forward(builder: Builder, operation: Operation) -> None:
    """The squares, then d, which the gradient needs too, and y."""
    layer, x = cast(LRN, operation.layer), builder.values[operation.inputs[0]]
    before, after = neighbours(layer.size)
    squares = _bordered(builder, f"squares {operation.node}", x, before, after)
    value = x.tensor("x", EVERY_PIXEL)
    builder.recorder.blockwise(
        Nest(
            pixels(x, builder.lanes),
            stores=(Store(squares.tensor("squares", _own(x)), value * value),),
        ),
        {"x": Location(x.buffer), "squares": Location(squares.buffer)},
    )
    d = Accumulator() * (layer.alpha / layer.size) + layer.bias
    stores = [builder.store(operation, value * _power(d, layer.beta), EVERY_PIXEL)]
    places = {"x": Location(x.buffer), "out": builder.out(operation)}
    if builder.needs_gradient(operation.inputs[0]):
        kept = builder.image(f"denominators {operation.node}", operation.shape)
        builder.remember(operation, "denominators", kept)
        stores.append(Store(kept.tensor("denominators", EVERY_PIXEL), d))
        places["denominators"] = Location(kept.buffer)
    builder.recorder.blockwise(
        Nest(
            (*pixels(x, builder.lanes), ("j", layer.size)),
            stores=tuple(stores),
            terms=(squares.tensor("squares", _window(x, -before)),),
            reduce=("j",),
            reduction="sum",
        ),
        {**places, "squares": Location(squares.buffer)},
    )


def backward(builder: Builder, operation: Operation) -> None:
    """What each output asks of its neighbours, then dx."""
    layer, source = cast(LRN, operation.layer), operation.inputs[0]
    x, gradient = builder.values[source], builder.gradients[operation.node]
    kept = builder.recall(operation, "denominators", Image)
    before, after = neighbours(layer.size)
    shares = _bordered(builder, f"shares {operation.node}", x, after, before)
    value, dy = x.tensor("x", EVERY_PIXEL), gradient.tensor("gradient", EVERY_PIXEL)
    d = kept.tensor("denominators", EVERY_PIXEL)
    power = _power(d, layer.beta)
    places = {
        "x": Location(x.buffer),
        "gradient": Location(gradient.buffer),
        "denominators": Location(kept.buffer),
    }
    shared = {"shares": Location(shares.buffer)}
    builder.recorder.blockwise(
        Nest(
            pixels(x, builder.lanes),
            stores=(Store(shares.tensor("shares", _own(x)), dy * value * power / d),),
        ),
        {**places, **shared},
    )
    sums = builder.image(f"sums {operation.node}", operation.shape)
    builder.recorder.blockwise(
        Nest(
            (*pixels(x, builder.lanes), ("j", layer.size)),
            stores=(Store(sums.tensor("sums", EVERY_PIXEL), Accumulator()),),
            terms=(shares.tensor("shares", _window(x, -after)),),
            reduce=("j",),
            reduction="sum",
        ),
        {**shared, "sums": Location(sums.buffer)},
    )
    factor = 2.0 * layer.alpha * layer.beta / layer.size
    with builder.writing_gradient(source) as writer:
        writer.nest(
            pixels(x, builder.lanes),
            dy * power - value * sums.tensor("sums", EVERY_PIXEL) * factor,
            {**places, "sums": Location(sums.buffer)},
        )


def _bordered(builder: Builder, name: str, image: Image, before: int, after: int) -> Image:
    """Memory for every pixel's channels in a row of its own, between zeros."""
    shape = (image.height * image.width, image.channels, 1)
    return builder.image(name, shape, (0, 0, before, after))


def _own(image: Image) -> Access:
    """Pixels and channels of an image in such memory."""
    return Access({"y": image.width, "x": 1}, {"c": 1})


def _window(image: Image, start: int) -> Access:
    """Each channel's neighbours j, from `start` on."""
    return Access({"y": image.width, "x": 1}, {"c": 1, "j": 1}, start=(0, start, 0))


def _power(d: Expression, beta: float) -> Expression:
    """d**-beta: by square roots where these do."""
    if beta == 0.75:
        root = sqrt(d)
        return Constant(1.0) / (root * sqrt(root))
    if beta == 0.5:
        return Constant(1.0) / sqrt(d)
    if beta == 1.0:
        return Constant(1.0) / d
    return exp(log(d) * -beta)
