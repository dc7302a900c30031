"""EfficientNet: Tan, Le, "EfficientNet: Rethinking model scaling for convolutional neural networks"
(arXiv:1905.11946), and its form for phones, EfficientNet-Lite (Liu, 2020), which has no
squeeze-and-excitation and ReLU6 for activation.
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, NormalisedConvolution, make_network
from striate.architectures.inverted_residuals import inverted_residual
from striate.layers import Dense, Dropout, GlobalAvgPool2D, Node, ReLU6, SiLU
from striate.network import Network
from striate.ops.shapes import Shape

# Table 1: expansion, size, filters, blocks, stride of the first.
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)


def efficientnet_b0(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """EfficientNet-B0 (arXiv:1905.11946), with 5,288,548 parameters.

    Padding, eps and momentum are torchvision's. The paper also drops whole blocks at random in
    training, which is left out.

    Args:
        classes: the number of outputs.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
    """
    convolve = NormalisedConvolution(activation=SiLU)
    return _efficientnet("efficientnet_b0", convolve, True, classes, image, seed)


def efficientnet_lite0(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """EfficientNet-Lite0 (after arXiv:1905.11946), with 4,652,008 parameters.

    Padding and eps are TensorFlow's, as in the published weights.

    Args:
        classes, image, seed: as for `efficientnet_b0`.
    """
    convolve = NormalisedConvolution(activation=ReLU6, eps=1e-3, momentum=0.99, same=True)
    return _efficientnet("efficientnet_lite0", convolve, False, classes, image, seed)


def _efficientnet(
    who: str,
    convolve: NormalisedConvolution,
    squeezes: bool,
    classes: int,
    image: Shape,
    seed: int | None,
) -> Network:
    def graph(x: Node, classes: int) -> Node:
        x = convolve(x, 32, 3, "stem", stride=2)
        for stage, (expansion, size, filters, blocks, first) in enumerate(_STAGES, 1):
            for number in range(1, blocks + 1):
                x = inverted_residual(
                    x,
                    filters,
                    expansion * x.shape[2],
                    f"stage{stage}_block{number}",
                    convolve,
                    size=size,
                    stride=first if number == 1 else 1,
                    # A quarter of the block's input, not of what it is expanded to.
                    squeezed=max(1, x.shape[2] // 4) if squeezes else 0,
                    inside=convolve.activation,
                )
        x = convolve(x, 1280, 1, "last")
        x = Dropout(0.2, name="dropout")(GlobalAvgPool2D(name="pool")(x))
        return Dense(classes, name="classes")(x)

    return make_network(who, graph, classes, image, seed)
