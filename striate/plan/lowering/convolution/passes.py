"""Convolution and its gradients: which algorithm computes each of the three passes."""

from __future__ import annotations

from striate.layers import MaxPool2D
from striate.nest.algebra import Accumulator, Nest, Store
from striate.ops.shapes import Pads
from striate.plan.analysis.operations import Operation
from striate.plan.layout import EVERY_PIXEL, Location
from striate.plan.lowering.builder import Builder, vector
from striate.plan.lowering.convolution import (
    bfloat16,
    direct,
    winograd,
    winograd_row_passes,
    winograd_rows,
)
from striate.plan.lowering.convolution.direct import ConvGeometry
from striate.plan.lowering.convolution.winograd_rows import Strips
from striate.plan.settings import Settings


def input_halo(settings: Settings, operation: Operation) -> Pads:
    """The padding, and what Winograd's tiles or strips read behind it."""
    if found := winograd.chosen(settings, operation):
        return winograd.input_halo(operation, found)
    if choice := winograd_rows.chosen(settings, operation):
        return winograd_rows.input_halo(choice.strips)
    return ConvGeometry(operation).pads


def gradient_halo(settings: Settings, operation: Operation) -> Pads:
    """How far the gradients read past the output's border."""
    if found := winograd.chosen(settings, operation):
        return winograd.gradient_halo(operation, found)
    plain = ConvGeometry(operation).gradient_halo()
    if choice := winograd_rows.chosen(settings, operation):
        halo = winograd_rows.gradient_halo(choice.strips)
        if "input_gradient" in choice.passes:
            return halo
        top, bottom, left, right = (max(pair) for pair in zip(halo, plain, strict=True))
        return top, bottom, left, right
    return plain


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    _forward(builder, operation)
    work = products(builder.settings, operation)
    builder.again.convolution(operation, work, lambda: _forward_again(builder, operation))


def _forward_again(builder: Builder, operation: Operation) -> None:
    builder.again.refresh(operation.inputs)
    _forward(builder, operation)


def _forward(builder: Builder, operation: Operation) -> None:
    if found := winograd.chosen(builder.settings, operation):
        winograd.forward(builder, operation, found)
    elif some := _in_strips(builder, operation, "forward"):
        winograd_row_passes.forward(builder, operation, some)
    elif bfloat16.chosen(builder.settings, operation, "forward"):
        bfloat16.forward(builder, operation)
    else:
        direct.forward(builder, operation)


def backward(builder: Builder, operation: Operation) -> None:
    """dX; dF and the bias's gradient, summed into the shard's own."""
    _gradients(builder, operation)
    if ConvGeometry(operation).bias:
        _bias_gradient(builder, operation)


def _gradients(builder: Builder, operation: Operation) -> None:
    wanted = builder.needs_gradient(operation.inputs[0])
    if wanted and (found := winograd.chosen(builder.settings, operation)):
        winograd.gradients(builder, operation, found)
        return
    left = _in_strips(builder, operation, "input_gradient") if wanted else None
    right = _in_strips(builder, operation, "filter_gradient")
    if left and right:  # both read the same
        spread = winograd_row_passes.spread_out(builder, operation, left)
        winograd_row_passes.input_gradient(builder, operation, left, spread)
        winograd_row_passes.filter_gradient(builder, operation, right, spread)
        return
    if wanted:
        input_gradient(builder, operation)
    filter_gradient(builder, operation)


def input_gradient(builder: Builder, operation: Operation) -> None:
    """dX."""
    if found := winograd.chosen(builder.settings, operation):
        winograd.input_gradient(builder, operation, found)
    elif some := _in_strips(builder, operation, "input_gradient"):
        winograd_row_passes.input_gradient(builder, operation, some)
    elif bfloat16.chosen(builder.settings, operation, "input_gradient"):
        bfloat16.input_gradient(builder, operation)
    else:
        direct.input_gradient(builder, operation)


def filter_gradient(builder: Builder, operation: Operation) -> None:
    """dF."""
    if found := winograd.chosen(builder.settings, operation):
        winograd.filter_gradient(builder, operation, found)
    elif some := _in_strips(builder, operation, "filter_gradient"):
        winograd_row_passes.filter_gradient(builder, operation, some)
    elif bfloat16.chosen(builder.settings, operation, "filter_gradient"):
        bfloat16.filter_gradient(builder, operation)
    else:
        direct.filter_gradient(builder, operation)


def winograd_passes(settings: Settings, operation: Operation) -> frozenset[str]:
    """Those of the passes "forward", "input_gradient" and "filter_gradient" that are computed by
    Winograd's algorithm."""
    if winograd.chosen(settings, operation):
        return frozenset(winograd_rows.PASSES)
    choice = winograd_rows.chosen(settings, operation)
    return choice.passes if choice else frozenset()


def products(settings: Settings, operation: Operation) -> float:
    """Multiply-adds of one pass over an image, by the algorithm that computes O."""
    g = ConvGeometry(operation)
    found = winograd.chosen(settings, operation)
    taps = (found.size / found.outputs_count) ** 2 if found else g.size[0] * g.size[1]
    return taps * g.rows * g.columns * g.depth * g.outputs


def _in_strips(builder: Builder, operation: Operation, name: str) -> Strips | None:
    choice = winograd_rows.chosen(builder.settings, operation)
    return choice.strips if choice and name in choice.passes else None


def _bias_gradient(builder: Builder, operation: Operation) -> None:
    gradient = builder.gradients[operation.node]
    readers = builder.graph.readers_of.get(operation.node, ())
    if [type(reader.layer) for reader in readers] == [MaxPool2D] and not operation.activation:
        # Each window has handed its gradient to one output: there are fewer windows to add up.
        gradient = builder.gradients[readers[0].node]
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
            terms=(gradient.tensor("gradient", EVERY_PIXEL),),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {"gradient": Location(gradient.buffer), "sum": builder.shard_gradient(operation, "bias")},
    )
