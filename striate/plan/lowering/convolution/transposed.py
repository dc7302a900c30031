"""Transposed convolution: the passes of a convolution with the roles of its images exchanged.

What that convolution reads is this layer's output, and what it makes is this layer's input.  So the
forward pass is its input gradient, the input gradient its forward pass, and the filter gradient its
filter gradient, of the output's gradient and the input.  All three are the nests of
`striate.plan.lowering.convolution.direct`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from striate.layers import ConvTranspose2D
from striate.ops.shapes import Pads, extent
from striate.plan.analysis.operations import Operation
from striate.plan.lowering.builder import Builder, OutputWriter
from striate.plan.lowering.convolution import direct
from striate.plan.lowering.convolution.choice import bias_gradient
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.settings import Settings


def input_halo(_: Settings, operation: Operation) -> Pads:
    """How far the forward pass reads past the input's border."""
    return _geometry(operation).gradient_halo()


def gradient_halo(_: Settings, operation: Operation) -> Pads:
    """What both gradients read around the output's: where the taps were cut away."""
    return _geometry(operation).pads


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    g = _geometry(operation)
    filters = direct.backward_filters(builder, operation, g)
    x, writer = builder.values[operation.inputs[0]], OutputWriter(builder, operation, g.bias)
    direct.spread(builder, g, x, filters, writer)


def backward(builder: Builder, operation: Operation) -> None:
    """dX, where anything before the layer learns; dF and the bias's gradient."""
    g, source = _geometry(operation), operation.inputs[0]
    gradient = builder.gradients[operation.node]
    if builder.needs_gradient(source):
        with builder.writing_gradient(source) as writer:
            for filters in direct.forward_filters(builder, operation, g):
                direct.window_sums(builder, g, gradient, filters).record(writer, g)
    if not builder.learns(operation):
        return
    direct.sum_image_products(builder, operation, g, gradient, builder.values[source])
    if g.bias:
        bias_gradient(builder, operation)


def _geometry(operation: Operation) -> ConvGeometry:
    """The geometry of the convolution from the output to the input."""
    layer = cast(ConvTranspose2D, operation.layer)
    (image,), output = operation.shapes, operation.shape
    top, _, left, _ = layer.pads
    bottom, right = (
        max((image[axis] - 1) * stride + extent(size, dilation) - before - output[axis], 0)
        for axis, (stride, size, dilation, before) in enumerate(
            zip(layer.stride, layer.size, layer.dilation, (top, left), strict=True)
        )
    )
    pads = (top, bottom, left, right)
    return ConvGeometry(replace(operation, shapes=(output,), shape=image, pads=pads))
