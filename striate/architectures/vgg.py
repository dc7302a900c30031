"""VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition"
(arXiv:1409.1556): the configurations A, B, D and E, plain and with batch normalisation (which came
a year later).
"""

from __future__ import annotations

from striate.architectures.building_blocks import IMAGE, make_network
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

# Of the stages, and of the dense layers before the last.
_FILTERS = (64, 128, 256, 512, 512)
_UNITS = 4096


def vgg11(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-11 (arXiv:1409.1556, configuration A), with 132,863,336 parameters for 224×224.

    Args:
        classes: the number of outputs.
        image: (height, width, channels); sides of at least 32. The first dense layer grows with
            them, and most parameters are there.
        seed: of the initial parameters; None leaves them zero.
    """
    return _vgg("vgg11", (1, 1, 2, 2, 2), False, classes, image, seed)


def vgg13(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-13 (arXiv:1409.1556, configuration B), with 133,047,848 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg13", (2, 2, 2, 2, 2), False, classes, image, seed)


def vgg16(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-16 (arXiv:1409.1556, configuration D), with 138,357,544 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), False, classes, image, seed)


def vgg19(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-19 (arXiv:1409.1556, configuration E), with 143,667,240 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg19", (2, 2, 4, 4, 4), False, classes, image, seed)


def vgg11_bn(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-11 with batch normalisation, with 132,868,840 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg11_bn", (1, 1, 2, 2, 2), True, classes, image, seed)


def vgg13_bn(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-13 with batch normalisation, with 133,053,736 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg13_bn", (2, 2, 2, 2, 2), True, classes, image, seed)


def vgg16_bn(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-16 with batch normalisation, with 138,365,992 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg16_bn", (2, 2, 3, 3, 3), True, classes, image, seed)


def vgg19_bn(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """VGG-19 with batch normalisation, with 143,678,248 parameters for 224×224.

    Args:
        classes, image, seed: as for `vgg11`.
    """
    return _vgg("vgg19_bn", (2, 2, 4, 4, 4), True, classes, image, seed)


def _vgg(
    who: str,
    convolutions: tuple[int, ...],
    normalised: bool,
    classes: int,
    image: Shape,
    seed: int | None,
) -> Network:
    def graph(x: Node, classes: int) -> Node:
        for stage, (filters, count) in enumerate(zip(_FILTERS, convolutions, strict=True), 1):
            for number in range(1, count + 1):
                name = f"conv{stage}_{number}"
                # With a bias, though the normalisation's shift makes it needless: so are the
                # published weights.
                x = Conv2D(filters, 3, padding=1, name=name)(x)
                if normalised:
                    x = BatchNorm(name=f"{name}_norm")(x)
                x = ReLU(name=f"{name}_relu")(x)
            x = MaxPool2D(2, uncovered="drop", name=f"pool{stage}")(x)
        x = Flatten(name="flatten")(x)
        for number in (6, 7):
            x = ReLU(name=f"dense{number}_relu")(Dense(_UNITS, name=f"dense{number}")(x))
            x = Dropout(0.5, name=f"dense{number}_dropout")(x)
        return Dense(classes, name="classes")(x)

    return make_network(who, graph, classes, image, seed, least=32)
