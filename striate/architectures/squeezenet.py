"""SqueezeNet: Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, "SqueezeNet: AlexNet-level accuracy
with 50x fewer parameters and <0.5MB model size" (arXiv:1602.07360).
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, make_network
from striate.layers import Concat, Conv2D, Dropout, GlobalAvgPool2D, MaxPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

# What each fire module squeezes to; it expands to eight times as many maps, twice 4.
_SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)


def squeezenet1_0(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """SqueezeNet 1.0 (arXiv:1602.07360), with 1,248,424 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 21.
        seed: of the initial parameters; None leaves them zero.
    """
    return _squeezenet("squeezenet1_0", 96, 7, (1, 4, 8), classes, image, seed, least=21)


def squeezenet1_1(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """SqueezeNet 1.1, with 1,235,496 parameters: smaller filters and earlier pooling than 1.0 have
    2.4 times less work for the same accuracy.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 17.
        seed: of the initial parameters; None leaves them zero.
    """
    return _squeezenet("squeezenet1_1", 64, 3, (1, 3, 5), classes, image, seed, least=17)


def _squeezenet(
    who: str,
    filters: int,
    size: int,
    pooled: tuple[int, ...],
    classes: int,
    image: Shape,
    seed: int | None,
    *,
    least: int,
) -> Network:
    """The network; layers are counted from 1, and max-pooling stands behind those of `pooled`."""

    def graph(x: Node, classes: int) -> Node:
        x = Conv2D(filters, size, stride=2, uncovered="drop", name="conv1")(x)
        x = ReLU(name="conv1_relu")(x)
        for layer in range(1, len(_SQUEEZED) + 2):
            if layer > 1:
                x = _fire(x, _SQUEEZED[layer - 2], f"fire{layer}")
            if layer in pooled:
                x = _halved(x, f"pool{layer}")
        x = Dropout(0.5, name="dropout")(x)
        x = ReLU(name="conv10_relu")(Conv2D(classes, 1, name="conv10")(x))
        return GlobalAvgPool2D(name="pool10")(x)

    return make_network(who, graph, classes, image, seed, least=least)


def _halved(x: Node, name: str) -> Node:
    """Caffe's pooling, with which the networks were made: where a row or column remains, a last
    window hangs over the rim by one, which is never a maximum.
    """
    below, right = ((side - 3) % 2 for side in x.shape[:2])
    return MaxPool2D(3, stride=2, padding=(0, below, 0, right), name=name)(x)


def _fire(x: Node, squeezed: int, name: str) -> Node:
    """Few maps, and from them many: by filters of 1×1 and of 3×3, side by side."""

    def convolve(x: Node, filters: int, size: int, place: str) -> Node:
        x = Conv2D(filters, size, padding=size // 2, name=f"{name}_{place}")(x)
        return ReLU(name=f"{name}_{place}_relu")(x)

    x = convolve(x, squeezed, 1, "squeeze")
    small = convolve(x, 4 * squeezed, 1, "expand1")
    large = convolve(x, 4 * squeezed, 3, "expand3")
    return Concat(name=f"{name}_concat")(small, large)
