"""Convolution and its gradients: which algorithm computes each of the three passes."""

from __future__ import annotations

from striate.nest.algebra import Accumulator, Nest, Store
from striate.plan.builder import Builder, Settings, vector
from striate.plan.graph import Operation
from striate.plan.layout import EVERY, Place
from striate.plan.lower import direct, winograd
from striate.plan.lower.direct import Geometry
from striate.shapes import Pads


def input_halo(settings: Settings, operation: Operation) -> Pads:
    """The padding, and what Winograd's tiles read behind it."""
    found = winograd.chosen(settings, operation)
    return Geometry(operation).pads if found is None else winograd.input_halo(operation, found)


def gradient_halo(settings: Settings, operation: Operation) -> Pads:
    """How far the gradients read past the output's border."""
    found = winograd.chosen(settings, operation)
    if found is None:
        return Geometry(operation).gradient_halo()
    return winograd.gradient_halo(operation, found)


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    found = winograd.chosen(builder.settings, operation)
    if found is None:
        direct.forward(builder, operation)
    else:
        winograd.forward(builder, operation, found)


def backward(builder: Builder, operation: Operation) -> None:
    """dF and the bias's gradient, summed into the shard's own; then dX."""
    if Geometry(operation).bias:
        _bias_gradient(builder, operation)
    if builder.needs_gradient(operation.inputs[0]):
        input_gradient(builder, operation)
    filter_gradient(builder, operation)


def input_gradient(builder: Builder, operation: Operation) -> None:
    """dX."""
    found = winograd.chosen(builder.settings, operation)
    if found is None:
        direct.input_gradient(builder, operation)
    else:
        winograd.input_gradient(builder, operation, found)


def filter_gradient(builder: Builder, operation: Operation) -> None:
    """dF."""
    found = winograd.chosen(builder.settings, operation)
    if found is None:
        direct.filter_gradient(builder, operation)
    else:
        winograd.filter_gradient(builder, operation, found)


def uses_winograd(settings: Settings, operation: Operation) -> bool:
    """Whether the three passes are computed by Winograd's algorithm."""
    return winograd.chosen(settings, operation) is not None


def _bias_gradient(builder: Builder, operation: Operation) -> None:
    gradient = builder.gradients[operation.node]
    target = vector("sum", c=1)
    builder.clear_shard(operation, "bias")
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("c", gradient.channels),
                ("y", gradient.height),
                ("x", gradient.width),
                ("v", builder.lanes),
            ),
            stores=(Store(target, Accumulator()),),
            terms=(gradient.tensor("gradient", EVERY),),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {"gradient": Place(gradient.buffer), "sum": builder.shard_gradient(operation, "bias")},
    )
