"""Inception v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture
for computer vision" (arXiv:1512.00567).
"""

from __future__ import annotations

from striate.architectures.building_blocks import Heads, NormalisedConvolution, make_network
from striate.layers import AvgPool2D, Concat, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Node
from striate.network import Network
from striate.ops.shapes import Shape

_convolve = NormalisedConvolution(eps=1e-3)

HEAD_WEIGHT = 0.4
"""The part of the auxiliary loss in that of training."""
# Pooling of 5 by steps of 3 leaves the 5 that the convolution behind it reads.
_LEAST_OF_HEAD = 17

# The blocks at each size of the paper's maps. Those of 35×35: the filters behind their pooling.
_BLOCKS_35 = (32, 64, 64)
# Those of 17×17: the filters inside their factorised convolutions.
_BLOCKS_17 = (128, 160, 160, 192)
_BLOCKS_8 = 2

# The towers of a block: the (filters, size) of their convolutions.
_Tower = tuple[tuple[int, int | tuple[int, int]], ...]


def inception_v3(
    classes: int = 1000, image: Shape = (299, 299, 3), seed: int | None = 0
) -> Network:
    """Inception v3 (arXiv:1512.00567), with 27,161,264 parameters for 299×299.

    Images with sides of 299 or more have the paper's auxiliary classifier, the head "aux" with a
    loss that counts 0.4 times. `Network.without_heads` leaves 23,834,568 parameters, as smaller
    images do.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 75.
        seed: of the initial parameters; None leaves them zero.
    """

    def graph(x: Node, classes: int) -> Node | tuple[Node, Heads]:
        trunk = _trunk(x)
        heads = {}
        if min(trunk.shape[:2]) >= _LEAST_OF_HEAD:
            heads["aux"] = (_head(trunk, classes), HEAD_WEIGHT)
        x = Dropout(0.5, name="dropout")(GlobalAvgPool2D(name="pool")(_body(trunk)))
        output = Dense(classes, name="classes")(x)
        return (output, heads) if heads else output

    return make_network("inception_v3", graph, classes, image, seed, least=75)


def _trunk(x: Node) -> Node:
    """From the image to maps of 17×17, which the auxiliary classifier reads too."""
    x = _convolve(x, 32, 3, "stem1", stride=2, valid=True)
    x = _convolve(x, 32, 3, "stem2", valid=True)
    x = _convolve(x, 64, 3, "stem3")
    x = _halved(x, "stem3_pool")
    x = _convolve(x, 80, 1, "stem4", valid=True)
    x = _convolve(x, 192, 3, "stem5", valid=True)
    x = _halved(x, "stem5_pool")
    for number, pooled in enumerate(_BLOCKS_35, 1):
        x = _mixed(
            x,
            f"block35_{number}",
            ((64, 1),),
            ((48, 1), (64, 5)),
            ((64, 1), (96, 3), (96, 3)),
            pooled=pooled,
        )
    x = _reduced(x, "to17", ((384, 3),), ((64, 1), (96, 3), (96, 3)))
    for number, narrow in enumerate(_BLOCKS_17, 1):
        row, column = (1, 7), (7, 1)
        x = _mixed(
            x,
            f"block17_{number}",
            ((192, 1),),
            ((narrow, 1), (narrow, row), (192, column)),
            ((narrow, 1), (narrow, column), (narrow, row), (narrow, column), (192, row)),
            pooled=192,
        )
    return x


def _head(x: Node, classes: int) -> Node:
    """The auxiliary classifier, which reads the maps of 17×17."""
    x = AvgPool2D(5, stride=3, uncovered="drop", name="aux_pool")(x)
    x = _convolve(x, 128, 1, "aux_reduce")
    x = _convolve(x, 768, 5, "aux_last", valid=True)
    return Dense(classes, name="aux_classes")(GlobalAvgPool2D(name="aux_last_pool")(x))


def _body(x: Node) -> Node:
    """From maps of 17×17 to the last ones, of 8×8."""
    x = _reduced(x, "to8", ((192, 1), (320, 3)), ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)))
    for number in range(1, _BLOCKS_8 + 1):
        x = _widest(x, f"block8_{number}")
    return x


def _mixed(x: Node, name: str, *towers: _Tower, pooled: int) -> Node:
    """Towers of convolutions beside one of pooling, all of which keep the size."""
    ends = [_tower(x, tower, f"{name}_tower{number}") for number, tower in enumerate(towers, 1)]
    return Concat(name=f"{name}_concat")(*ends, _pooled(x, pooled, name))


def _reduced(x: Node, name: str, *towers: _Tower) -> Node:
    """Towers that end with stride 2, beside max-pooling."""
    ends = []
    for number, tower in enumerate(towers, 1):
        place = f"{name}_tower{number}"
        y = _tower(x, tower[:-1], place)
        filters, size = tower[-1]
        ends.append(_convolve(y, filters, size, f"{place}_{len(tower)}", stride=2, valid=True))
    return Concat(name=f"{name}_concat")(*ends, _halved(x, f"{name}_pool"))


def _widest(x: Node, name: str) -> Node:
    """A block in which two of the towers fork at their end."""
    first = _convolve(x, 320, 1, f"{name}_tower1_1")
    second = _forked(_convolve(x, 384, 1, f"{name}_tower2_1"), f"{name}_tower2")
    third = _tower(x, ((448, 1), (384, 3)), f"{name}_tower3")
    third = _forked(third, f"{name}_tower3")
    return Concat(name=f"{name}_concat")(first, second, third, _pooled(x, 192, name))


def _forked(x: Node, name: str) -> Node:
    row = _convolve(x, 384, (1, 3), f"{name}_row")
    column = _convolve(x, 384, (3, 1), f"{name}_column")
    return Concat(name=f"{name}_concat")(row, column)


def _tower(x: Node, tower: _Tower, name: str) -> Node:
    for number, (filters, size) in enumerate(tower, 1):
        x = _convolve(x, filters, size, f"{name}_{number}")
    return x


def _pooled(x: Node, filters: int, name: str) -> Node:
    """Means of 3×3, padding included, and a 1×1 convolution."""
    x = AvgPool2D(3, stride=1, padding=1, count_padding=True, name=f"{name}_pool")(x)
    return _convolve(x, filters, 1, f"{name}_pooled")


def _halved(x: Node, name: str) -> Node:
    return MaxPool2D(3, stride=2, uncovered="drop", name=name)(x)
