"""The fully connected layer: every output reads every input.

y[n,o]  = b[o] + sum_i x[n,i] * W[i,o]
dW[i,o] = sum_n x[n,i] * dy[n,o]          over the whole batch: rows of W are the tasks
dx[n,i] = sum_o dy[n,o] * W[i,o]
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from striate.layers import Dense, GroupedDense, Layer
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.analysis.activations import activated
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Access, Image, Location, vector
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.elementwise import copy
from striate.plan.lowering.weight_panels import lay_out, panel
from striate.plan.stage import in_tasks

# Inputs whose rows of dW one task computes, at least: less is not worth a turn of the counter.
_ROWS = 24
_TASKS = 32
# Weights of more numbers are worth reading for 16 images at once.
_MANY, _IMAGES = 1 << 16, 16


def forward(builder: Builder, operation: Operation) -> None:
    """y, with the bias as first addend and the activation applied as it is stored."""
    multiply(builder, operation, builder.values[operation.node], operation.activation)


def multiply(builder: Builder, operation: Operation, out: Image, activation: Layer | None) -> None:
    """The product with the layer's weights, as many columns as the vector `out` has numbers."""
    x = _flat(builder, operation)
    units = out.features
    bias = cast(Dense | GroupedDense, operation.layer).bias
    weights, width, strides = _laid_out(builder, operation, x, units)
    places = {"x": Location(x.buffer), "weights": weights, "out": Location(out.buffer)}
    if bias:
        places["bias"] = builder.parameter(operation, "bias")
    axes = (("v", builder.lanes), ("o", width))
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("O", units // width),
                *(axes if builder.channel_lanes else reversed(axes)),
                ("i", x.features),
            ),
            stores=(
                Store(
                    out.tensor("out", Access(c={"O": width, "o": 1})),
                    activated(activation, Accumulator()),
                ),
            ),
            terms=(x.flat("x", "i") * vector("weights", **strides),),
            reduce=("i",),
            reduction="sum",
            initial=(vector("bias", O=width, o=1),) if bias else (),
        ),
        places,
        before="v",
        blocks=images_at_once(builder, x.features * units),
    )


