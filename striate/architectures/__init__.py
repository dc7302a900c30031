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

from striate.architectures import catalogue
from striate.architectures.catalogue import *  # noqa: F403

__all__ = catalogue.__all__
