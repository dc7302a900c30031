"""The block of MobileNet V2 and V3 and of EfficientNet: many maps inside, few around them."""

from __future__ import annotations

from striate.architectures.building_blocks import MakesLayer, NormalisedConvolution
from striate.layers import Add, Dense, GlobalAvgPool2D, Multiply, Node, ReLU, Sigmoid


def inverted_residual(
    x: Node,
    filters: int,
    expanded: int,
    name: str,
    convolve: NormalisedConvolution,
    *,
    size: int = 3,
    stride: int = 1,
    squeezed: int = 0,
    inside: MakesLayer = ReLU,
    gate: MakesLayer = Sigmoid,
) -> Node:
    """Expand by 1×1, convolve each map alone, and project by 1×1 without an activation; the input
    is added where shapes allow.

    Args:
        x: the input.
        filters: the maps of the output.
        expanded: the maps inside; as many as in the input: nothing is expanded.
        name: of the place.
        convolve: the convolution with its normalisation and activation.
        size, stride: of the convolution of single maps.
        squeezed: units of squeeze-and-excitation before the projection; 0: there is none.
        inside, gate: the activations of that.
    """
    y = x
    if expanded != x.shape[2]:
        y = convolve(y, expanded, 1, f"{name}_expand")
    y = convolve(y, expanded, size, f"{name}_depthwise", stride=stride, groups=expanded)
    if squeezed:
        y = squeeze_and_excite(y, squeezed, name, inside=inside, gate=gate)
    y = convolve(y, filters, 1, f"{name}_project", active=False)
    return Add(name=f"{name}_add")(y, x) if x.shape == y.shape else y


def squeeze_and_excite(
    x: Node, squeezed: int, name: str, *, inside: MakesLayer = ReLU, gate: MakesLayer = Sigmoid
) -> Node:
    """Each map times a number between 0 and 1 that the means of all maps decide: Hu, Shen, Sun,
    "Squeeze-and-excitation networks" (arXiv:1709.01507).

    Args:
        x: the maps.
        squeezed: the units between the means and the numbers.
        name: of the place.
        inside, gate: the activations behind the two dense layers.
    """
    y = GlobalAvgPool2D(name=f"{name}_squeeze")(x)
    y = inside(name=f"{name}_inside")(Dense(squeezed, name=f"{name}_dense1")(y))
    y = gate(name=f"{name}_gate")(Dense(x.shape[2], name=f"{name}_dense2")(y))
    return Multiply(name=f"{name}_excite")(x, y)
