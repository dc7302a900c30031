"""What several architectures are made of: their input, and convolutions with all around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.common.text import sizes
from striate.layers import BatchNorm, Conv2D, Input, Layer, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape, check_shape

IMAGE: Shape = (224, 224, 3)
"""The images of most papers: ImageNet's."""

Heads = Mapping[str, tuple[Node, float]]
"""Auxiliary outputs by name, each with the weight of its loss."""
MakesLayer = Callable[..., Layer]
"""A layer's class, or another function of a keyword `name` that gives a layer."""


def make_network(
    who: str,
    graph: Callable[[Node, int], Node | tuple[Node, Heads]],
    classes: int,
    image: Shape,
    seed: int | None,
    *,
    least: int = 1,
) -> Network:
    """Build the network of an architecture.

    Args:
        who: the architecture's name, as messages begin.
        graph: gives the output for the node of the image and the number of classes, perhaps with
            auxiliary heads.
        classes: the number of outputs, at least 1.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
        least: the smallest side of an image that reaches the output.

    Raises:
        ValueError, TypeError: the image is smaller or has no three axes, or `classes` is no
            positive whole number.
    """
    units = whole_number(classes, "classes", who)
    first = Input(checked_image(who, image, least))
    made = graph(first, units)
    output, heads = made if isinstance(made, tuple) else (made, None)
    return Network(inputs=first, output=output, heads=heads, seed=seed)


def checked_image(who: str, image: Shape, least: int) -> Shape:
    """The shape of the images if it has three axes, and sides of `least` pixels or more.

    Raises:
        ValueError, TypeError: it has not.
    """
    shape = check_shape(image, "image", who)
    if len(shape) != 3:
        raise StriateValueError(
            f"{who}: image must be (height, width, channels), such as {IMAGE}, got {shape}"
        )
    if min(shape[:2]) < least:
        raise StriateValueError(
            f"{who}: images of {sizes(shape[:2])} pixels are too small for it, both sides must "
            f"have {least} or more; resize them, or take an architecture for small images"
        )
    return shape


@dataclass(frozen=True)
class NormalisedConvolution:
    """A convolution without bias, batch normalisation and an activation, as an architecture has
    them everywhere.

    Attributes:
        activation: the layer behind the normalisation.
        eps, momentum: of the batch normalisation.
        same: pad as TensorFlow does (the odd pixel at the bottom and right) and not by half of the
            filter on all sides; they differ where the stride is 2.
    """

    activation: MakesLayer = ReLU
    eps: float = 1e-5
    momentum: float = 0.9
    same: bool = False

    def __call__(
        self,
        x: Node,
        filters: int,
        size: int | tuple[int, int],
        name: str,
        *,
        stride: int = 1,
        groups: int = 1,
        valid: bool = False,
        active: bool = True,
    ) -> Node:
        """The node behind the three layers, which are called `name` and what they are.

        Args:
            x: what they read.
            filters, size, stride, groups: of the convolution.
            name: of the place, such as "stage1_block2_expand".
            valid: no padding.
            active: whether there is an activation.
        """
        height, width = size if isinstance(size, tuple) else (size, size)
        half = (height // 2, width // 2)
        x = Conv2D(
            filters,
            size,
            stride=stride,
            padding="valid" if valid else "same" if self.same else half,
            groups=groups,
            bias=False,
            # The papers' sizes are even and their strides 2: the last row is read by no window.
            uncovered="drop",
            name=f"{name}_conv",
        )(x)
        x = self.normalise(x, name)
        return self.activation(name=f"{name}_{_kind(self.activation)}")(x) if active else x

    def normalise(self, x: Node, name: str) -> Node:
        """The batch normalisation alone."""
        return BatchNorm(momentum=self.momentum, eps=self.eps, name=f"{name}_norm")(x)


def _kind(activation: MakesLayer) -> str:
    return str(getattr(activation, "kind", "activation"))


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` that is nearest to `channels`, but not less than nine tenths of
    it: the rule by which MobileNets and their kin round numbers of channels.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor * (rounded < 0.9 * channels)
