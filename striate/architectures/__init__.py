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
from striate.architectures.densenet import densenet121, densenet161, densenet169, densenet201
from striate.architectures.inception import inception_v3
from striate.architectures.lenet import lenet5
from striate.architectures.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
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
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "inception_v3",
    "lenet5",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
