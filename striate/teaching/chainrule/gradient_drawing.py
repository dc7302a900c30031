"""Draws a written-out convolution: how X and F make O and L, and the way of the gradients back.

One channel and one filter are drawn as the flow of article 003, and so are several layers one after
the other (`chain_drawing`); several channels or filters as the columns of article 002: the channels
of the input, those of each filter, and the outputs, with a box around what makes one output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from striate.common.text import number
from striate.teaching.chainrule.chain_drawing import chain_figure
from striate.teaching.chainrule.layer_chain import ChainSums
from striate.teaching.number_planes import BACK, FILTER, GIVES, READS, arrow, box, canvas, plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from striate.teaching.chainrule.sums import GradientSums


def gradient_figure(written: GradientSums | ChainSums, only: Sequence[str] = ()) -> Figure:
    """The figure.

    Args:
        written: the convolution, or the chain of layers, with its sums.
        only: names of sums; of a single convolution of several channels or filters the first output
            among them gets the boxes, else the first of all.
    """
    if isinstance(written, ChainSums):
        return chain_figure(written)
    if written.f.shape[2:] == (1, 1):
        return _flow(written)
    return _columns(written, only)


def _flow(written: GradientSums) -> Figure:
    x, f, out = written.x[..., 0], written.f[..., 0, 0], written.gradient[..., 0]
    pads = written.layer.pads(written.x.shape)
    tall = x.shape[0] + pads[0] + pads[1]
    wide = max(x.shape[1] + pads[2] + pads[3], f.shape[1])
    first, second = 1.0, wide + 2.5  # columns of the numbers and of their gradients
    mid = second + wide + 4.5
    right = mid + out.shape[1] + 3.5
    below = tall + 5.2
    height = max(below + f.shape[0] + 1.5, 2 * out.shape[0] + 7.5)
    figure, axes = canvas(right + 2.6, height)
    plane(axes, x, first, 1.7, "X", pads=pads, tint="#dbe9f6")
    plane(axes, written.input_gradient[..., 0], second, 1.7 + pads[0], "∂L/∂X", tint="#fde3c8")
    plane(axes, f, first, below, "F", tint="#f9d9d6")
    plane(axes, written.filter_gradient[..., 0, 0], second, below, "∂L/∂F", tint="#fde3c8")
    centre = height / 2
    top = centre - out.shape[0] - 0.9
    plane(axes, written.output[..., 0], mid, top, "O = X ∗ F", tint="#d8efd8")
    plane(axes, out, mid, centre + 1.2, "∂L/∂O (given)", tint="#fde3c8")
    ends = second + wide + 0.3
    axes.text(right + 1.2, centre, "L", fontsize=16, ha="center", va="center")
    forward, back = top + out.shape[0] / 2, centre + 1.2 + out.shape[0] / 2
    beside = mid - 0.4
    arrow(axes, (ends, 1.7 + tall / 2 - 0.4), (beside, forward - 0.2))
    arrow(axes, (ends, below + 0.3), (beside, forward + 0.4))
    arrow(axes, (beside, back - 0.4), (ends, 1.7 + tall / 2 + 0.4), BACK)
    arrow(axes, (beside, back + 0.2), (ends, below + f.shape[0] / 2 + 0.6), BACK)
    after = mid + out.shape[1] + 0.3
    arrow(axes, (after, forward), (right + 0.7, centre - 0.5))
    arrow(axes, (right + 0.7, centre + 0.5), (after, back), BACK)
    if written.b is not None:
        said = f"b = {number(written.b[0])},  ∂L/∂b = {number(written.bias_gradient[0])}"
        axes.text(mid, height - 0.5, said, fontsize=9)
    axes.text(first, 0.55, "gray arrows: the forward pass", fontsize=8, color="0.25")
    axes.text(first, height - 0.4, "orange: the gradients flow back", fontsize=8, color=BACK)
    return figure


def _columns(written: GradientSums, only: Sequence[str]) -> Figure:
    height_x, width_x, channels = written.x.shape
    tall, wide, _, count = written.f.shape
    rows, columns, _ = written.gradient.shape
    layer, pads = written.layer, written.layer.pads(written.x.shape)
    names = {str(one.of): place for place, one in enumerate(written.outputs)}
    at = next((names[name] for name in only if name in names), 0)
    place, k = divmod(at, count)
    row, column = divmod(place, columns)
    of_x = pads[0] + height_x + pads[1] + 2.0
    of_f, of_o = tall + 2.0, rows + 2.0
    bodies = channels * of_x, channels * of_f + 2.2, count * of_o
    height = max(bodies) + 2.2
    starts = [1.0]
    starts.append(starts[0] + pads[2] + width_x + pads[3] + 2.5)
    for _ in range(count):
        starts.append(starts[-1] + max(wide, 4) + 2.0)
    figure, axes = canvas(starts[-1] + columns + 1.5, height)
    reach = [1 + (n - 1) * d for n, d in zip((tall, wide), layer.dilation, strict=True)]
    left = starts[0] + column * layer.stride[1]
    for c in range(channels):
        top = 1.6 + c * of_x
        raised = f", channel {c + 1}" * (channels > 1)
        plane(axes, written.x[..., c], starts[0], top, f"X{raised}", pads=pads, tint="#eef4fb")
        box(axes, left, top + row * layer.stride[0], reach[1], reach[0], READS)
    for n in range(count):
        x = starts[1 + n]
        for c in range(channels):
            top = 1.6 + c * of_f
            name = f"F {n + 1}" if count > 1 else "F"
            if channels > 1:
                name += f", channel {c + 1}"
            plane(axes, written.f[..., c, n], x, top, name, tint="#fbeeed")
            if n == k:
                box(axes, x, top, wide, tall, FILTER)
        if written.b is not None:
            said = f"b = {number(written.b[n])}"
            axes.text(x, 1.6 + channels * of_f - 0.4, said, fontsize=9)
    for n in range(count):
        top = 1.6 + n * of_o
        raised = f" {n + 1}" * (count > 1)
        plane(axes, written.output[..., n], starts[-1], top, f"O{raised}", tint="#eef7ee")
        if n == k:
            box(axes, starts[-1] + column, top + row, 1, 1, GIVES)
    one = written.outputs[at]
    axes.text(
        starts[0], height - 0.5,
        f"blue · red, summed{' + b' * (written.b is not None)} = green: "
        f"{one.of} = {number(one.value)}, of {len(one.terms)} terms",
        fontsize=9,
    )  # fmt: skip
    return figure
