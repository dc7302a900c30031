"""AlexNet in the form for one processor: Krizhevsky, "One weird trick for parallelizing
convolutional neural networks" (arXiv:1404.5997), after Krizhevsky, Sutskever, Hinton, "ImageNet
classification with deep convolutional neural networks" (NeurIPS 2012).
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, make_network
from striate.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

# Filters, size, stride, padding of each convolution, and whether pooling follows.
_CONVOLUTIONS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
# Of the dense layers before the last.
_UNITS = 4096


def alexnet(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """AlexNet (arXiv:1404.5997), with 61,100,840 parameters for 224×224.

    One column of layers without groups and without local response normalisation, as torchvision
    has it.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 63.
        seed: of the initial parameters; None leaves them zero.
    """

    def graph(x: Node, classes: int) -> Node:
        for number, (filters, size, stride, padding, pool) in enumerate(_CONVOLUTIONS, 1):
            x = Conv2D(
                filters,
                size,
                stride=stride,
                padding=padding,
                uncovered="drop",
                name=f"conv{number}",
            )(x)
            x = ReLU(name=f"conv{number}_relu")(x)
            if pool:
                x = MaxPool2D(3, stride=2, uncovered="drop", name=f"pool{number}")(x)
        x = Flatten(name="flatten")(x)
        for number in (6, 7):
            x = Dropout(0.5, name=f"dense{number}_dropout")(x)
            x = ReLU(name=f"dense{number}_relu")(Dense(_UNITS, name=f"dense{number}")(x))
        return Dense(classes, name="classes")(x)

    return make_network("alexnet", graph, classes, image, seed, least=63)
