"""MobileNets:

V1: Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision
    applications" (arXiv:1704.04861);
V2: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted residuals and linear bottlenecks"
    (arXiv:1801.04381);
V3: Howard et al., "Searching for MobileNetV3" (arXiv:1905.02244).
"""

from __future__ import annotations

from striate.architectures.building_blocks import (
    IMAGE,
    NormalisedConvolution,
    divisible,
    make_network,
)
from striate.architectures.inverted_residuals import inverted_residual
from striate.layers import (
    Dense,
    Dropout,
    GlobalAvgPool2D,
    HardSigmoid,
    HardSwish,
    Node,
    ReLU,
    ReLU6,
)
from striate.network import Network
from striate.ops.shapes import Shape

# Filters and stride of V1's blocks.
_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
# Table 2 of V2's paper: expansion, filters, blocks, stride of the first.
_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Tables 1 and 2 of V3's paper: size, maps inside, filters, squeeze-and-excitation, h-swish, stride.
_Row = tuple[int, int, int, bool, bool, int]
_V3_LARGE: tuple[_Row, ...] = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_V3_SMALL: tuple[_Row, ...] = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


def mobilenet_v1(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """MobileNet V1 (arXiv:1704.04861), with 4,231,976 parameters.

    With ReLU6 and TensorFlow's padding, as the authors' program has it; its momentum of 0.9997
    would want thousands of steps, so that of batch normalisation is 0.99 here.

    Args:
        classes: the number of outputs.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
    """
    convolve = NormalisedConvolution(activation=ReLU6, eps=1e-3, momentum=0.99, same=True)

    def graph(x: Node, classes: int) -> Node:
        x = convolve(x, 32, 3, "stem", stride=2)
        for number, (filters, stride) in enumerate(_V1, 1):
            depth = x.shape[2]
            x = convolve(x, depth, 3, f"block{number}_depthwise", stride=stride, groups=depth)
            x = convolve(x, filters, 1, f"block{number}_project")
        x = Dropout(0.001, name="dropout")(GlobalAvgPool2D(name="pool")(x))
        return Dense(classes, name="classes")(x)

    return make_network("mobilenet_v1", graph, classes, image, seed)


def mobilenet_v2(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """MobileNet V2 (arXiv:1801.04381), with 3,504,872 parameters.

    Args:
        classes, image, seed: as for `mobilenet_v1`.
    """
    convolve = NormalisedConvolution(activation=ReLU6)

    def graph(x: Node, classes: int) -> Node:
        x = convolve(x, 32, 3, "stem", stride=2)
        for stage, (expansion, filters, blocks, first) in enumerate(_V2, 1):
            for number in range(1, blocks + 1):
                x = inverted_residual(
                    x,
                    filters,
                    expansion * x.shape[2],
                    f"stage{stage}_block{number}",
                    convolve,
                    stride=first if number == 1 else 1,
                )
        x = convolve(x, 1280, 1, "last")
        x = Dropout(0.2, name="dropout")(GlobalAvgPool2D(name="pool")(x))
        return Dense(classes, name="classes")(x)

    return make_network("mobilenet_v2", graph, classes, image, seed)


def mobilenet_v3_large(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """MobileNet V3 large (arXiv:1905.02244), with 5,483,032 parameters.

    Args:
        classes, image, seed: as for `mobilenet_v1`.
    """
    return _v3("mobilenet_v3_large", _V3_LARGE, 1280, classes, image, seed)


def mobilenet_v3_small(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """MobileNet V3 small (arXiv:1905.02244), with 2,542,856 parameters.

    Args:
        classes, image, seed: as for `mobilenet_v1`.
    """
    return _v3("mobilenet_v3_small", _V3_SMALL, 1024, classes, image, seed)


def _v3(
    who: str, rows: tuple[_Row, ...], units: int, classes: int, image: Shape, seed: int | None
) -> Network:
    plain = NormalisedConvolution(eps=1e-3, momentum=0.99)
    swish = NormalisedConvolution(activation=HardSwish, eps=1e-3, momentum=0.99)

    def graph(x: Node, classes: int) -> Node:
        x = swish(x, 16, 3, "stem", stride=2)
        for number, (size, expanded, filters, squeezes, swishes, stride) in enumerate(rows, 1):
            x = inverted_residual(
                x,
                filters,
                expanded,
                f"block{number}",
                swish if swishes else plain,
                size=size,
                stride=stride,
                squeezed=divisible(expanded // 4) if squeezes else 0,
                inside=ReLU,
                gate=HardSigmoid,
            )
        x = swish(x, 6 * x.shape[2], 1, "last")
        x = GlobalAvgPool2D(name="pool")(x)
        x = HardSwish(name="dense_hard_swish")(Dense(units, name="dense")(x))
        return Dense(classes, name="classes")(Dropout(0.2, name="dropout")(x))

    return make_network(who, graph, classes, image, seed)
