"""All architectures by their names, as the command line and network files give them."""

from __future__ import annotations

from collections.abc import Callable

from striate.architectures.alexnet import alexnet
from striate.architectures.convnext import (
    convnext_atto,
    convnext_base,
    convnext_small,
    convnext_tiny,
)
from striate.architectures.densenet import densenet121, densenet161, densenet169, densenet201
from striate.architectures.efficientnet import efficientnet_b0, efficientnet_lite0
from striate.architectures.inception import inception_v3
from striate.architectures.lenet import lenet5
from striate.architectures.mobilenet import (
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3_large,
    mobilenet_v3_small,
)
from striate.architectures.regnet import (
    regnet_x_1_6gf,
    regnet_x_3_2gf,
    regnet_x_8gf,
    regnet_x_16gf,
    regnet_x_32gf,
    regnet_x_400mf,
    regnet_x_800mf,
    regnet_y_1_6gf,
    regnet_y_3_2gf,
    regnet_y_8gf,
    regnet_y_16gf,
    regnet_y_32gf,
    regnet_y_400mf,
    regnet_y_800mf,
)
from striate.architectures.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from striate.architectures.shufflenet import (
    shufflenet_v2_x0_5,
    shufflenet_v2_x1_0,
    shufflenet_v2_x1_5,
    shufflenet_v2_x2_0,
)
from striate.architectures.squeezenet import squeezenet1_0, squeezenet1_1
from striate.architectures.vgg import (
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut, did_you_mean, listed
from striate.network import Network
from striate.ops.shapes import Shape

# In the order in which they were published; `striate.architectures` exports them from here.
__all__ = [  # noqa: RUF022
    "lenet5",
    "alexnet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "inception_v3",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "mobilenet_v1",
    "mobilenet_v2",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "efficientnet_lite0",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "convnext_atto",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "NAMES",
    "build",
]

NAMES: tuple[str, ...] = tuple(name for name in __all__ if name not in ("NAMES", "build"))
"""The names of all architectures, in the order of their papers."""

_BY_NAME: dict[str, Callable[..., Network]] = {name: globals()[name] for name in NAMES}


def build(
    name: str,
    classes: int | None = None,
    image: Shape | None = None,
    seed: int | None = 0,
) -> Network:
    """Build an architecture by its name.

    Args:
        name: one of `NAMES`.
        classes: the number of outputs; None for the paper's.
        image: (height, width, channels); None for the paper's.
        seed: of the initial parameters; None leaves them zero.

    Raises:
        ValueError, TypeError: there is no such architecture, or it does not take these images.
    """
    if not isinstance(name, str):
        raise StriateTypeError(f"build: name must be text, got {cut(repr(name), 80)}")
    if name not in _BY_NAME:
        raise StriateValueError(
            f"there is no architecture {cut(repr(name), 80)}{did_you_mean(name, NAMES)}; known are "
            f"{listed(NAMES, 8)}"
        )
    given = {"classes": classes, "image": image}
    chosen = {key: value for key, value in given.items() if value is not None}
    return _BY_NAME[name](**chosen, seed=seed)
