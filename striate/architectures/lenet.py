"""LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""

from __future__ import annotations

from striate.architectures.building_blocks import make_network
from striate.layers import AvgPool2D, Conv2D, Dense, Flatten, Node, Tanh
from striate.network import Network
from striate.ops.shapes import Shape


def lenet5(classes: int = 10, image: Shape = (32, 32, 1), seed: int | None = 0) -> Network:
    """LeNet-5 (LeCun et al. 1998), with 61,706 parameters.

    As it is taught today: the second convolution reads all six maps (the paper's a chosen part of
    them for each of its maps), pooling learns nothing, and the output is a dense layer. The layers
    C1, C5 and F6 have the paper's 156, 48,120 and 10,164 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 16, or the last convolution would have
            nothing to read. With other sizes than 32×32 it becomes larger or smaller.
        seed: of the initial parameters; None leaves them zero.
    """

    def graph(x: Node, classes: int) -> Node:
        for number, filters in enumerate((6, 16), 1):
            x = Tanh(name=f"c{2 * number - 1}_tanh")(
                Conv2D(filters, 5, name=f"c{2 * number - 1}")(x)
            )
            x = AvgPool2D(2, uncovered="drop", name=f"s{2 * number}")(x)
        # C5 is called a convolution, since it would be one for larger images; for this size it
        # is fully connected.
        x = Flatten(name="flatten")(x)
        for name, units in (("c5", 120), ("f6", 84)):
            x = Tanh(name=f"{name}_tanh")(Dense(units, name=name)(x))
        return Dense(classes, name="classes")(x)

    return make_network("lenet5", graph, classes, image, seed, least=16)
