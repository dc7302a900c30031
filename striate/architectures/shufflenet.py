"""ShuffleNet V2: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: Practical guidelines for efficient CNN
architecture design" (arXiv:1807.11164).
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, NormalisedConvolution, make_network
from striate.layers import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    Dense,
    GlobalAvgPool2D,
    MaxPool2D,
    Node,
)
from striate.network import Network
from striate.ops.shapes import Shape

_convolve = NormalisedConvolution()
# The blocks of each stage, and the maps of each and of the last convolution: table 5.
_BLOCKS = (4, 8, 4)
_WIDTHS = {
    "shufflenet_v2_x0_5": (48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (244, 488, 976, 2048),
}
_STEM = 24


def shufflenet_v2_x0_5(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ShuffleNet V2 0.5× (arXiv:1807.11164), with 1,366,792 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
    """
    return _shufflenet("shufflenet_v2_x0_5", classes, image, seed)


def shufflenet_v2_x1_0(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ShuffleNet V2 1× (arXiv:1807.11164), with 2,278,604 parameters.

    Args:
        classes, image, seed: as for `shufflenet_v2_x0_5`.
    """
    return _shufflenet("shufflenet_v2_x1_0", classes, image, seed)


def shufflenet_v2_x1_5(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ShuffleNet V2 1.5× (arXiv:1807.11164), with 3,503,624 parameters.

    Args:
        classes, image, seed: as for `shufflenet_v2_x0_5`.
    """
    return _shufflenet("shufflenet_v2_x1_5", classes, image, seed)


def shufflenet_v2_x2_0(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ShuffleNet V2 2× (arXiv:1807.11164), with 7,393,996 parameters.

    Args:
        classes, image, seed: as for `shufflenet_v2_x0_5`.
    """
    return _shufflenet("shufflenet_v2_x2_0", classes, image, seed)


def _shufflenet(who: str, classes: int, image: Shape, seed: int | None) -> Network:
    *widths, last = _WIDTHS[who]

    def graph(x: Node, classes: int) -> Node:
        x = _convolve(x, _STEM, 3, "stem", stride=2)
        x = MaxPool2D(3, stride=2, padding=1, uncovered="drop", name="stem_pool")(x)
        for stage, (width, count) in enumerate(zip(widths, _BLOCKS, strict=True), 2):
            x = _smaller(x, width, f"stage{stage}_block1")
            for number in range(2, count + 1):
                x = _mixing(x, f"stage{stage}_block{number}")
        x = _convolve(x, last, 1, "last")
        return Dense(classes, name="classes")(GlobalAvgPool2D(name="pool")(x))

    return make_network(who, graph, classes, image, seed)


def _smaller(x: Node, width: int, name: str) -> Node:
    """Half the size: both halves of the maps are computed from all of the input's."""
    left = _convolve(
        x, x.shape[2], 3, f"{name}_left_depthwise", stride=2, groups=x.shape[2], active=False
    )
    left = _convolve(left, width // 2, 1, f"{name}_left_project")
    return _shuffled(left, _branch(x, width // 2, 2, name), name)


def _mixing(x: Node, name: str) -> Node:
    """The same size: one half of the maps goes on as it is, the other is computed anew."""
    half = x.shape[2] // 2
    left = ChannelSlice(0, half, name=f"{name}_left")(x)
    right = ChannelSlice(half, 2 * half, name=f"{name}_right")(x)
    return _shuffled(left, _branch(right, half, 1, name), name)


def _branch(x: Node, width: int, stride: int, name: str) -> Node:
    x = _convolve(x, width, 1, f"{name}_expand")
    x = _convolve(x, width, 3, f"{name}_depthwise", stride=stride, groups=width, active=False)
    return _convolve(x, width, 1, f"{name}_project")


def _shuffled(left: Node, right: Node, name: str) -> Node:
    return ChannelShuffle(2, name=f"{name}_shuffle")(Concat(name=f"{name}_concat")(left, right))
