"""Loads a model file that must hold a network of images, for classes, labels or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from striate.network import load

if TYPE_CHECKING:
    from striate.network import Network


def load_classifier(path: str) -> Network:
    """Return the network in the model file `path`, which must be a classifier of images.

    Raises:
        ModelFileError: the file cannot be read.
        ClickException: the network is no classifier, or does not read images.
    """
    network = load_answering(path)
    if network.answers.kind != "classes":
        raise click.ClickException(
            f"{path}: is no classifier, it says {network.answers.kind} of images; give a model of "
            "classes, of which each image has one"
        )
    return network


def load_answering(path: str) -> Network:
    """Return the network in the model file `path`, which must say classes, labels or numbers of
    images.

    Raises:
        ModelFileError: the file cannot be read.
        ClickException: the network has other outputs, or does not read images.
    """
    network = load(path)
    outputs = network.output_shape
    if len(outputs) != 1 or (outputs[0] < 2 and network.answers.kind == "classes"):
        raise click.ClickException(
            f"{path}: is not a classifier, its network has outputs of shape {outputs}; give a "
            "model with one output for each of two or more classes"
        )
    if len(network.input_shape) != 3:
        raise click.ClickException(
            f"{path}: is not for images, its network reads {network.input_shape[0]:,} numbers; "
            "give a model whose network reads images (height, width, channels)"
        )
    return network
