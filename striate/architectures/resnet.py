"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition"
(arXiv:1512.03385).

The stride of a bottleneck is that of its 3×3 convolution and not of its first 1×1, as everybody
has it since Gross and Wilber (2016), who found it better.
"""

from __future__ import annotations

from collections.abc import Callable

from striate.architectures.building_blocks import IMAGE, NormalisedConvolution, make_network
from striate.layers import Add, Dense, GlobalAvgPool2D, MaxPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

_Block = Callable[[Node, int, int, str], Node]

_convolve = NormalisedConvolution()
_WIDTHS = (64, 128, 256, 512)
# The blocks of each stage: table 1.
_BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def resnet18(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ResNet-18 (arXiv:1512.03385), with 11,689,512 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
    """
    return _resnet("resnet18", _basic, classes, image, seed)


def resnet34(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ResNet-34 (arXiv:1512.03385), with 21,797,672 parameters.

    Args:
        classes, image, seed: as for `resnet18`.
    """
    return _resnet("resnet34", _basic, classes, image, seed)


def resnet50(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ResNet-50 (arXiv:1512.03385), with 25,557,032 parameters.

    Args:
        classes, image, seed: as for `resnet18`.
    """
    return _resnet("resnet50", _bottleneck, classes, image, seed)


def resnet101(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ResNet-101 (arXiv:1512.03385), with 44,549,160 parameters.

    Args:
        classes, image, seed: as for `resnet18`.
    """
    return _resnet("resnet101", _bottleneck, classes, image, seed)


def resnet152(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ResNet-152 (arXiv:1512.03385), with 60,192,808 parameters.

    Args:
        classes, image, seed: as for `resnet18`.
    """
    return _resnet("resnet152", _bottleneck, classes, image, seed)


def _resnet(
    who: str,
    block: _Block,
    classes: int,
    image: Shape,
    seed: int | None,
) -> Network:
    def graph(x: Node, classes: int) -> Node:
        x = _convolve(x, 64, 7, "stem", stride=2)
        x = MaxPool2D(3, stride=2, padding=1, uncovered="drop", name="stem_pool")(x)
        for stage, (width, count) in enumerate(zip(_WIDTHS, _BLOCKS[who], strict=True), 1):
            for number in range(1, count + 1):
                stride = 2 if number == 1 and stage > 1 else 1
                x = block(x, width, stride, f"stage{stage}_block{number}")
        return Dense(classes, name="classes")(GlobalAvgPool2D(name="pool")(x))

    return make_network(who, graph, classes, image, seed)


def _basic(x: Node, width: int, stride: int, name: str) -> Node:
    """Two 3×3 convolutions around which the input goes."""
    y = _convolve(x, width, 3, f"{name}_first", stride=stride)
    y = _convolve(y, width, 3, f"{name}_second", active=False)
    return _joined(x, y, stride, name)


def _bottleneck(x: Node, width: int, stride: int, name: str) -> Node:
    """Few channels for the 3×3 convolution, four times as many around it."""
    y = _convolve(x, width, 1, f"{name}_reduce")
    y = _convolve(y, width, 3, f"{name}_middle", stride=stride)
    y = _convolve(y, 4 * width, 1, f"{name}_expand", active=False)
    return _joined(x, y, stride, name)


def _joined(x: Node, y: Node, stride: int, name: str) -> Node:
    """The sum of a block's input and output; where shapes differ, a projection of the input."""
    if x.shape[2] != y.shape[2] or stride > 1:
        x = _convolve(x, y.shape[2], 1, f"{name}_shortcut", stride=stride, active=False)
    return ReLU(name=f"{name}_relu")(Add(name=f"{name}_add")(y, x))
