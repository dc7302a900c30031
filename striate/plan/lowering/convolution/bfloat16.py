"""Convolution with products of bfloat16 numbers, summed up in 32 bits.

The loops are those of `striate.plan.lowering.convolution.direct`; but what a sum
runs over comes in pairs, and one instruction multiplies two of them and adds both products:

    O [y,x,k]   += X[…,c] * F[r,s,c,k] + X[…,c+1] * F[r,s,c+1,k]             for even c
    dX[…,c]     += dO[y,x,k] * F[r,s,c,k] + dO[y,x,k+1] * F[r,s,c,k+1]       for even k
    dF[r,s,c,k] += X[x*S+s,…] * dO[y,x,k] + X[(x+1)*S+s,…] * dO[y,x+1,k]     for even x

A block's image and gradient are packed into pairs just before they are read, while they are near;
filters once a step.  Whatever is kept from layer to layer, and every sum, has 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping

from striate.plan.analysis.operations import Operation
from striate.plan.layout import Access, Location, vectors
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution import bfloat16_pairs, direct
from striate.plan.lowering.convolution.algorithm import Pass
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry
from striate.plan.lowering.convolution.direct import WINOGRAD_MARGIN, Direct
from striate.plan.settings import Settings

# Channels, and pixels of a row, for which there are enough products to pay for the packing.
LEAST, _PIXELS = 8, 4
# The time of a sum by pairs, as a part of that by numbers of 32 bits.
SHARE = 0.54


def fits(operation: Operation) -> bool:
    """Whether a convolution has enough channels for pairs of them."""
    g = ConvGeometry(operation)
    return min(g.depth, g.share) >= LEAST


def is_faster(operation: Operation, lanes: int, cost: float) -> bool:
    """Whether a convolution by pairs takes less time than one by Winograd's algorithm, which costs
    so many vector operations for an image.
    """
    g = ConvGeometry(operation)
    products = g.rows * g.columns * g.taps * g.depth * vectors(g.outputs, lanes)
    return fits(operation) and SHARE * products < WINOGRAD_MARGIN * cost


class Bfloat16(Direct):
    """The textbook loops over pairs of numbers."""

    name = "direct, products in bfloat16"

    def costs(self, settings: Settings, operation: Operation) -> Mapping[Pass, float]:
        if not settings.bfloat16 or settings.element != "f32" or not fits(operation):
            return {}
        costs = {name: SHARE * cost for name, cost in super().costs(settings, operation).items()}
        if ConvGeometry(operation).columns < _PIXELS:
            del costs["filter_gradient"]
        return costs

    def forward(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        x, name = builder.values[operation.inputs[0]], f"pairs for {operation.node}"
        if g.size == (1, 1) and g.stride != (1, 1):
            pairs = bfloat16_pairs.pixels_read(builder, name, x, g)
            g.stride, g.pads = (1, 1), (0, 0, 0, 0)
        else:
            pairs = bfloat16_pairs.channels(builder, name, x, g.groups)
        for filters in bfloat16_pairs.filters(builder, operation, g, beside="k", summed="c"):
            direct.correlate(builder, operation, g, pairs, filters)

    def input_gradient(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        gradient, name = builder.gradients[operation.node], f"pairs of gradient {operation.node}"
        pairs = bfloat16_pairs.channels(builder, name, gradient, g.groups)
        filters = bfloat16_pairs.filters(builder, operation, g, beside="c", summed="k")
        direct.turn_around(builder, operation, g, pairs, filters)

    def filter_gradient(self, builder: Builder, operation: Operation) -> None:
        g = ConvGeometry(operation)
        x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
        some = direct.channels_of_task(builder, operation, g)
        steps = {"g": g.depth, "C": some, "c": 1}
        name = f"pixels for {operation.node} in pairs"
        read, tensor = bfloat16_pairs.pixels_of_outputs(builder, name, x, g, steps)
        outputs = bfloat16_pairs.outputs(
            builder, f"pixels of gradient {operation.node} in pairs", gradient
        )
        walk = Access({"y": 1}, {"x": 1}, {"g": g.share, "k": 1})
        direct.sum_products(
            builder,
            operation,
            g,
            (tensor, outputs.tensor("gradient", walk)),
            (Location(read), Location(outputs.buffer)),
            outputs.width,
        )
