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
from striate.plan import phases
from striate.plan.builder import Builder, vector
from striate.plan.graph import Operation
from striate.plan.layout import EVERY, Place, Steps, Walk
from striate.shapes import Pads


class _Geometry:
    """The numbers of one convolution."""

    def __init__(self, operation: Operation) -> None:
        self.layer = layer = cast(Conv2D, operation.layer)
        self.height, self.width, channels = operation.shapes[0]
        self.rows, self.columns, self.filters = operation.shape
        self.groups = layer.groups
        self.depth = channels // layer.groups  # channels of a group
        self.share = self.filters // layer.groups  # filters of a group
        self.size, self.stride, self.dilation = layer.size, layer.stride, layer.dilation
        self.pads = layer.pads(operation.shapes[0])
        top, _, left, _ = self.pads
        # Input pixel (y*S + r*D - P, x*S + s*D - P), channel c of group g.
        self.window = Walk(
            {"y": self.stride[0], "r": self.dilation[0]},
            {"x": self.stride[1], "s": self.dilation[1]},
            {"g": self.depth, "c": 1},
            (-top, -left, 0),
        )
        self.k: Steps = {"g": self.share, "k": 1}
        self.output = Walk({"y": 1}, {"x": 1}, self.k)

    def filter(self, role: str) -> Tensor:
        """F[r, s, c, k], stored (height, width, channels of a group, filters)."""
        return vector(role, **self.filter_strides)

    @property
    def filter_strides(self) -> dict[str, int]:
        line = self.depth * self.filters
        return {
            "r": self.size[1] * line,
            "s": line,
            "c": self.filters,
            "g": self.share,
            "k": 1,
        }


def input_halo(operation: Operation) -> Pads:
    """The padding."""
    return _Geometry(operation).pads


def gradient_halo(operation: Operation) -> Pads:
    """How far the input gradient reads past the output's border."""
    g = _Geometry(operation)
    vertical = phases.halo(g.height, g.rows, g.size[0], g.stride[0], g.dilation[0], g.pads[0])
    horizontal = phases.halo(g.width, g.columns, g.size[1], g.stride[1], g.dilation[1], g.pads[2])
    return (*vertical, *horizontal)


def forward(builder: Builder, operation: Operation) -> None:
    """O, with the bias as first addend and the activation applied as it is stored."""
    g = _Geometry(operation)
    x = builder.values[operation.inputs[0]]
    places = {
        "x": Place(x.buffer),
        "filters": builder.parameter(operation, "filters"),
        "out": builder.out(operation),
    }
    if g.layer.bias:
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
            terms=(x.tensor("x", g.window) * g.filter("filters"),),
            reduce=("r", "s", "c"),
            reduction="sum",
            initial=(vector("bias", g=g.share, k=1),) if g.layer.bias else (),
        ),
        places,
    )


def backward(builder: Builder, operation: Operation) -> None:
    """dF and the bias's gradient, summed into the shard's own; then dX."""
    g = _Geometry(operation)
    _filter_gradient(builder, operation, g)
    if g.layer.bias:
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
            terms=(x.tensor("x", g.window) * gradient.tensor("gradient", g.output),),
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
            axes=(("c", g.filters), ("y", g.rows), ("x", g.columns), ("v", builder.lanes)),
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
    vertical = phases.runs(g.height, g.size[0], g.stride[0], g.dilation[0], g.pads[0])
    horizontal = phases.runs(g.width, g.size[1], g.stride[1], g.dilation[1], g.pads[2])
    with builder.writing_gradient(operation.inputs[0]) as writer:
        for rows in vertical:
            for columns in horizontal:
                pixels = Walk(
                    {"y": g.stride[0], "p": 1},
                    {"x": g.stride[1], "q": 1},
                    g.window.c,
                    (rows.start, columns.start, 0),
                )
                axes = (
                    ("y", rows.count),
                    ("p", rows.length),
                    ("g", g.groups),
                    ("c", g.depth),
                    ("x", columns.count),
                    ("q", columns.length),
                    ("v", builder.lanes),
                )
                if not (rows.taps and columns.taps):
                    writer.nothing(axes, pixels)
                    continue
                strides = g.filter_strides
                # Tap (first + p + step*j) of the filter meets output (y + origin - move*j).
                taps = Tensor(
                    "filters",
                    strides_of(
                        {
                            "p": strides["r"],
                            "j": rows.step * strides["r"],
                            "q": strides["s"],
                            "i": columns.step * strides["s"],
                            "c": strides["c"],
                            "g": strides["g"],
                            "k": strides["k"],
                        }
                    ),
                    rows.first * strides["r"] + columns.first * strides["s"],
                )
                seen = gradient.tensor(
                    "gradient",
                    Walk(
                        {"y": 1, "j": -rows.move},
                        {"x": 1, "i": -columns.move},
                        g.k,
                        (rows.origin, columns.origin, 0),
                    ),
                )
                writer.nest(
                    (*axes, ("j", rows.taps), ("i", columns.taps), ("k", g.share)),
                    seen * taps,
                    {
                        "gradient": Place(gradient.buffer),
                        "filters": builder.parameter(operation, "filters"),
                    },
                    walk=pixels,
                    reduce=("j", "i", "k"),
                )