def _laid_out(
    builder: Builder, operation: Operation, x: Image, units: int
) -> tuple[Location, int, dict[str, int]]:
    """The weights W[i,o], the units of a panel, and the strides of panels O, units o, inputs i.

    Where channels fill the lanes, many units lie in panels, and where weights are laid out once two
    panels do, for two threads; of few units each has its inputs side by side, and these fill the
    lanes.
    """
    features = x.features
    place = builder.parameter(operation, "weights")
    width = panel(units)
    few = units < builder.settings.vector and features % builder.settings.vector == 0
    if builder.channel_lanes and few:
        width, strides = units, {"o": features, "i": 1}
        along = "o"
    elif builder.channel_lanes and units >= (2 if builder.settings.frozen else 3) * width:
        strides = {"O": features * width, "o": 1, "i": width}
        along = "O"
    else:
        return place, units, {"o": 1, "i": units}
    nest = Nest(
        (("O", units // width), ("o", width), ("i", features))
        if few
        else (("O", units // width), ("i", features), ("o", width)),
        stores=(Store(vector("laid", **strides), vector("weights", O=width, i=units, o=1)),),
    )
    name = f"weights {operation.node}"
    laid = lay_out(builder, name, features * units, nest, {"weights": place}, along)
    return laid, width, strides


def images_at_once(builder: Builder, weights: int) -> int | None:
    """Blocks of images that should share one pass over the weights, if these are many."""
    return -(-_IMAGES // builder.lanes) if weights > _MANY else None


def backward(builder: Builder, operation: Operation) -> None:
    """dx block by block; dW and the bias's gradient later, from the whole batch at once."""
    propagate(builder, operation, builder.gradients[operation.node])


def propagate(builder: Builder, operation: Operation, gradient: Image) -> None:
    """From the gradient of what `multiply` stored, those of the input, the weights, the bias."""
    units = gradient.features
    turned = gradient
    if not builder.channel_lanes:
        turned = _turned(builder, operation, gradient, units)
    builder.defer(lambda: _weight_gradient(builder, operation, turned, units))
    if builder.needs_gradient(operation.inputs[0]):
        _input_gradient(builder, operation, gradient)


def _input_gradient(builder: Builder, operation: Operation, gradient: Image) -> None:
    """dx, numbered as the image that x was: rows y, columns x, panels C of channels c."""
    units, source = gradient.features, operation.inputs[0]
    image = builder.values[source]
    place = builder.parameter(operation, "weights")
    width = panel(image.channels) if builder.channel_lanes else image.channels
    strides = {"o": 1, "c": units}
    if builder.channel_lanes:
        place = _turned_weights(builder, operation, image, units, width)
        strides = {"o": width, "c": 1}
    row = image.width * image.channels * units
    weights = vector("weights", y=row, x=image.channels * units, C=width * units, **strides)
    axes = (("y", image.height), ("x", image.width), ("C", image.channels // width))
    inside = (("c", width), ("v", builder.lanes))
    with builder.writing_gradient(source) as writer:
        writer.nest(
            (*axes, *(reversed(inside) if builder.channel_lanes else inside), ("o", units)),
            gradient.flat("gradient", "o") * weights,
            {"gradient": Location(gradient.buffer), "weights": place},
            walk=replace(EVERY_PIXEL, c={"C": width, "c": 1}),
            reduce=("o",),
            before="v",
            blocks=images_at_once(builder, image.features * units),
        )


def _turned_weights(
    builder: Builder, operation: Operation, image: Image, units: int, width: int
) -> Location:
    """The weights with the channels of the input side by side."""
    size = image.features * units
    pixels_ = image.height * image.width
    pixel, group = image.channels * units, width * units
    nest = Nest(
        (("p", pixels_), ("C", image.channels // width), ("o", units), ("c", width)),
        stores=(
            Store(
                vector("laid", p=pixel, C=group, o=width, c=1),
                vector("weights", p=pixel, C=group, o=1, c=units),
            ),
        ),
    )
    along = "p" if pixels_ > 1 else "C"
    places = {"weights": builder.parameter(operation, "weights")}
    return lay_out(builder, f"turned weights {operation.node}", size, nest, places, along)


def _flat(builder: Builder, operation: Operation) -> Image:
    """The input without a halo: as it is, or copied."""
    x = builder.values[operation.inputs[0]]
    if x.is_flat:
        return x
    name = f"flat {operation.inputs[0]}"
    flat = builder.image(name, (x.height, x.width, x.channels))
    copy(builder, x, flat)
    builder.remember(operation, "flat", flat)
    return flat


def _turned(builder: Builder, operation: Operation, gradient: Image, units: int) -> Image:
    """The output's gradient with the units side by side: [lane][unit]."""
    turned = builder.image(f"turned {operation.node}", (units,))
    builder.recorder.blockwise(
        Nest(
            (("v", builder.lanes), ("o", units)),
            stores=(
                Store(
                    Tensor("out", strides_of({"v": units, "o": 1})),
                    gradient.flat("gradient", "o"),
                ),
            ),
        ),
        {"gradient": Location(gradient.buffer), "out": Location(turned.buffer)},
    )
    return turned


def _weight_gradient(builder: Builder, operation: Operation, turned: Image, units: int) -> None:
    if not builder.learns(operation):
        return
    x = builder.values[operation.inputs[0]]
    if builder.has(operation, "flat"):
        x = builder.recall(operation, "flat", Image)
    lanes, blocks = builder.lanes, builder.settings.blocks
    other = vector("gradient", n=turned.buffer.span, v=units, o=1)
    # Rows in equal tasks, and what is left over as one more.
    rows = max(_ROWS, -(-x.features // _TASKS))
    rows = min(-(-rows // _ROWS) * _ROWS, x.features)
    for first, count, size in in_tasks(x.features, rows):
        target = builder.parameter_gradient(operation, "weights")
        builder.recorder.tasks(
            Nest(
                axes=(("i", size), ("o", units), ("n", blocks), ("v", lanes)),
                stores=(Store(vector("out", i=units, o=1), Accumulator()),),
                terms=(vector("x", n=x.buffer.span, i=lanes, v=1) * other,),
                reduce=("n", "v"),
                reduction="sum",
            ),
            count,
            {"x": size * lanes, "out": size * units},
            {
                "x": Location(x.buffer, first * lanes),
                "gradient": Location(turned.buffer),
                "out": Location(target.buffer, target.offset + first * units),
            },
            barrier=False,
        )
    if cast(Dense | GroupedDense, operation.layer).bias:
        builder.recorder.once(
            Nest(
                axes=(("o", units), ("n", blocks), ("v", lanes)),
                stores=(Store(vector("out", o=1), Accumulator()),),
                terms=(other,),
                reduce=("n", "v"),
                reduction="sum",
            ),
            {
                "gradient": Location(turned.buffer),
                "out": builder.parameter_gradient(operation, "bias"),
            },
            barrier=False,
        )
