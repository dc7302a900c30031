"""The fully connected layer: every output reads every input.

y[n,o]  = b[o] + sum_i x[n,i] * W[i,o]
dW[i,o] = sum_n x[n,i] * dy[n,o]          over the whole batch: rows of W are the tasks
dx[n,i] = sum_o dy[n,o] * W[i,o]
"""

from __future__ import annotations

from typing import cast

from striate.layers import Dense
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.builder import Builder, pixels, vector
from striate.plan.graph import Operation
from striate.plan.layout import Image, Place, Walk
from striate.plan.lower.elementwise import copy
from striate.plan.recorder import in_tasks

# Inputs whose rows of dW one task computes, at least: less is not worth a turn of the counter.
_ROWS = 24
_TASKS = 32


def forward(builder: Builder, operation: Operation) -> None:
    """y, with the bias as first addend and the activation applied as it is stored."""
    x = _flat(builder, operation)
    units = operation.shape[0]
    bias = cast(Dense, operation.layer).bias
    places = {
        "x": Place(x.buffer),
        "weights": builder.parameter(operation, "weights"),
        "out": builder.out(operation),
    }
    if bias:
        places["bias"] = builder.parameter(operation, "bias")
    builder.recorder.blockwise(
        Nest(
            axes=(("o", units), ("v", builder.lanes), ("i", x.features)),
            stores=(builder.store(operation, Accumulator(), Walk(c={"o": 1})),),
            terms=(x.flat("x", "i") * vector("weights", i=units, o=1),),
            reduce=("i",),
            reduction="sum",
            initial=(vector("bias", o=1),) if bias else (),
        ),
        places,
    )


def backward(builder: Builder, operation: Operation) -> None:
    """dx block by block; dW and the bias's gradient later, from the whole batch at once."""
    units = operation.shape[0]
    gradient = builder.gradients[operation.node]
    turned = _turned(builder, operation, gradient, units)
    builder.later(lambda: _weight_gradient(builder, operation, turned, units))
    source = operation.inputs[0]
    if not builder.needs_gradient(source):
        return
    image = builder.values[source]
    row = image.width * image.channels * units
    weights = vector("weights", y=row, x=image.channels * units, c=units, o=1)
    with builder.writing_gradient(source) as writer:
        writer.nest(
            (*pixels(image, builder.lanes), ("o", units)),
            gradient.flat("gradient", "o") * weights,
            {
                "gradient": Place(gradient.buffer),
                "weights": builder.parameter(operation, "weights"),
            },
            reduce=("o",),
        )


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
        {"gradient": Place(gradient.buffer), "out": Place(turned.buffer)},
    )
    return turned


def _weight_gradient(builder: Builder, operation: Operation, turned: Image, units: int) -> None:
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
                "x": Place(x.buffer, first * lanes),
                "gradient": Place(turned.buffer),
                "out": Place(target.buffer, target.offset + first * units),
            },
            barrier=False,
        )
    if cast(Dense, operation.layer).bias:
        builder.recorder.once(
            Nest(
                axes=(("o", units), ("n", blocks), ("v", lanes)),
                stores=(Store(vector("out", o=1), Accumulator()),),
                terms=(other,),
                reduce=("n", "v"),
                reduction="sum",
            ),
            {
                "gradient": Place(turned.buffer),
                "out": builder.parameter_gradient(operation, "bias"),
            },
            barrier=False,
        )
