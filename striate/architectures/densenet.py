"""DenseNet-BC: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional
networks" (arXiv:1608.06993).
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, NormalisedConvolution, make_network
from striate.layers import AvgPool2D, Concat, Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

_convolve = NormalisedConvolution()
# The layers of each dense block.
_BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet161": (6, 12, 36, 24),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}


def densenet121(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """DenseNet-121 (arXiv:1608.06993), with 7,978,856 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 29.
        seed: of the initial parameters; None leaves them zero.
    """
    return _densenet("densenet121", 32, classes, image, seed)


def densenet161(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """DenseNet-161 (arXiv:1608.06993), with 28,681,000 parameters and 48 new maps per layer.

    Args:
        classes, image, seed: as for `densenet121`.
    """
    return _densenet("densenet161", 48, classes, image, seed)


def densenet169(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """DenseNet-169 (arXiv:1608.06993), with 14,149,480 parameters.

    Args:
        classes, image, seed: as for `densenet121`.
    """
    return _densenet("densenet169", 32, classes, image, seed)


def densenet201(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """DenseNet-201 (arXiv:1608.06993), with 20,013,928 parameters.

    Args:
        classes, image, seed: as for `densenet121`.
    """
    return _densenet("densenet201", 32, classes, image, seed)


def _densenet(
    who: str,
    growth: int,
    classes: int,
    image: Shape,
    seed: int | None,
) -> Network:
    def graph(x: Node, classes: int) -> Node:
        x = _convolve(x, 2 * growth, 7, "stem", stride=2)
        x = MaxPool2D(3, stride=2, padding=1, uncovered="drop", name="stem_pool")(x)
        for block, layers in enumerate(_BLOCKS[who], 1):
            if block > 1:
                x = _transition(x, f"transition{block - 1}")
            for layer in range(1, layers + 1):
                x = _grown(x, growth, f"block{block}_layer{layer}")
        x = ReLU(name="last_relu")(_convolve.normalise(x, "last"))
        return Dense(classes, name="classes")(GlobalAvgPool2D(name="pool")(x))

    return make_network(who, graph, classes, image, seed, least=29)


def _grown(x: Node, growth: int, name: str) -> Node:
    """All maps so far and `growth` new ones, found from all of them through a bottleneck."""
    y = ReLU(name=f"{name}_relu")(_convolve.normalise(x, name))
    y = _convolve(y, 4 * growth, 1, f"{name}_reduce")
    y = Conv2D(growth, 3, padding=1, bias=False, name=f"{name}_conv")(y)
    return Concat(name=f"{name}_concat")(x, y)


def _transition(x: Node, name: str) -> Node:
    """Half as many maps, of half the size."""
    x = ReLU(name=f"{name}_relu")(_convolve.normalise(x, name))
    x = Conv2D(x.shape[2] // 2, 1, bias=False, name=f"{name}_conv")(x)
    return AvgPool2D(2, uncovered="drop", name=f"{name}_pool")(x)
