"""Convolution and both of its gradients: one nest, with the roles of its tensors exchanged.

    O[y,x,k]               += X[y*S + r*D - P, x*S + s*D - P, c] * F[r,s,c,k]
    dF[r,s,c,k]            += X[y*S + r*D - P, x*S + s*D - P, c] * dO[y,x,k]
    dX[y*S + r*D - P, …,c] += dO[y,x,k] * F[r,s,c,k]

with groups as one more axis g of channels and filters.  The input gradient is turned around, so
that each pixel is written once: see `striate.plan.phases`.
"""

from __future__ import annotations

from typing import cast

from striate.layers import Conv2D
from striate.nest.algebra import Accumulator, Nest, Store, Tensor, strides_of
from striate.plan.builder import Builder, vector
from striate.plan.graph import Operation
from striate.plan.layout import EVERY, Place, Steps, Walk
from striate.plan.lower._windows import Windows
from striate.shapes import Pads


class _Geometry(Windows):
    """The numbers of one convolution: axes g (groups), c (channels of a group), k (its filters)."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        layer = cast(Conv2D, operation.layer)
        self.bias, self.groups = layer.bias, layer.groups
        self.depth = self.channels // layer.groups
        self.share = self.outputs // layer.groups
        self.c: Steps = {"g": self.depth, "c": 1}
        self.k: Steps = {"g": self.share, "k": 1}
        self.output = Walk({"y": 1}, {"x": 1}, self.k)
        # F[r, s, c, k] is stored (height, width, channels of a group, filters).
        self.row, self.column = self.size[1] * self.depth * self.outputs, self.depth * self.outputs
        self.weight = {"c": self.outputs, "g": self.share, "k": 1}

    def filter(self, role: str) -> Tensor:
        """F[r, s, c, k]."""
        return vector(role, r=self.row, s=self.column, **self.weight)


def input_halo(operation: Operation) -> Pads:
    """The padding."""
    return _Geometry(operation).pads


def gradient_halo(operation: Operation) -> Pads:
    """How far the input gradient reads past the output's border."""
    return _Geometry(operation).gradient_halo()


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    g = _Geometry(operation)
    x = builder.values[operation.inputs[0]]
    places = {
        "x": Place(x.buffer),
        "filters": builder.parameter(operation, "filters"),
        "out": builder.out(operation),
    }
    if g.bias:
        places["bias"] = builder.parameter(operation, "bias")
    store = builder.store(operation, Accumulator(), g.output)
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("y", g.rows),
                ("g", g.groups),
                ("k", g.share),
                ("x", g.columns),
                ("v", builder.lanes),
                ("r", g.size[0]),
                ("s", g.size[1]),
                ("c", g.depth),
            ),
            stores=(store,),
            terms=(x.tensor("x", g.pixels(g.c)) * g.filter("filters"),),
            reduce=("r", "s", "c"),
            reduction="sum",
            initial=(vector("bias", g=g.share, k=1),) if g.bias else (),
        ),
        places,
    )


def backward(builder: Builder, operation: Operation) -> None:
    """dF and the bias's gradient, summed into the shard's own; then dX."""
    g = _Geometry(operation)
    _filter_gradient(builder, operation, g)
    if g.bias:
        _bias_gradient(builder, operation, g)
    if builder.needs_gradient(operation.inputs[0]):
        _input_gradient(builder, operation, g)


def _filter_gradient(builder: Builder, operation: Operation, g: _Geometry) -> None:
    x, gradient = builder.values[operation.inputs[0]], builder.gradients[operation.node]
    target = g.filter("sum")
    builder.recorder.blockwise(
        Nest(
            axes=(
                ("g", g.groups),
                ("c", g.depth),
                ("k", g.share),
                ("r", g.size[0]),
                ("s", g.size[1]),
                ("y", g.rows),
                ("x", g.columns),
                ("v", builder.lanes),
            ),
            stores=(Store(target, Accumulator()),),
            terms=(x.tensor("x", g.pixels(g.c)) * gradient.tensor("gradient", g.output),),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {
            "x": Place(x.buffer),
            "gradient": Place(gradient.buffer),
            "sum": builder.shard_gradient(operation, "filters"),
        },
    )


def _bias_gradient(builder: Builder, operation: Operation, g: _Geometry) -> None:
    gradient = builder.gradients[operation.node]
    target = vector("sum", c=1)
    builder.recorder.blockwise(
        Nest(
            axes=(("c", g.outputs), ("y", g.rows), ("x", g.columns), ("v", builder.lanes)),
            stores=(Store(target, Accumulator()),),
            terms=(gradient.tensor("gradient", EVERY),),
            reduce=("y", "x", "v"),
            reduction="sum",
            initial=(target,),
        ),
        {"gradient": Place(gradient.buffer), "sum": builder.shard_gradient(operation, "bias")},
    )


def _input_gradient(builder: Builder, operation: Operation, g: _Geometry) -> None:
    gradient = builder.gradients[operation.node]
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for part in g.ways_back():
            axes = (*part.axes(("g", g.groups), ("c", g.depth)), ("v", builder.lanes))
            if part.is_empty:
                writer.nothing(axes, part.pixels(g.c))
                continue
            strides, offset = part.taps(g.row, g.column)
            taps = Tensor("filters", strides_of({**strides, **g.weight}), offset)
            writer.nest(
                (*axes, *part.reduced, ("k", g.share)),
                gradient.tensor("gradient", part.outputs(g.k)) * taps,
                {
                    "gradient": Place(gradient.buffer),
                    "filters": builder.parameter(operation, "filters"),
                },
                walk=part.pixels(g.c),
                reduce=("j", "i", "k"),
            )
