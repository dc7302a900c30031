"""ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, "A ConvNet for the 2020s"
(arXiv:2201.03545); atto is the smallest of "ConvNeXt V2" (Woo et al., arXiv:2301.00808), here with
the blocks of the first paper.
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, make_network
from striate.layers import GELU, Add, Affine, Conv2D, Dense, GlobalAvgPool2D, LayerNorm, Node
from striate.network import Network
from striate.ops.shapes import Shape

LAYER_SCALE = 1e-6
"""Where the factors of the blocks begin (appendix A.1): at first, each block hands on its input."""

# The blocks of each stage, and the maps of the first; each stage has twice those of the one before.
_STAGES = {
    "convnext_atto": ((2, 2, 6, 2), 40),
    "convnext_tiny": ((3, 3, 9, 3), 96),
    "convnext_small": ((3, 3, 27, 3), 96),
    "convnext_base": ((3, 3, 27, 3), 128),
}


def convnext_atto(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ConvNeXt-A (arXiv:2301.00808), with 3,695,520 parameters.

    The paper drops whole blocks at random in training, which is left out.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 32.
        seed: of the initial parameters; None leaves them zero.
    """
    return _convnext("convnext_atto", classes, image, seed)


def convnext_tiny(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ConvNeXt-T (arXiv:2201.03545), with 28,589,128 parameters.

    Args:
        classes, image, seed: as for `convnext_atto`.
    """
    return _convnext("convnext_tiny", classes, image, seed)


def convnext_small(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ConvNeXt-S (arXiv:2201.03545), with 50,223,688 parameters.

    Args:
        classes, image, seed: as for `convnext_atto`.
    """
    return _convnext("convnext_small", classes, image, seed)


def convnext_base(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """ConvNeXt-B (arXiv:2201.03545), with 88,591,464 parameters.

    Args:
        classes, image, seed: as for `convnext_atto`.
    """
    return _convnext("convnext_base", classes, image, seed)


def _convnext(who: str, classes: int, image: Shape, seed: int | None) -> Network:
    blocks, width = _STAGES[who]

    def graph(x: Node, classes: int) -> Node:
        x = Conv2D(width, 4, stride=4, uncovered="drop", name="stem_conv")(x)
        x = LayerNorm(name="stem_norm")(x)
        for stage, count in enumerate(blocks, 1):
            if stage > 1:
                x = LayerNorm(name=f"to{stage}_norm")(x)
                x = Conv2D(
                    width * 2 ** (stage - 1), 2, stride=2, uncovered="drop", name=f"to{stage}_conv"
                )(x)
            for number in range(1, count + 1):
                x = _block(x, f"stage{stage}_block{number}")
        x = LayerNorm(name="last_norm")(GlobalAvgPool2D(name="pool")(x))
        return Dense(classes, name="classes")(x)

    network = make_network(who, graph, classes, image, seed, least=32)
    if seed is not None:
        for name, values in network.parameters.items():
            if name.endswith("_scale/scale"):
                values[...] = LAYER_SCALE
    return network


def _block(x: Node, name: str) -> Node:
    """A convolution of each map alone, and a network of two layers at each pixel."""
    width = x.shape[2]
    y = Conv2D(width, 7, padding=3, groups=width, name=f"{name}_depthwise")(x)
    y = LayerNorm(name=f"{name}_norm")(y)
    y = GELU(name=f"{name}_gelu")(Conv2D(4 * width, 1, name=f"{name}_expand")(y))
    y = Conv2D(width, 1, name=f"{name}_project")(y)
    y = Affine(shift=False, name=f"{name}_scale")(y)
    return Add(name=f"{name}_add")(y, x)
