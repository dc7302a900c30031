"""Architectures of published networks, as functions that return a `Network`.

    network = striate.architectures.resnet50(classes=10)
    network = striate.architectures.build("resnet50", classes=10)

Each takes the number of classes, the shape (height, width, channels) of the images, and the seed of
its initial parameters, which are random: there are no trained ones here. Each has a file for its
family, with the paper. Numbers of parameters and multiply-adds are those of the papers and of
torchvision, to the last digit; so are the functions that they compute, with the same parameters.
`NAMES` lists them all.

Layers are called after their places: ``network.freeze(*(node.name for node in network.nodes if
node.name.startswith("stem")))``.
"""

from striate.architectures.alexnet import alexnet
from striate.architectures.catalogue import NAMES, build
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

__all__ = [
    "NAMES",
    "alexnet",
    "build",
    "convnext_atto",
    "convnext_base",
    "convnext_small",
    "convnext_tiny",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_lite0",
    "inception_v3",
    "lenet5",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
